"""Held money becomes earned when what it paid for is accepted or provisioned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from billing.models import LedgerAccount, Payment
from billing.operations import ledger
from billing.states import LedgerKind, PaymentState, PostingKind
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money


def earn(call: Call, *, line_number: str, key: str) -> Money | None:
    """Move all that is held for an order line to its seller's *earned*, gross, inside the caller's operation.

    Idempotent by `key`. Returns what became earned now, None when nothing is held.
    """
    return earn_many(at=call.at, keys={line_number: key}).get(line_number)


def earn_many(*, at: datetime, keys: Mapping[str, str]) -> dict[str, Money]:
    """`earn` for a chunk of order lines (`keys`: line number → key) in three statements; what became earned by line."""
    accounts = list(
        LedgerAccount.objects.select_for_update(no_key=True)
        .filter(kind=LedgerKind.HELD, owner__in=list(keys), balance__gt=0)
        .order_by("pk")
    )
    if not accounts:
        return {}
    sellers = dict(
        Payment.objects.filter(line_number__in=[account.owner for account in accounts], state=PaymentState.SUCCEEDED)
        .order_by("pk")
        .values_list("line_number", "seller_id")
    )
    booked = ledger.post_many(
        [
            ledger.NewPosting(
                key=f"earn:{keys[account.owner]}",
                kind=PostingKind.EARNING,
                at=at,
                about=account.owner,
                entries=[
                    (ledger.held(account.owner), -account.money),
                    (ledger.earned(sellers[account.owner]), account.money),
                ],
            )
            for account in accounts
        ]
    )
    return {account.owner: account.money for account in accounts if f"earn:{keys[account.owner]}" in booked}
