"""The one way into the ledger: a posting and all its entries in ONE statement.

    post(key=f"pay:{payment.number}", kind=PostingKind.PAYMENT, at=call.at, about=line_number,
         entries=[(cash(account_id), -amount), (held(line_number), amount)])

Positive amounts raise what the platform holds for the owner of the ledger account, negative ones lower it. The
database refuses what does not balance and keeps the balances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, connection

from billing.states import NEGATIVE_KINDS, LedgerKind, PostingKind
from koogallery.kernel import prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused


class OtherPosting(RuntimeError):
    """The key belongs to a posting with other entries."""


class LedgerRef(NamedTuple):
    """Which ledger account, whatever the currency; it is made when first posted to."""

    kind: str
    owner: str = ""

    @property
    def may_be_negative(self) -> bool:
        """Whether its balance may go below zero."""
        return self.kind in NEGATIVE_KINDS


def cash(account_id: int) -> LedgerRef:
    """What a customer has paid in and not spent."""
    return LedgerRef(LedgerKind.CASH, str(account_id))


def platform_credit(account_id: int) -> LedgerRef:
    """What a postpaid customer may still spend on platform credit; limit minus this is what it owes."""
    return LedgerRef(LedgerKind.PLATFORM_CREDIT, str(account_id))


def milestone_credit(account_id: int) -> LedgerRef:
    """What a postpaid customer's milestone credit still covers."""
    return LedgerRef(LedgerKind.MILESTONE_CREDIT, str(account_id))


def credit_granted(account_id: int) -> LedgerRef:
    """The other side of a customer's credit limits."""
    return LedgerRef(LedgerKind.CREDIT_GRANTED, str(account_id))


def receivable(account_id: int) -> LedgerRef:
    """What a customer was billed and has not repaid: the used part of its milestone credit."""
    return LedgerRef(LedgerKind.RECEIVABLE, str(account_id))


def reseller_due(account_id: int) -> LedgerRef:
    """What a reseller owes for the orders of its customers (negative)."""
    return LedgerRef(LedgerKind.RESELLER_DUE, str(account_id))


def held(owner: str) -> LedgerRef:
    """Paid for an order line, or for one milestone of it, and not yet accepted; `owner` is `Payment.held_for`."""
    return LedgerRef(LedgerKind.HELD, owner)


def earned(seller_id: int | None) -> LedgerRef:
    """Accepted and paid, gross, not yet paid out to the seller; without one, the platform's own sales."""
    return LedgerRef(LedgerKind.EARNED, "" if seller_id is None else str(seller_id))


def settled(seller_id: int) -> LedgerRef:
    """Paid out to the seller, gross."""
    return LedgerRef(LedgerKind.SETTLED, str(seller_id))


def platform_fee() -> LedgerRef:
    """The platform's share, taken at settlement."""
    return LedgerRef(LedgerKind.PLATFORM_FEE)


def card_clearing() -> LedgerRef:
    """Money that the card gateway has taken for us (negative)."""
    return LedgerRef(LedgerKind.CARD_CLEARING)


def refunds() -> LedgerRef:
    """Refunds on their way to cards."""
    return LedgerRef(LedgerKind.REFUNDS)


def funding() -> LedgerRef:
    """Money from outside: bank transfers and what operations added (negative)."""
    return LedgerRef(LedgerKind.FUNDING)


