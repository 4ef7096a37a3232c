"""The good end of an order: delivered, its money earned."""

from __future__ import annotations

from billing.operations import earning, milestones
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.notifications.operations import notify
from orders.events import OrderCompleted
from orders.models import Order, OrderLine
from orders.operations.moving import move
from orders.queries.orders import order_locked
from orders.states import OrderState, OrderType


@operation(
    "completeOrder",
    resource_type="Order",
    roles={Role.SYSTEM},
    targets={"order": order_locked},
)
def complete(call: Call, *, order: Order) -> Order:
    """Complete a Processing order: what is held for it becomes earned by the seller.

    A renewal lets go of its key: from now on its term says that there is no second one.
    Raises `Refused("state_move")` from any other state.
    """
    move(order, OrderState.COMPLETED, completed_at=call.at)
    if order.type == OrderType.RENEW:
        OrderLine.objects.filter(order=order, once_key__isnull=False).update(once_key=None)
    for line in order.lines.all():
        if line.amount:
            earning.earn(call, line_number=line.number, key=f"earn:{line.number}")
        if line.milestones:
            milestones.finish({line.number: call.at})
    notify(
        account_id=order.account_id,
        kind="order_completed",
        params={"order": order.number, "product": order.product_name},
        link=order.get_absolute_url(),
        key=f"order-completed:{order.number}",
        at=call.at,
        user_ids=[order.user_id] if order.user_id else [],
        mail=False,
    )
    events.publish(OrderCompleted(order=order, at=call.at))
    return order
