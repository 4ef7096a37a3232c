"""The sweeps that bring card payments and card refunds to their end when the process that began them did not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import models, transaction
from django.urls import reverse

from billing import gateways
from billing.events import CardPaymentSettled, CardPaymentSettling, RefundSettled
from billing.models import Payment, RefundPart
from billing.operations import ledger, milestones, paying
from billing.states import (
    REFUND_MOVES,
    GatewayOutcome,
    PaymentPurpose,
    PaymentState,
    PostingKind,
    RefundDestination,
    RefundState,
)
from koogallery.kernel import events, guard
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.outbox import backoff
from koogallery.kernel.reasons import Missing
from koogallery.notifications.operations import notify

logger = logging.getLogger(__name__)


def next_payment() -> datetime | None:
    """When the next Pending card payment is to be looked at."""
    return Payment.objects.filter(next_try_at__isnull=False).aggregate(due=models.Min("next_try_at"))["due"]


def settle_payments(upto: datetime) -> int:
    """Ask about every Pending card payment that is due, book the answers and tell the rooms above; how many."""
    return _each(Payment, upto, _settle_payment)


def _settle_payment(payment: Payment, upto: datetime) -> None:
    payment = paying.ask_gateway(payment, at=upto)
    settle_payment(system_call(at=upto), payment=payment.number)


def payment_in_turn(call: Call, number: str) -> Payment:
    """The payment, locked after the order it is for; one that has ended is not locked. Raises `Missing`."""
    payment = paying.payment_by_number(number)
    if payment.state != PaymentState.PENDING:
        return payment
    if payment.purpose == PaymentPurpose.ORDER:
        events.publish(CardPaymentSettling(order_number=payment.order_number))
    elif payment.purpose == PaymentPurpose.BILL:
        milestones.lock_for(payment)
    return paying.payment_locked(call, number)


@operation(
    "settleCardPayment",
    resource_type="Payment",
    roles={Role.SYSTEM, Role.OPERATOR},
    targets={"payment": payment_in_turn},
)
def settle_payment(call: Call, *, payment: Payment) -> Payment:
    """Book a card payment's outcome and publish `CardPaymentSettled`; without a clear answer nothing happens."""
    if payment.state != PaymentState.PENDING:
        untraced()
        return payment
    settled = paying.finish_card(call, payment)
    if settled.state == PaymentState.PENDING:
        untraced()
        return settled
    describe(state=settled.state, amount=settled.money, failure=settled.failure)
    if settled.purpose == PaymentPurpose.ORDER:
        events.publish(
            CardPaymentSettled(
                payment_number=settled.number,
                order_number=settled.order_number,
                line_number=settled.line_number,
                succeeded=settled.state == PaymentState.SUCCEEDED,
                at=call.at,
            )
        )
    return settled


def next_refund() -> datetime | None:
    """When the next refund to a card is to be tried."""
    return RefundPart.objects.filter(next_try_at__isnull=False).aggregate(due=models.Min("next_try_at"))["due"]


def settle_refunds(upto: datetime) -> int:
    """Try every refund to a card that is due and book the answers; how many."""
    return _each(RefundPart, upto, _settle_refund)


def _settle_refund(part: RefundPart, upto: datetime) -> None:
    with transaction.atomic(durable=True):
        part = RefundPart.objects.select_related("refund__account", "payment__card").get(pk=part.pk)
    card, outcome, reference, park = part.payment.card, GatewayOutcome(part.outcome), "", False
    if card is not None and outcome not in paying.CLEAR:
        try:
            answer = _ask_for_refund(part, gateways.gateway(card.gateway))
            outcome = GatewayOutcome.APPROVED if answer.approved else GatewayOutcome.DECLINED
            reference = answer.reference
        except (gateways.Unclear, LookupError) as unclear:
            outcome, reference = GatewayOutcome.UNKNOWN, getattr(unclear, "reference", "")
            park = paying.out_of_patience(unclear, attempts=part.attempts + 1, waited=upto - part.refund.at)
    call = system_call(at=upto, account=part.refund.account)
    settle_refund(call, part=part.pk, outcome=outcome, reference=reference, park=park)


