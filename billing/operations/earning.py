"""Held money becomes earned when what it paid for is accepted or provisioned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import connection

from billing.operations import ledger
from billing.states import PostingKind
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money

_EARN = """
WITH due AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS d(line, key, at)
), held AS MATERIALIZED (
    SELECT d.line, d.key, d.at, a.id, a.currency, a.balance, p.paid, p.seller
    FROM due d CROSS JOIN LATERAL (
        SELECT id, currency, balance FROM billing_ledgeraccount l
        WHERE l.kind = 'held' AND l.owner = d.line AND l.balance > 0 FOR NO KEY UPDATE
    ) a CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS paid, coalesce((array_agg(y.seller_id ORDER BY y.id DESC))[1]::text, '') AS seller
        FROM billing_payment y WHERE y.line_number = d.line AND y.line_number <> '' AND y.state = 'succeeded'
    ) p
), earned AS MATERIALIZED (
    SELECT s.seller, s.currency, billing_ledger_account('earned', s.seller, s.currency, FALSE) AS id
    FROM (SELECT DISTINCT seller, currency FROM held WHERE paid ORDER BY seller, currency) s
), posted AS (
    INSERT INTO billing_posting (key, kind, about, at)
    SELECT key, 'earning', line, at FROM held WHERE paid ORDER BY key ON CONFLICT (key) DO NOTHING RETURNING id, key
), booked AS (
    INSERT INTO billing_entry (posting_id, account_id, amount, currency)
    SELECT o.id, side.account, side.amount, currency
    FROM posted o JOIN held h USING (key)
    JOIN earned e USING (seller, currency)
    CROSS JOIN LATERAL (VALUES (h.id, -h.balance), (e.id, h.balance)) AS side(account, amount)
)
SELECT h.line, h.balance, h.currency, h.paid, h.seller, o.id IS NOT NULL AS booked
FROM held h LEFT JOIN posted o USING (key)
"""


class Unpaid(LookupError):
    """Money is held for an order line, named by its number, for which no payment succeeded."""


def earn(call: Call, *, line_number: str, key: str) -> Money | None:
    """Move all that is held for an order line to its seller's *earned*, gross, inside the caller's operation.

    Idempotent by `key`. Returns what became earned now, None when nothing is held.
    """
    return earn_many(at=call.at, keys={line_number: key}).get(line_number)


def earn_many(*, keys: Mapping[str, str], at: datetime | Mapping[str, datetime]) -> dict[str, Money]:
    """`earn` for a chunk of order lines in one statement, each at its own moment; what became earned now, by line.

    `keys` gives a key for each line number, `at` the moment of all, or of each line number. Raises `Unpaid`, and
    `ledger.OtherPosting` when a key belongs to another movement.
    """
    lines = sorted(keys)
    if not lines:
        return {}
    moments = [at[line] if isinstance(at, Mapping) else at for line in lines]
    with connection.cursor() as cursor:
        cursor.execute(_EARN, [array(lines), array(f"earn:{keys[line]}" for line in lines), array(moments)])
        rows = cursor.fetchall()
    earned = {}
    for line, amount, currency, paid, seller, booked in rows:
        if booked:
            earned[line] = Money(amount, currency)
        elif not paid:
            raise Unpaid(line)
        else:
            moment = at[line] if isinstance(at, Mapping) else at
            ledger.check_same(_posting(line, f"earn:{keys[line]}", moment, Money(amount, currency), seller))
    return earned


def _posting(line: str, key: str, moment: datetime, money: Money, seller: str) -> ledger.NewPosting:
    return ledger.NewPosting(
        key=key,
        kind=PostingKind.EARNING,
        at=moment,
        about=line,
        entries=[(ledger.held(line), -money), (ledger.earned(int(seller) if seller else None), money)],
    )
