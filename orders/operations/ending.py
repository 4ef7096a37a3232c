"""The end of a supervised order without delivery, by a decision of operations."""

from __future__ import annotations

from billing.operations import refunding
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import operation
from orders.models import Order, Resource
from orders.operations import cancelling, resources
from orders.operations.moving import tell
from orders.queries.orders import order_locked
from orders.states import CancelReason, OrderStep


@operation(
    "cancelByDecision", resource_type="Order", roles={Role.OPERATOR, Role.SYSTEM}, targets={"order": order_locked}
)
def cancel_by_decision(call: Call, *, order: Order, reason: str, delivered: bool) -> Order:
    """Cancel a supervised order that operations decided against: all that was paid is refunded, nothing is delivered.

    `reason` is the number of the decision, `delivered` says whether the seller had delivered a part of it. Raises
    `Refused("state_move")` unless the order is Processing.
    """
    cancelling.cancel(call, order, reason=CancelReason.OPERATIONS, at=call.at, delivered=delivered)
    given = refunding.refund_all(call, order_number=order.number, reason=reason, key=f"decision:{reason}")
    if given:
        total = sum((each.money for each in given), Money.zero(order.currency))
        tell(order, OrderStep.REFUNDED, at=call.at, note=str(total))
    for resource in Resource.objects.filter(line__order=order).values_list("number", flat=True):
        resources.close_undelivered(call, resource=resource)
    return order
