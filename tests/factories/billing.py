"""Money for tests: real postings, made through the ledger."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.models import Card, CreditLine, Payment, Refund
from billing.operations import ledger, paying, refunding
from billing.operations.paying import PaymentSubject
from billing.states import CreditKind, PostingKind
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.kernel import guard, ids
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money

_numbers = itertools.count(1)


def usd(amount: str | int | Decimal) -> Money:
    """An amount in US dollars."""
    return Money(Decimal(amount), "USD")


def fund(account: Account, amount: str | int | Decimal | Money) -> Money:
    """Put money on an account's balance."""
    money = amount if isinstance(amount, Money) else Money(Decimal(amount), account.currency)
    with transaction.atomic(), guard.opened("test"):
        ledger.post(
            key=f"test-funds:{next(_numbers)}:{ids.random_code(8)}",
            kind=PostingKind.FUNDS,
            at=clock.now(),
            about=account.number[:40],
            entries=[(ledger.funding(), -money), (ledger.cash(account.pk), money)],
        )
    return money


def grant(account: Account, amount: str | int | Decimal, kind: CreditKind = CreditKind.PLATFORM) -> CreditLine:
    """Give an account a credit limit."""
    money = Money(Decimal(amount), account.currency)
    refs = {CreditKind.PLATFORM: ledger.platform_credit, CreditKind.MILESTONE: ledger.milestone_credit}
    with transaction.atomic(), guard.opened("test"):
        line = CreditLine.objects.create(
            account=account, kind=kind, limit=money.amount, currency=money.currency, granted_at=clock.now()
        )
        ledger.post(
            key=f"test-credit:{next(_numbers)}:{ids.random_code(8)}",
            kind=PostingKind.CREDIT,
            at=clock.now(),
            about=account.number[:40],
            entries=[(ledger.credit_granted(account.pk), -money), (refs[kind](account.pk), money)],
        )
    return line


def card(account: Account, *, token: str = "sandbox-approved", last_digits: str = "4242", **fields: Any) -> Card:
    """A card of the sandbox gateway."""
    with guard.opened("test"):
        return Card.objects.create(
            **{
                "code": ids.public_id(),
                "account": account,
                "gateway": "sandbox",
                "token": token,
                "brand": "Visa",
                "last_digits": last_digits,
                "expires_month": 12,
                "expires_year": 2099,
                "added_at": clock.now(),
                **fields,
            }
        )


def subject(account: Account, *, seller_id: int | None = 1, **fields: Any) -> PaymentSubject:
    """An order line to pay for."""
    number = fields.pop("order_number", "") or f"CS2601010000{next(_numbers):05d}"
    return PaymentSubject(
        **{
            "order_number": number,
            "line_number": f"{number}-000001",
            "account_id": account.pk,
            "seller_id": seller_id,
            "description": "Something bought",
            **fields,
        }
    )


def paid(account: Account, amount: str | int | Decimal = 100, *, method: str = "balance", **fields: Any) -> Payment:
    """A payment that succeeded, with the money for it."""
    money = Money(Decimal(amount), account.currency)
    if method == "balance":
        fund(account, money)
    with transaction.atomic(), guard.opened("test"):
        return paying.pay(system_call(), subject=subject(account, **fields), amount=money, method=method)


def refunded(payment: Payment, amount: str | int | Decimal) -> Refund:
    """A refund of part of a payment."""
    with transaction.atomic(), guard.opened("test"):
        return refunding.refund(
            system_call(),
            order_number=payment.order_number,
            line_number=payment.line_number,
            amount=Money(Decimal(amount), payment.currency),
            reason="test",
            key=f"test-refund:{next(_numbers)}:{payment.number}",
        )
