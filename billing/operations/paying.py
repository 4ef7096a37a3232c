"""Paying for an order line: at once from balance, credit or reseller, or by card in two phases.

By card: `start_card` is committed, `ask_gateway` runs outside any transaction with the payment's number as
idempotency key and keeps the answer on the payment, `finish_card` books it. A process that dies in between leaves a
Pending payment, which the sweep `card-payments` asks about again and books once. To ask again is to look up what became
of the charge; it is made anew only when there is none and the gateway still knows the key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from audit.recording import system_traces
from billing import gateways
from billing.models import Card, Charge, Payment
from billing.operations import ledger, milestones, statements
from billing.queries import is_credit_overdue
from billing.states import (
    PAID_FOR_ORDERS,
    PAYMENT_MOVES,
    ChargeKind,
    GatewayOutcome,
    PaymentPurpose,
    PaymentState,
    PayMethod,
    PostingKind,
)
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import Rating, describe, operation
from koogallery.kernel.outbox import backoff
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.operations import notify

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 12
KEY_LIFETIME = timedelta(hours=23)
"""How long after a payment was begun the gateway surely still knows its key (24 hours from the first use)."""
UNDER_WAY_LONGEST = timedelta(days=14)
UNDER_WAY = "under_way"
CLOSED = "closed_by_operations"
CLEAR = (GatewayOutcome.APPROVED, GatewayOutcome.DECLINED)


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
    product_code: str = ""
    description: str = ""
    description_zh: str = ""
    project_code: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    explanation: Mapping[str, Any] = field(default_factory=dict)


def pay(call: Call, *, subject: PaymentSubject, amount: Money, method: str) -> Payment:
    """Pay at once by `balance`, `credit` or `reseller`, inside the caller's operation: money moves to *held*.

    Raises `Refused`: `balance_too_low`, `credit_too_low`, `credit_overdue`, `already_paid`, `reseller_pays`,
    `account_frozen`. A refusal by the database breaks the transaction; wrap the call in `transaction.atomic()` to go
    on after it.
    """
    payer_id = check_payer(call, account_id=subject.account_id, method=method)
    if method == PayMethod.CREDIT and is_credit_overdue(payer_id, at=call.at):
        raise Refused("credit_overdue")
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
        account = identity.account(account_id)
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
        description_zh=subject.description_zh[:255],
        project_code=subject.project_code,
        tags=dict(subject.tags),
        explanation=dict(subject.explanation),
        created_at=call.at,
    )


def start_card(
    call: Call, *, subject: PaymentSubject, amount: Money, card: str, ask_at: datetime | None = None
) -> Payment:
    """Write a Pending payment by the card with that code, inside the caller's operation, which is to commit next.

    Who begins it asks the gateway then; without such, the sweep does at `ask_at`.

    Raises `Refused`: `card_unknown`, `already_paid` (or under way), `reseller_pays`, `account_frozen`.
    """
    payer_id = check_payer(call, account_id=subject.account_id, method=PayMethod.CARD)
    check_amount(amount)
    payment = new_payment(call, subject=subject, amount=amount, method=PayMethod.CARD, payer_id=payer_id)
    return save_pending(payment, card=card, ask_at=ask_at)


def save_pending(payment: Payment, *, card: str, ask_at: datetime | None = None) -> Payment:
    """Save a card payment as Pending; the sweep looks at it when nobody came back for it."""
    payment.card = Card.objects.filter(account_id=payment.payer_id, code=card, removed_at=None).first()
    if payment.card is None:
        raise Refused("card_unknown", field="method")
    payment.state, payment.next_try_at = PaymentState.PENDING, ask_at or payment.created_at + LEASE
    with ledger.refusing(one_live_payment_per_line="already_paid"):
        payment.save(force_insert=True)
    return payment


def ask_gateway(payment: Payment, *, at: datetime | None = None, only_look: bool = False) -> Payment:
    """Ask the card gateway, outside any transaction, and keep its answer on the payment; what the row says then.

    The first time the card is charged; later what became of that is looked up, and the card is charged only if the
    gateway knows of no charge, the payment is young and not `only_look`. Raises `RuntimeError` inside a transaction.
    """
    at = at or clock.now()
    with transaction.atomic(durable=True):
        payment = Payment.objects.select_related("card", "account").get(pk=payment.pk)
    if payment.state != PaymentState.PENDING or payment.outcome in CLEAR:
        return payment
    outcome, reference, failure, park = GatewayOutcome.UNKNOWN, "", "", False
    try:
        answer = _ask(payment, at=at, only_look=only_look)
        outcome = GatewayOutcome.APPROVED if answer.approved else GatewayOutcome.DECLINED
        reference, failure = answer.reference, answer.failure
    except (gateways.Unclear, LookupError) as unclear:
        reference = getattr(unclear, "reference", "")
        failure = UNDER_WAY if isinstance(unclear, gateways.UnderWay) else str(unclear)
        park = out_of_patience(unclear, attempts=payment.attempts + 1, waited=at - payment.created_at)
    call = system_call(at=at, account=payment.account)
    return record_answer(call, payment=payment.number, outcome=outcome, reference=reference, failure=failure, park=park)


def out_of_patience(unclear: Exception, *, attempts: int, waited: timedelta) -> bool:
    """Whether a person is to look instead of asking the gateway once more.

    What the gateway has under way may take days; what it does not answer, hours.
    """
    if isinstance(unclear, gateways.UnderWay):
        return waited >= UNDER_WAY_LONGEST
    return isinstance(unclear, gateways.Stuck) or attempts >= MAX_ATTEMPTS


def _ask(payment: Payment, *, at: datetime, only_look: bool) -> gateways.Answer:
    card = payment.card
    if card is None:
        raise ValueError(f"{payment.number} is no card payment.")
    gateway = gateways.gateway(card.gateway)
    asked_before = payment.attempts or payment.gateway_reference or at >= payment.created_at + LEASE
    if asked_before or only_look:
        found = gateway.find_charge(
            key=payment.number, reference=payment.gateway_reference, customer_token=card.customer_token
        )
        if found is not None:
            return found
    if only_look or at >= payment.created_at + KEY_LIFETIME:
        raise gateways.Stuck("no_charge_found")
    return gateway.charge(
        key=payment.number,
        token=card.token,
        customer_token=card.customer_token,
        amount=payment.money,
        description=payment.description,
    )


def payment_by_number(number: str) -> Payment:
    """The payment of that number as it is now. Raises `Missing`."""
    payment = Payment.objects.filter(number=number).first()
    if payment is None:
        raise Missing(f"No payment {number}.")
    return payment


def payment_locked(call: Call, number: str) -> Payment:
    """The payment of that number, locked. Raises `Missing`."""
    payment = Payment.objects.select_for_update(no_key=True).filter(number=number).first()
    if payment is None:
        raise Missing(f"No payment {number}.")
    return payment


@operation("recordGatewayAnswer", resource_type="Payment", roles={Role.SYSTEM}, targets={"payment": payment_locked})
def record_answer(
    call: Call, *, payment: Payment, outcome: str, reference: str, failure: str, park: bool = False
) -> Payment:
    """Keep what the gateway said about a Pending payment, or park it for operations; a clear answer is never replaced.

    Money that was taken for a payment which operations closed in the meantime goes to the payer's balance.
    """
    if payment.state == PaymentState.FAILED and payment.failure == CLOSED and outcome == GatewayOutcome.APPROVED:
        return _book_late(call, payment, reference=reference)
    if payment.state != PaymentState.PENDING or payment.outcome in CLEAR:
        return payment
    payment.attempts += 1
    payment.outcome, payment.failure = outcome, failure[:64]
    payment.gateway_reference = reference[:120] or payment.gateway_reference
    payment.next_try_at = call.at + LEASE
    if outcome == GatewayOutcome.UNKNOWN:
        payment.next_try_at = call.at + max(LEASE, backoff(payment.attempts))
        if park:
            payment.next_try_at, payment.parked_at = None, call.at
    payment.save(update_fields=["attempts", "outcome", "gateway_reference", "failure", "next_try_at", "parked_at"])
    describe(outcome=outcome, failure=failure, attempts=payment.attempts)
    return payment


def _book_late(call: Call, payment: Payment, *, reference: str) -> Payment:
    """The closed payment stays Failed, for its order may have been paid otherwise; the money is topped up."""
    payment.failure, payment.outcome = "approved_after_closing", GatewayOutcome.APPROVED
    payment.gateway_reference = reference[:120]
    payment.save(update_fields=["failure", "outcome", "gateway_reference"])
    arrived = Payment.objects.create(
        number=ids.numbered("PY", at=call.at),
        purpose=PaymentPurpose.TOP_UP,
        method=PayMethod.CARD,
        state=PaymentState.SUCCEEDED,
        account_id=payment.payer_id,
        payer_id=payment.payer_id,
        amount=payment.amount,
        currency=payment.currency,
        description=payment.description,
        note=payment.number,
        card=payment.card,
        outcome=GatewayOutcome.APPROVED,
        gateway_reference=reference[:120],
        created_at=call.at,
        finished_at=call.at,
    )
    book(arrived, source=ledger.card_clearing())
    describe(outcome=payment.outcome, failure=payment.failure, topped_up=arrived.number)
    row = (payment.payer_id, *payment.trace_ref(), call.at, {"payment": payment.number}, {"topped_up": arrived.number})
    system_traces("recordGatewayAnswer", rows=[row], rating=Rating.INCIDENT)
    logger.error("charge_approved_after_closing", extra={"payment": payment.number, "topped_up": arrived.number})
    notify(
        account_id=payment.payer_id,
        kind="balance_increased",
        params={"amount": payment.money, "note": payment.number},
        link="/console/billing/",
        key=f"balance-increased:{arrived.number}",
        at=call.at,
    )
    return payment


def finish_card(call: Call, payment: Payment) -> Payment:
    """Book what the gateway answered, inside the caller's operation; the locked row, which is idempotent to repeat.

    Succeeded: the money is *held* (or topped up, or repaid). Failed: nothing moved, `failure` says why. Pending: there
    is no clear answer yet, the sweep goes on asking.
    """
    payment = payment_locked(call, payment.number)
    if payment.state != PaymentState.PENDING or payment.outcome not in CLEAR:
        return payment
    approved = payment.outcome == GatewayOutcome.APPROVED
    target = PaymentState.SUCCEEDED if approved else PaymentState.FAILED
    PAYMENT_MOVES.check(payment.state_enum, target)
    payment.state, payment.finished_at, payment.next_try_at, payment.parked_at = target, call.at, None, None
    payment.save(update_fields=["state", "finished_at", "next_try_at", "parked_at"])
    if approved:
        book(payment, source=ledger.card_clearing())
    return payment


def book(payment: Payment, *, source: ledger.LedgerRef) -> None:
    """Move the money of a succeeded payment to where its purpose says; for an order, also write its line of Bills.

    A repayment beyond what is owed by then goes to the balance; a milestone's bill is Repaid.
    """
    money, at = payment.money, payment.finished_at or payment.created_at
    kind, targets = PostingKind.PAYMENT, [(ledger.held(payment.held_for), money)]
    if payment.purpose == PaymentPurpose.TOP_UP:
        kind, targets = PostingKind.TOP_UP, [(ledger.cash(payment.payer_id), money)]
    elif payment.purpose == PaymentPurpose.REPAYMENT:
        lowered = statements.lower(account_id=payment.payer_id, amount=money, at=at)
        parts = [(ledger.platform_credit(payment.payer_id), lowered), (ledger.cash(payment.payer_id), money - lowered)]
        kind, targets = PostingKind.REPAYMENT, [(ref, part) for ref, part in parts if part]
    ledger.post(
        key=f"pay:{payment.number}",
        kind=kind,
        at=at,
        about=payment.line_number or payment.number,
        entries=[(source, -money), *targets],
    )
    if payment.purpose not in PAID_FOR_ORDERS:
        return
    if payment.purpose == PaymentPurpose.BILL:
        milestones.settle(payment)
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
                description_zh=payment.description_zh,
                project_code=payment.project_code,
                tags=payment.tags,
                at=at,
            )
        ]
    )
