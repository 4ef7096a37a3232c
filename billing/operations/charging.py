"""Many payments at once, for sweeps that charge what was agreed before: what accounts can spend, and the charge itself.

What `paying.pay` does for one payment, with a few statements for a thousand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing.models import Card, CreditStatement
from billing.operations import ledger
from billing.rules.bills import is_overdue
from billing.states import PayMethod, PostingKind
from koogallery.kernel import ids, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.money import Money

RANDOM = 8
"""Random characters of a payment's number: of a hundred thousand in a minute no two are to meet."""
_PURSES = """
SELECT l.owner::bigint, l.kind, l.balance, l.currency FROM billing_ledgeraccount l
WHERE l.kind IN ('cash', 'platform_credit') AND l.owner = ANY(%s::text[])
ORDER BY l.id
"""
_PAY = """
WITH variants AS MATERIALIZED (
    SELECT * FROM unnest(%(places)s::integer[], %(texts)s::text[], %(texts_zh)s::text[], %(explanations)s::jsonb[],
        %(sellers)s::bigint[], %(fees)s::numeric[], %(amounts)s::numeric[], %(currencies)s::text[])
        AS v(place, description, description_zh, explanation, seller_id, fee_percent, amount, currency)
), given AS (
    SELECT * FROM unnest(%(numbers)s::text[], %(methods)s::text[], %(accounts)s::bigint[], %(payers)s::bigint[],
        %(orders)s::text[], %(lines)s::text[], %(variants)s::integer[], %(projects)s::text[], %(tags)s::jsonb[])
        AS g(number, method, account_id, payer_id, order_number, line_number, place, project_code, tags)
), charged AS (
    INSERT INTO billing_charge (number, kind, account_id, customer_id, order_number, line_number, method, amount,
        currency, description, description_zh, project_code, tags, at)
    SELECT g.number, 'charge', g.payer_id, nullif(g.account_id, g.payer_id), g.order_number, g.line_number, g.method,
        v.amount, v.currency, v.description, v.description_zh, g.project_code, g.tags, %(at)s
    FROM given g JOIN variants v USING (place)
)
INSERT INTO billing_payment (number, purpose, method, state, account_id, payer_id, order_number, line_number, part,
    seller_id, fee_percent, amount, refunded, currency, description, description_zh, project_code, tags, explanation,
    note, outcome, gateway_reference, failure, attempts, created_at, finished_at)
SELECT g.number, 'order', g.method, 'succeeded', g.account_id, g.payer_id, g.order_number, g.line_number, '',
    v.seller_id, v.fee_percent, v.amount, 0, v.currency, v.description, v.description_zh, g.project_code, g.tags,
    v.explanation, '', '', '', '', 0, %(at)s, %(at)s
FROM given g JOIN variants v USING (place)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A credit statement that is not repaid, and when it is overdue."""

    due_at: datetime
    left: Decimal


@dataclass(slots=True, kw_only=True)
class Purse:
    """What an account can spend, by currency, its cards by code, and the credit statements it has to repay."""

    cash: dict[str, Decimal] = field(default_factory=dict)
    credit: dict[str, Decimal] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    statements: list[Overdue] = field(default_factory=list)

    def overdue(self, *, at: datetime) -> Decimal:
        """What is overdue at a moment unless it is repaid before."""
        return sum((each.left for each in self.statements if is_overdue(due_at=each.due_at, at=at)), Decimal(0))


def purses(account_ids: Iterable[int], *, locked: bool, credit: bool, cards: bool) -> dict[int, Purse]:
    """The purses of accounts; `locked`, nobody else spends from them until the transaction ends.

    What is overdue and which cards there are is read where the caller asks for `credit` and `cards`.
    """
    wanted = sorted(set(account_ids))
    found = {account_id: Purse() for account_id in wanted}
    with prepared.cursor() as cursor:
        cursor.execute(f"{_PURSES} FOR NO KEY UPDATE" if locked else _PURSES, [array(wanted)])
        for account_id, kind, balance, currency in cursor.fetchall():
            purse = found[account_id]
            (purse.cash if kind == "cash" else purse.credit)[currency] = balance
    statements = CreditStatement.objects.filter(account__in=wanted, repaid_at=None) if credit else ()
    for statement in statements:
        overdue = Overdue(due_at=statement.due_at, left=statement.amount - statement.repaid)
        found[statement.account_id].statements.append(overdue)
    for card in Card.objects.filter(account__in=wanted, removed_at=None) if cards else ():
        found[card.account_id].cards[card.code] = card
    return found


