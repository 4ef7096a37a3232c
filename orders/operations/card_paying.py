"""Paying an order by card, in two phases and safe against a crash between them.

`start_card_payment` commits the intent. `billing` asks the gateway outside of any transaction, under the payment's
number, so that asking again charges nothing twice. `confirm_card_payment` books the outcome. When the process dies in
between, billing's sweep asks again and its event ends in the same booking. Once the gateway was asked nobody's rights
are asked again. Locks are taken order first, then payment, as by all who hold an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.events import CardPaymentSettled, CardPaymentSettling
from billing.operations import paying as billing
from billing.operations import refunding
from billing.states import PaymentState
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import notify
from orders.events import OrderPaymentFailed
from orders.models import Order
from orders.operations import cancelling, taking_effect
from orders.operations.moving import actor_of, tell
from orders.operations.paying import check_payable, go_on, subject_of
from orders.queries.orders import order_locked, own_order_locked
from orders.states import CancelReason, OrderStep, PaidBy

if TYPE_CHECKING:
    from billing.models import Payment


def pay_by_card(call: Call, *, order_number: str, card: str) -> Payment:
    """Pay an order with the card of that code: Succeeded, Failed, or Pending while the gateway has not answered.

    Call it outside of any transaction. Raises `Refused` as `start_card_payment` does.
    """
    payment = start_card_payment(call, order=order_number, card=card)
    billing.ask_gateway(payment, at=call.at)
    concluding = system_call(at=call.at, account=call.account, on_behalf_of=actor_of(call), request_id=call.request_id)
    return confirm_card_payment(concluding, payment=payment.number)


@operation(
    "startCardPayment",
    resource_type="Order",
    action="marketplace:order:create",
    roles={Role.BUYER},
    targets={"order": own_order_locked},
    once=True,
    default_allowed=True,
)
def start_card_payment(call: Call, *, order: Order, card: str) -> Payment:
    """Write down that an order is being paid by card; the gateway is asked once this has committed.

    Raises `Refused` like `pay_order`, and `card_unknown`.
    """
    check_payable(order, call)
    if order.line.milestones:
        raise Refused("milestone_pays_monthly", field="method")
    payment = billing.start_card(call, subject=subject_of(order), amount=order.total, card=card)
    tell(order, OrderStep.PAYMENT_STARTED, at=call.at, actor=actor_of(call), note=str(payment.card))
    describe(payment=payment.number, amount=order.total)
    return payment


@operation("confirmCardPayment", resource_type="Order", action="marketplace:order:create", roles={Role.SYSTEM})
def confirm_card_payment(call: Call, *, payment: str) -> Payment:
    """Book what the gateway answered and go on with the order; repeating it changes nothing. Raises `Missing`."""
    found = billing.payment_by_number(payment)
    if found.state != PaymentState.PENDING:
        describe(resource_id=found.order_number, payment=payment, outcome=found.state)
        return found
    order = order_locked(call, found.order_number)
    describe(resource=order, payment=payment)
    found = billing.payment_locked(call, payment)
    if found.state != PaymentState.PENDING:
        return found
    settled = billing.finish_card(call, found)
    describe(outcome=settled.state)
    _conclude(call, order, settled)
    return settled


def start_automatic(call: Call, order: Order, *, card: str) -> Payment:
    """Write down that a locked order is charged to a card by the platform; the sweep of cards asks the gateway at once.

    Raises `Refused` as billing does.
    """
    payment = billing.start_card(call, subject=subject_of(order), amount=order.total, card=card, ask_at=call.at)
    tell(order, OrderStep.PAYMENT_STARTED, at=call.at, note=str(payment.card))
    return payment


def on_card_settling(happening: CardPaymentSettling) -> None:
    """Lock the order of a card payment that billing's sweep is about to lock."""
    list(Order.objects.select_for_update().filter(number=happening.order_number).values_list("pk"))


def on_card_settled(happened: CardPaymentSettled) -> None:
    """Go on with the order of a card payment that billing's sweep has booked."""
    call = system_call(at=happened.at)
    order = order_locked(call, happened.order_number)
    _conclude(call, order, billing.payment_locked(call, happened.payment_number))


def _conclude(call: Call, order: Order, payment: Payment) -> None:
    if payment.state == PaymentState.FAILED:
        tell(order, OrderStep.PAYMENT_FAILED, at=call.at, note=str(payment.card))
        events.publish(OrderPaymentFailed(order=order, at=call.at))
    elif payment.state == PaymentState.SUCCEEDED and order.is_payable(call.at):
        if taking_effect.why_outlived(order, at=call.at) is None:
            go_on(call, order, paid_by=PaidBy.CARD)
            return
        cancelling.cancel(call, order, reason=CancelReason.RESOURCE, at=call.at)
        refund_late_payment(call, order=order, payment=payment.number)
    elif payment.state == PaymentState.SUCCEEDED:
        refund_late_payment(call, order=order, payment=payment.number)


@operation(
    "refundLatePayment", resource_type="Order", roles={Role.SYSTEM, Role.OPERATOR}, targets={"order": order_locked}
)
def refund_late_payment(call: Call, *, order: Order, payment: str) -> Order:
    """Refund money that arrived for an order that can no longer be paid (purchase.md)."""
    refunding.refund_all(call, order_number=order.number, reason="late_payment", key=f"late:{payment}")
    tell(order, OrderStep.REFUNDED, at=call.at, note=str(order.total))
    notify(
        account_id=order.account_id,
        kind="order_paid_too_late",
        params={
            "order": order.number,
            "product": order.product_name,
            "amount": order.total,
            "hours": order.policies["refund.sla_hours"],
        },
        link=order.get_absolute_url(),
        key=f"late-payment:{payment}",
        at=call.at,
        user_ids=[order.user_id] if order.user_id else [],
    )
    return order
