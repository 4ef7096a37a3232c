"""Paying an order by card, in two phases and safe against a crash between them.

`start_card_payment` commits the intent. `billing` asks the gateway outside of any transaction, under the payment's
number, so that asking again charges nothing twice. `settle_card_payment` books the outcome. When the process dies in
between, billing's sweep asks again and its event ends in the same booking.
"""

from __future__ import annotations