class Sold(NamedTuple):
    """What many payments have in common: whose it becomes, how much, and how the line of Bills tells of it.

    The description is in English and Chinese, the explanation is JSON.
    """

    seller_id: int
    fee_percent: Decimal
    amount: Money
    description: str
    description_zh: str
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """Payments for order lines that are charged at once, by `balance`, `credit` or `reseller`: `sold`, and the columns.

    `places` says which of `sold` each is for, from 1; `tags` are JSON.
    """

    sold: Sequence[Sold]
    places: Sequence[int]
    methods: Sequence[str]
    accounts: Sequence[int]
    payers: Sequence[int]
    orders: Sequence[str]
    lines: Sequence[str]
    projects: Sequence[str]
    tags: Sequence[str]


_SOURCES = {
    PayMethod.BALANCE.value: ledger.cash,
    PayMethod.CREDIT.value: ledger.platform_credit,
    PayMethod.RESELLER.value: ledger.reseller_due,
}


def pay_and_earn(payments: Payments, *, at: datetime) -> None:
    """Charge a chunk of order lines that are Completed with it: payments, lines of Bills, and their postings.

    What is in effect at once is never *held*: one posting moves the money from the payer to *earned*. Who can spend how
    much was read with `purses(locked=True)`; a balance that would be negative is an `IntegrityError`.
    """
    sold, places = payments.sold, payments.places
    numbers = new_numbers("PY", at=at, count=len(places), length=RANDOM)
    given: dict[str, Any] = {
        "places": array(range(1, len(sold) + 1)),
        "texts": array(each.description[:255] for each in sold),
        "texts_zh": array(each.description_zh[:255] for each in sold),
        "explanations": array(each.explanation for each in sold),
        "sellers": array(each.seller_id for each in sold),
        "fees": array(each.fee_percent for each in sold),
        "amounts": array(each.amount.amount for each in sold),
        "currencies": array(each.amount.currency for each in sold),
        "numbers": array(numbers),
        "methods": array(payments.methods),
        "accounts": array(payments.accounts),
        "payers": array(payments.payers),
        "orders": array(payments.orders),
        "lines": array(payments.lines),
        "variants": array(places),
        "projects": array(payments.projects),
        "tags": array(payments.tags),
        "at": at,
    }
    with prepared.cursor(planned=False) as cursor:
        cursor.execute(_PAY, given)
    payers = list(zip(payments.methods, payments.payers, strict=True))
    sources = {payer: _SOURCES[payer[0]](payer[1]) for payer in set(payers)}
    targets = [ledger.earned(each.seller_id) for each in sold]
    ledger.move_many(
        keys=[f"pay:{number}" for number in numbers],
        abouts=payments.lines,
        sources=[sources[payer] for payer in payers],
        targets=[targets[place - 1] for place in places],
        amounts=[sold[place - 1].amount for place in places],
        kind=PostingKind.PAYMENT,
        at=at,
    )


def new_numbers(prefix: str, *, at: datetime, count: int, length: int, letter: str = "") -> list[str]:
    """So many different numbers of one moment, as `ids.numbered` makes them one by one.

    A `letter` that was drawn for all of them is the first of the `length` random characters.
    """
    stem, length = ids.numbered(prefix, at=at, length=0) + letter, length - len(letter)
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        usable = [byte % 36 for byte in secrets.token_bytes((count - len(drawn)) * (length + 1)) if byte < 252]
        letters = "".join(map(ids.ALPHABET.__getitem__, usable))
        drawn |= dict.fromkeys(
            stem + letters[start : start + length] for start in range(0, len(letters) - length + 1, length)
        )
    return list(drawn)[:count]
