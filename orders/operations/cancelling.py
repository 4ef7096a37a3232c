"""The ends of an order without delivery: by the buyer, by the clock, because delivery failed."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext_lazy

from audit.recording import system_traces
from billing.operations import milestones, refunding
from billing.rules.discounts import DiscountSource
from catalog.operations import offer_uses, stock
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify, notify_many
from orders.events import OrderCanceled
from orders.models import Order, OrderLine
from orders.operations.moving import move, tell
from orders.queries.orders import order_locked, own_order_locked
from orders.states import ORDER_MOVES, CancelReason, OrderState, OrderStep


@operation(
    "cancelOrder",
    resource_type="Order",
    action="marketplace:order:create",
    roles={Role.BUYER},
    targets={"order": own_order_locked},
    once=True,
    default_allowed=True,
)
def cancel_order(call: Call, *, order: Order) -> Order:
    """Cancel an unpaid order of one's own. Raises `Refused("order_not_cancelable")`."""
    if not order.is_payable(call.at):
        raise Refused("order_not_cancelable", state=order.shown_state(call.at).label)
    cancel(call, order, reason=CancelReason.BUYER, at=call.at)
    return order


@operation(
    "cancelUndeliverableOrder",
    resource_type="Order",
    roles={Role.SYSTEM, Role.OPERATOR},
    targets={"order": order_locked},
)
def cancel_undeliverable(call: Call, *, order: Order, reason: str) -> Order:
    """Cancel a Processing order whose delivery failed for good and refund what was paid, once.

    `reason` is the sentence that tells the buyer what failed. An order that is Canceled already is left as it is.
    Raises `Refused("state_move")` for a Completed one, `Refused("order_supervised")` where a service flow decides.
    """
    if order.state == OrderState.CANCELED:
        return order
    if order.line.supervised:
        raise Refused("order_supervised")
    cancel(call, order, reason=CancelReason.UNDELIVERABLE, at=call.at, note=reason)
    refunded = False
    for line in order.lines.all():
        if line.amount:
            refunding.refund(
                call,
                order_number=order.number,
                line_number=line.number,
                amount=line.total,
                reason=CancelReason.UNDELIVERABLE.value,
                key=f"undeliverable:{line.number}",
            )
            refunded = True
    if refunded:
        tell(order, OrderStep.REFUNDED, at=call.at, note=str(order.total))
    notify(
        account_id=order.account_id,
        kind="order_undeliverable",
        params={
            "order": order.number,
            "product": order.product_name,
            "reason": gettext_lazy(reason),
            "amount": order.total,
            "hours": order.policies["refund.sla_hours"],
            "contact": order.seller.email,
        },
        link=order.get_absolute_url(),
        key=f"order-undeliverable:{order.number}",
        at=call.at,
        user_ids=[order.user_id] if order.user_id else [],
        sms=True,
    )
    return order


def cancel(
    call: Call, order: Order, *, reason: CancelReason, at: datetime, note: str = "", delivered: bool = False
) -> None:
    """Cancel a locked order and give back what it had taken: stock, a trial, its place within a limit.

    Stock and a private offer stay used once a part of the order was `delivered` (purchase.md).
    """
    ORDER_MOVES.check(order.state_enum, OrderState.CANCELED)
    _give_offer_back(call, order, delivered=delivered)
    if order.product.stock is not None and not delivered:
        stock.give_back(call, order_number=order.number)
    move(order, OrderState.CANCELED, canceled_at=at, cancel_reason=reason, cancel_note=note)
    OrderLine.objects.filter(order=order, once_key__isnull=False).update(once_key=None)
    describe(reason=reason.value, state=order.state)
    events.publish(OrderCanceled(order=order, reason=reason, at=at))


def _give_offer_back(call: Call, order: Order, *, delivered: bool = False) -> None:
    """Free the private offer that an order took unless it was `delivered`; its milestones are billed no more."""
    if order.line.discount_source == DiscountSource.OFFER and not delivered:
        offer_uses.free(call, order_number=order.number)
    if order.line.milestones:
        milestones.lapse(call, line_number=order.line.number)


@operation("expireOrder", resource_type="Order", roles={Role.SYSTEM})
def expire_order(call: Call, *, order: Order) -> Order:
    """Cancel an order that was not paid in time; the sweep does so set-wise, under this name."""
    cancel(call, order, reason=CancelReason.UNPAID, at=order.payment_due_at or call.at)
    return order


def expire_overdue(*, product_id: int, upto: datetime) -> None:
    """Cancel a product's unpaid orders whose window has passed, ahead of the sweep; those it works on are left to it.

    Called inside an operation (R19).
    """
    overdue = (
        Order.objects.select_for_update(skip_locked=True)
        .filter(product_id=product_id, state=OrderState.PENDING_PAYMENT, payment_due_at__lte=upto)
        .order_by("payment_due_at", "pk")
    )
    if found := list(overdue.values_list("pk", flat=True)):
        expire_unpaid(found, upto)


def expire_unpaid(order_ids: list[int], upto: datetime) -> None:
    """Cancel claimed unpaid orders whose window has passed, dated at its end; traces, stock and messages with it."""
    orders = list(
        Order.objects.filter(pk__in=order_ids, state=OrderState.PENDING_PAYMENT)
        .select_related("product")
        .order_by("pk")
    )
    Order.objects.filter(pk__in=[order.pk for order in orders]).update(
        state=OrderState.CANCELED, canceled_at=F("payment_due_at"), cancel_reason=CancelReason.UNPAID
    )
    OrderLine.objects.filter(order__in=orders, once_key__isnull=False).update(once_key=None)
    call = system_call(at=upto)
    with_offer = OrderLine.objects.filter(order__in=orders, discount_source=DiscountSource.OFFER).select_related(
        "order"
    )
    for line in with_offer.order_by("discount_reference", "pk"):
        line.order.line = line
        _give_offer_back(call, line.order)
    for order in sorted(orders, key=lambda each: each.product_id):
        if order.product.stock is not None:
            stock.give_back(call, order_number=order.number)
    system_traces(
        "expireOrder",
        rows=[
            (
                order.account_id,
                order.number,
                order.product_name,
                order.payment_due_at or upto,
                {"order": order.number},
                {"reason": CancelReason.UNPAID.value},
            )
            for order in orders
        ],
    )
    notify_many(
        [
            Notice(
                account_id=order.account_id,
                kind="order_expired",
                params={"order": order.number, "product": order.product_name, "amount": order.total},
                link=order.get_absolute_url(),
                key=f"order-expired:{order.number}",
                at=order.payment_due_at or upto,
                user_ids=[order.user_id] if order.user_id else [],
            )
            for order in orders
        ]
    )
    for order in orders:
        order.state = OrderState.CANCELED
        order.canceled_at, order.cancel_reason = order.payment_due_at, CancelReason.UNPAID
        events.publish(OrderCanceled(order=order, reason=CancelReason.UNPAID, at=order.payment_due_at or upto))