def _ask_for_refund(part: RefundPart, gateway: gateways.CardGateway) -> gateways.Answer:
    """What became of a refund; it is made only when the gateway has none of this key."""
    payment, key = part.payment, f"{part.refund.number}-{part.pk}"
    found = gateway.find_refund(key=key, charge_reference=payment.gateway_reference, reference=part.gateway_reference)
    return found or gateway.refund(key=key, reference=payment.gateway_reference, amount=part.money)


def _part_locked(call: Call, key: int) -> RefundPart:
    part = (
        RefundPart.objects.select_for_update(no_key=True, of=("self",))
        .select_related("refund", "payment")
        .filter(pk=key)
    )
    if (found := part.first()) is None:
        raise Missing("No such part of a refund.")
    return found


@operation("settleCardRefund", resource_type="Refund", roles={Role.SYSTEM}, targets={"part": _part_locked})
def settle_refund(call: Call, *, part: RefundPart, outcome: str, reference: str, park: bool = False) -> RefundPart:
    """Book the gateway's answer to a refund: to the card, or, when it refuses, to the account's balance.

    Without a final answer the gateway is asked again later, or operations are to look (`park`).
    """
    describe(resource=part.refund, outcome=outcome, amount=part.money)
    if part.state != RefundState.PENDING:
        untraced()
        return part
    part.attempts += 1
    part.outcome, part.gateway_reference = outcome, reference[:120] or part.gateway_reference
    if outcome == GatewayOutcome.UNKNOWN:
        part.next_try_at = call.at + max(paying.LEASE, backoff(part.attempts))
        if park:
            part.next_try_at, part.parked_at = None, call.at
    else:
        approved = outcome == GatewayOutcome.APPROVED
        REFUND_MOVES.check(part.state_enum, RefundState.DONE)
        part.state, part.finished_at, part.next_try_at = RefundState.DONE, call.at, None
        if not approved:
            part.destination = RefundDestination.BALANCE
        ledger.post(
            key=f"card-refund:{part.refund.number}:{part.pk}",
            kind=PostingKind.CARD_REFUND,
            at=call.at,
            about=part.refund.line_number,
            entries=[
                (ledger.refunds(), -part.money),
                (ledger.card_clearing() if approved else ledger.cash(part.payment.payer_id), part.money),
            ],
        )
        describe(destination=part.destination)
        if not approved:
            notify(
                account_id=part.payment.payer_id,
                kind="card_refund_refused",
                params={"amount": part.money, "order": part.refund.order_number},
                link=reverse("billing:overview"),
                key=f"card-refund-refused:{part.pk}",
                at=call.at,
            )
    part.save()
    if part.state == RefundState.DONE or part.parked_at is not None:
        events.publish(RefundSettled(refund_number=part.refund.number, key=part.refund.key, at=call.at))
    return part


def _each(model: type[Payment] | type[RefundPart], upto: datetime, settle: Callable[..., None]) -> int:
    """Claim one due row after the other, so that two workers never ask about the same, and settle it.

    A row that cannot be settled is tried again when its lease ends and holds up no other.
    """
    done = 0
    while (row := _claim(model, upto)) is not None:
        done += 1
        try:
            settle(row, upto)
        except Exception:
            logger.exception("card_not_settled", extra={"kind": model.__name__, "row": row.pk})
    return done


def _claim(model: type[Payment] | type[RefundPart], upto: datetime) -> Payment | RefundPart | None:
    with transaction.atomic(), guard.opened("sweep:cards"):
        row = (
            model.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(next_try_at__lte=upto)
            .order_by("next_try_at", "pk")
            .first()
        )
        if row is not None:
            model.objects.filter(pk=row.pk).update(next_try_at=upto + paying.LEASE)
        return row