Entries = Sequence[tuple[LedgerRef, Money]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosting:
    """A posting to be made."""

    key: str
    kind: PostingKind
    at: datetime
    about: str
    entries: Entries


_POST = """
WITH given AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) WITH ORDINALITY
        AS g(key, kind, about, at, place)
), posted AS (
    INSERT INTO billing_posting (key, kind, about, at)
    SELECT key, kind, about, at FROM given ORDER BY key ON CONFLICT (key) DO NOTHING RETURNING id, key
), found AS MATERIALIZED (
    SELECT w.*, a.id FROM unnest(%s::text[], %s::text[], %s::text[], %s::boolean[]) WITH ORDINALITY
        AS w(kind, owner, currency, negative, place)
    LEFT JOIN LATERAL (
        SELECT id FROM billing_ledgeraccount l
        WHERE l.kind = w.kind AND l.owner = w.owner AND l.currency = w.currency OFFSET 0
    ) a ON TRUE
), made AS (
    INSERT INTO billing_ledgeraccount (kind, owner, currency, balance, may_be_negative)
    SELECT kind, owner, currency, 0, negative FROM found WHERE id IS NULL ORDER BY place
    ON CONFLICT (kind, owner, currency) DO NOTHING RETURNING id, kind, owner, currency
), accounts AS MATERIALIZED (
    SELECT f.place, f.currency,
        coalesce(f.id, m.id, billing_ledger_account(f.kind, f.owner, f.currency, f.negative)) AS id
    FROM found f LEFT JOIN made m ON m.kind = f.kind AND m.owner = f.owner AND m.currency = f.currency
), booked AS (
    INSERT INTO billing_entry (posting_id, account_id, amount, currency)
    SELECT o.id, a.id, p.amount, a.currency
    FROM posted o JOIN given g USING (key)
    JOIN unnest(%s::bigint[], %s::bigint[], %s::numeric[]) AS p(posting, account, amount) ON p.posting = g.place
    JOIN accounts a ON a.place = p.account
)
SELECT key FROM posted
"""
PLANNED_ONCE = 8
"""Up to so many postings share one stored plan; more are planned for their number."""


def post(*, key: str, kind: PostingKind, at: datetime, about: str, entries: Entries) -> bool:
    """Book one posting; True when it was booked now, False when this very posting was booked before.

    Raises `ValueError` for an unrounded amount, `OtherPosting` when the key belongs to another movement, and
    `IntegrityError` when the database refuses it (a balance would be negative, entries do not balance).
    """
    return key in post_many([NewPosting(key=key, kind=kind, at=at, about=about, entries=entries)])


def post_many(postings: Sequence[NewPosting]) -> set[str]:
    """Book a chunk of postings in one statement; the keys of those that were booked now.

    Ledger accounts are locked once for the chunk and in order, so that parallel chunks do not deadlock. Raises
    `ValueError` for an unrounded amount or a key that stands twice, else what `post` raises.
    """
    if not postings:
        return set()
    keys = [posting.key for posting in postings]
    if len(set(keys)) < len(keys):
        raise ValueError("A key stands for one posting.")
    parts = [(place, ref, money) for place, posting in enumerate(postings, 1) for ref, money in posting.entries]
    if loose := [str(money) for _, _, money in parts if not money.is_whole()]:
        raise ValueError(f"Only rounded amounts are booked (R2): {loose[0]}.")
    accounts = sorted({(ref.kind, ref.owner, money.currency, ref.may_be_negative) for _, ref, money in parts})
    places = {account[:3]: place for place, account in enumerate(accounts, 1)}
    few = len(postings) <= PLANNED_ONCE
    with prepared.cursor(planned=few) as cursor:
        cursor.execute(
            _POST,
            [
                array(keys),
                array(posting.kind for posting in postings),
                array(posting.about for posting in postings),
                array(posting.at for posting in postings),
                array(kind for kind, _, _, _ in accounts),
                array(owner for _, owner, _, _ in accounts),
                array(currency for _, _, currency, _ in accounts),
                array(negative for _, _, _, negative in accounts),
                array(place for place, _, _ in parts),
                array(places[ref.kind, ref.owner, money.currency] for _, ref, money in parts),
                array(money.amount for _, _, money in parts),
            ],
        )
        booked = {row[0] for row in cursor.fetchall()}
    for posting in postings:
        if posting.key not in booked:
            check_same(posting)
    return booked


_MOVE = """
WITH given AS (
    SELECT * FROM unnest(%(keys)s::text[], %(abouts)s::text[], %(sources)s::integer[], %(targets)s::integer[],
        %(amounts)s::numeric[]) AS g(key, about, source, target, amount)
), found AS MATERIALIZED (
    SELECT w.place, w.currency, coalesce(a.id, billing_ledger_account(w.kind, w.owner, w.currency, w.negative)) AS id
    FROM unnest(%(kinds)s::text[], %(owners)s::text[], %(currencies)s::text[], %(negatives)s::boolean[])
        WITH ORDINALITY AS w(kind, owner, currency, negative, place)
    LEFT JOIN LATERAL (
        SELECT id FROM billing_ledgeraccount l
        WHERE l.kind = w.kind AND l.owner = w.owner AND l.currency = w.currency OFFSET 0
    ) a ON TRUE
), posted AS (
    INSERT INTO billing_posting (key, kind, about, at)
    SELECT key, %(kind)s::text, about, %(at)s::timestamptz FROM given ORDER BY key RETURNING id, key
)
INSERT INTO billing_entry (posting_id, account_id, amount, currency)
SELECT o.id, side.account, side.amount, s.currency
FROM given g JOIN posted o USING (key) JOIN found s ON s.place = g.source JOIN found t ON t.place = g.target
CROSS JOIN LATERAL (VALUES (s.id, -g.amount), (t.id, g.amount)) AS side(account, amount)
"""


def move_many(
    *,
    keys: Sequence[str],
    abouts: Sequence[str],
    sources: Sequence[LedgerRef],
    targets: Sequence[LedgerRef],
    amounts: Sequence[Money],
    kind: PostingKind,
    at: datetime,
) -> None:
    """Book a chunk of postings of two entries each in one statement, for what is posted for the first time.

    Each moves its amount from its source to its target. Accounts are locked as in `post_many`. Raises `ValueError` for
    an unrounded amount, `IntegrityError` for a key that is booked already and for what the database refuses.
    """
    if not keys:
        return
    if loose := [str(money) for money in {id(each): each for each in amounts}.values() if not money.is_whole()]:
        raise ValueError(f"Only rounded amounts are booked (R2): {loose[0]}.")
    currencies = [money.currency for money in amounts]
    given = list(zip(sources, currencies, strict=True))
    taken = list(zip(targets, currencies, strict=True))
    accounts = sorted({*given, *taken})
    places = {account: place for place, account in enumerate(accounts, 1)}
    with prepared.cursor(planned=False) as cursor:
        cursor.execute(
            _MOVE,
            {
                "kind": kind,
                "at": at,
                "keys": array(keys),
                "abouts": array(abouts),
                "sources": array(map(places.__getitem__, given)),
                "targets": array(map(places.__getitem__, taken)),
                "amounts": array(money.amount for money in amounts),
                "kinds": array(ref.kind for ref, _currency in accounts),
                "owners": array(ref.owner for ref, _currency in accounts),
                "currencies": array(currency for _ref, currency in accounts),
                "negatives": array(ref.may_be_negative for ref, _currency in accounts),
            },
        )


def check_same(posting: NewPosting) -> None:
    """Raise `OtherPosting` unless the posting of this key has these entries."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.kind, a.owner, e.currency, e.amount FROM billing_posting p "
            "JOIN billing_entry e ON e.posting_id = p.id JOIN billing_ledgeraccount a ON a.id = e.account_id "
            "WHERE p.key = %s",
            [posting.key],
        )
        stored = sorted(cursor.fetchall())
    if stored != sorted((str(ref.kind), ref.owner, money.currency, money.amount) for ref, money in posting.entries):
        raise OtherPosting(f"The key {posting.key!r} belongs to another posting.")


@contextmanager
def refusing(**codes: str) -> Iterator[None]:
    """Turn the database's refusal of a constraint into `Refused`: `refusing(one_live_payment_per_line="already_paid")`.

    The transaction is broken then; whoever wants to go on wraps the call in `transaction.atomic()`.
    """
    try:
        yield
    except IntegrityError as error:
        diagnostics = getattr(error.__cause__, "diag", None)
        code = codes.get(getattr(diagnostics, "constraint_name", None) or "")
        if code is None:
            raise
        raise Refused(code) from error
