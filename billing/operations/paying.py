"""Paying for an order line: at once from balance, credit or reseller, or by card in two phases.

By card: `start_card` is committed, `ask_gateway` runs outside any transaction with the payment's number as
idempotency key and keeps the answer on the payment, `finish_card` books it. A process that dies in between leaves a
Pending payment, which the sweep `card-payments` asks about again and books once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billing.models import Charge, Payment
from billing.operations import ledger
from billing.states import ChargeKind, PaymentState, PayMethod, PostingKind
from koogallery.identity.models import Account
from koogallery.identity.states import AccountKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSubject:
    """What is paid for; billing knows no more of an order than this.

    `part` tells several payments of one line apart (its bills). `explanation` is stored beside the amount.
    """

    order_number: str
    line_number: str
    account_id: int
    seller_id: int | None
    fee_percent: Decimal = Decimal(0)
    description: str = ""
    project_code: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    explanation: Mapping[str, Any] = field(default_factory=dict)


def pay(call: Call, *, subject: PaymentSubject, amount: Money, method: str) -> Payment:
    """Pay at once by `balance`, `credit` or `reseller`, inside the caller's operation: money moves to *held*.

    Raises `Refused`: `balance_too_low`, `credit_too_low`, `already_paid`, `reseller_pays`, `account_frozen`. A refusal
    by the database breaks the transaction; wrap the call in `transaction.atomic()` to go on after it.
    """
    payer_id = check_payer(call, account_id=subject.account_id, method=method)
    sources = {
        PayMethod.BALANCE: (ledger.cash(payer_id), "balance_too_low"),
        PayMethod.CREDIT: (ledger.platform_credit(payer_id), "credit_too_low"),
        PayMethod.RESELLER: (ledger.reseller_due(payer_id), "balance_too_low"),
    }
    source, too_low = sources[PayMethod(method)]
    check_amount(amount)
    payment = new_payment(call, subject=subject, amount=amount, method=PayMethod(method), payer_id=payer_id)
    payment.state, payment.finished_at = PaymentState.SUCCEEDED, call.at
    with ledger.refusing(one_live_payment_per_line="already_paid", ledger_balance_not_negative=too_low):
        payment.save(force_insert=True)
        book(payment, source=source)
    return payment


def check_payer(call: Call, *, account_id: int, method: str) -> int:
    """Who is charged when the account pays by `method`: itself, or its reseller. Raises `Refused` when it cannot."""
    account = call.account
    if account is None or account.pk != account_id:
        account = Account.objects.get(pk=account_id)
    if account.is_frozen:
        raise Refused("account_frozen")
    is_customer = account.kind == AccountKind.RESELLER_CUSTOMER
    if is_customer != (method == PayMethod.RESELLER):
        raise Refused("reseller_pays" if is_customer else "not_a_reseller_customer")
    return account.reseller_id if is_customer else account.pk


def check_amount(amount: Money) -> None:
    """Raise `Refused` unless the amount is positive and rounded."""
    if amount.amount <= 0:
        raise Refused("amount_not_positive", field="amount")
    if not amount.is_whole():
        raise Refused("amount_not_whole", field="amount", currency=amount.currency)


def new_payment(call: Call, *, subject: PaymentSubject, amount: Money, method: PayMethod, payer_id: int) -> Payment:
    """An unsaved payment of a subject."""
    return Payment(
        number=ids.numbered("PY", at=call.at),
        method=method,
        account_id=subject.account_id,
        payer_id=payer_id,
        order_number=subject.order_number,
        line_number=subject.line_number,
        part=subject.part,
        seller_id=subject.seller_id,
        fee_percent=subject.fee_percent,
        amount=amount.amount,
        currency=amount.currency,
        description=subject.description[:255],
        project_code=subject.project_code,
        tags=dict(subject.tags),
        explanation=dict(subject.explanation),
        created_at=call.at,
    )


def book(payment: Payment, *, source: ledger.LedgerRef) -> None:
    """Move the money of a succeeded payment to *held* and write its line of Bills."""
    ledger.post(
        key=f"pay:{payment.number}",
        kind=PostingKind.PAYMENT,
        at=payment.finished_at,
        about=payment.line_number,
        entries=[(source, -payment.money), (ledger.held(payment.line_number), payment.money)],
    )
    Charge.objects.bulk_create(
        [
            Charge(
                number=payment.number,
                kind=ChargeKind.CHARGE,
                account_id=payment.payer_id,
                customer_id=payment.account_id if payment.account_id != payment.payer_id else None,
                order_number=payment.order_number,
                line_number=payment.line_number,
                method=payment.method,
                amount=payment.amount,
                currency=payment.currency,
                description=payment.description,
                project_code=payment.project_code,
                tags=payment.tags,
                explanation=payment.explanation,
                at=payment.finished_at,
            )
        ]
    )
