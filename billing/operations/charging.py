"""Many payments at once, for sweeps that charge what was agreed before: what accounts can spend, and the charge itself.

What `paying.pay` does for one payment, with a few statements for a thousand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing.models import Card, CreditStatement
from billing.operations import ledger
from billing.rules.bills import is_overdue
from billing.states import PayMethod, PostingKind
from koogallery.kernel import ids, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.money import Money

_PURSES = """
SELECT l.owner::bigint, l.kind, l.balance, l.currency FROM billing_ledgeraccount l
WHERE l.kind IN ('cash', 'platform_credit') AND l.owner = ANY(%s::text[])
ORDER BY l.id
"""
_PAY = """
WITH shared AS (
    SELECT * FROM unnest(%(texts)s::text[], %(texts_zh)s::text[], %(explanations)s::jsonb[])
        AS s(description, description_zh, explanation)
), numbered AS MATERIALIZED (
    SELECT *, row_number() OVER () AS place FROM shared
), given AS MATERIALIZED (
    SELECT g.*, n.description, n.description_zh, n.explanation FROM unnest(%(numbers)s::text[], %(methods)s::text[],
        %(accounts)s::bigint[], %(payers)s::bigint[], %(orders)s::text[], %(lines)s::text[], %(sellers)s::bigint[],
        %(fees)s::numeric[], %(amounts)s::numeric[], %(currencies)s::text[], %(places)s::integer[],
        %(projects)s::text[], %(tags)s::jsonb[], %(moments)s::timestamptz[])
        AS g(number, method, account_id, payer_id, order_number, line_number, seller_id, fee_percent, amount, currency,
            place, project_code, tags, at)
    JOIN numbered n USING (place)
), charged AS (
    INSERT INTO billing_charge (number, kind, account_id, customer_id, order_number, line_number, method, amount,
        currency, description, description_zh, project_code, tags, explanation, at)
    SELECT number, 'charge', payer_id, nullif(account_id, payer_id), order_number, line_number, method, amount,
        currency, description, description_zh, project_code, tags, explanation, at
    FROM given
)
INSERT INTO billing_payment (number, purpose, method, state, account_id, payer_id, order_number, line_number, part,
    seller_id, fee_percent, amount, refunded, currency, description, description_zh, project_code, tags, explanation,
    note, outcome,
    gateway_reference, failure, attempts, created_at, finished_at)
SELECT number, 'order', method, 'succeeded', account_id, payer_id, order_number, line_number, '', seller_id,
    fee_percent, amount, 0, currency, description, description_zh, project_code, tags, explanation, '', '', '', '', 0,
    at, at
FROM given
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment for an order line that is charged at once, by `balance`, `credit` or `reseller`, and earned with it.

    `shared` is what many payments have in common: the description in English and Chinese, and the explanation as JSON.
    """

    method: str
    account_id: int
    payer_id: int
    order_number: str
    line_number: str
    seller_id: int
    fee_percent: Decimal
    amount: Money
    shared: tuple[str, str, str]
    project_code: str
    tags: str
    at: datetime


_SOURCES = {
    PayMethod.BALANCE: ledger.cash,
    PayMethod.CREDIT: ledger.platform_credit,
    PayMethod.RESELLER: ledger.reseller_due,
}


def pay_and_earn(payments: Sequence[NewPayment]) -> None:
    """Charge a chunk of order lines that are Completed with it: payments, lines of Bills, and their postings.

    The money is booked to *held* and from there to *earned*, as for one line. Who can spend how much was read with
    `purses(locked=True)`; a balance that would be negative is an `IntegrityError`.
    """
    if not payments:
        return
    shared = {each: place for place, each in enumerate(dict.fromkeys(payment.shared for payment in payments), 1)}
    numbers = new_numbers("PY", at=payments[0].at, count=len(payments), length=6)
    given = {
        "texts": array(english[:255] for english, _chinese, _explanation in shared),
        "texts_zh": array(chinese[:255] for _english, chinese, _explanation in shared),
        "explanations": array(explanation for _english, _chinese, explanation in shared),
        "numbers": array(numbers),
        "methods": array(payment.method for payment in payments),
        "accounts": array(payment.account_id for payment in payments),
        "payers": array(payment.payer_id for payment in payments),
        "orders": array(payment.order_number for payment in payments),
        "lines": array(payment.line_number for payment in payments),
        "sellers": array(payment.seller_id for payment in payments),
        "fees": array(payment.fee_percent for payment in payments),
        "amounts": array(payment.amount.amount for payment in payments),
        "currencies": array(payment.amount.currency for payment in payments),
        "places": array(shared[payment.shared] for payment in payments),
        "projects": array(payment.project_code for payment in payments),
        "tags": array(payment.tags for payment in payments),
        "moments": array(payment.at for payment in payments),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAY, given)
    postings = []
    taken = {payment.amount: -payment.amount for payment in payments}
    earned = {seller: ledger.earned(seller) for seller in {payment.seller_id for payment in payments}}
    for number, payment in zip(numbers, payments, strict=True):
        kept, money, line = ledger.held(payment.line_number), payment.amount, payment.line_number
        source = _SOURCES[PayMethod(payment.method)](payment.payer_id)
        postings += [
            ledger.NewPosting(
                key=f"pay:{number}",
                kind=PostingKind.PAYMENT,
                at=payment.at,
                about=line,
                entries=[(source, taken[money]), (kept, money)],
            ),
            ledger.NewPosting(
                key=f"earn:earn:{line}",
                kind=PostingKind.EARNING,
                at=payment.at,
                about=line,
                entries=[(kept, taken[money]), (earned[payment.seller_id], money)],
            ),
        ]
    ledger.post_many(postings)


def new_numbers(prefix: str, *, at: datetime, count: int, length: int) -> list[str]:
    """So many different numbers of one moment, as `ids.numbered` makes them one by one."""
    stem = ids.numbered(prefix, at=at, length=0)
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        usable = [byte % 36 for byte in secrets.token_bytes((count - len(drawn)) * (length + 1)) if byte < 252]
        letters = "".join(map(ids.ALPHABET.__getitem__, usable))
        drawn |= dict.fromkeys(
            stem + letters[start : start + length] for start in range(0, len(letters) - length + 1, length)
        )
    return list(drawn)[:count]
