"""The negotiated refund amount: a plain decimal, more than nothing, at most the actual payment (R13)."""

from __future__ import annotations

import re
from decimal import Decimal

from koogallery.kernel.money import Money, quantum
from koogallery.kernel.reasons import Refused

FIELD = "amount"
_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


def parse(text: str, *, currency: str) -> Money:
    """The amount that was typed, no more digits than its currency has.

    Raises `Refused`: `unsub_amount_format` for anything but digits with one point (no exponent, no thousands
    separators), `amount_not_positive`, `amount_not_whole`.
    """
    clean = text.strip()
    if not _PLAIN.fullmatch(clean):
        example = Money(Decimal(100).quantize(quantum(currency)), currency)
        raise Refused("unsub_amount_format", field=FIELD, example=format(example.amount, "f"))
    amount = Money(Decimal(clean), currency)
    check(amount)
    return amount


def check(amount: Money, *, limit: Money | None = None) -> None:
    """Raise `Refused` unless the amount is positive, has no more digits than its currency, and is within `limit`."""
    if not amount.amount.is_finite():
        raise Refused("unsub_amount_format", field=FIELD, example="100.00")
    if amount.amount <= 0:
        raise Refused("amount_not_positive", field=FIELD)
    if not amount.is_whole():
        raise Refused("amount_not_whole", field=FIELD, currency=amount.currency)
    if limit is not None and amount > limit:
        raise Refused("unsub_exceeds", field=FIELD, limit=limit)
