"""Orders given back: the UNSUBSCRIBE order with its negative lines, and the end of what it gives back.

Who agreed to it decides the room above; it books the refund between `place` and `complete`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.operations import earning, milestones
from koogallery.kernel import events, ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.events import OrderCompleted
from orders.models import Order, OrderLine, Resource
from orders.operations import resources
from orders.operations.moving import move, tell
from orders.queries.orders import order_locked
from orders.queries.resources import resource_locked
from orders.states import OrderState, OrderStep, OrderType

PARTIES = {Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SYSTEM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A line that is given back, what for, and how that came about."""

    line: OrderLine
    amount: Money
    explanation: Mapping[str, Any]


@operation("placeUnsubscription", resource_type="Order", roles=PARTIES, targets={"order": order_locked})
def place(call: Call, *, order: Order, reversals: Sequence[Reversal], user: Any = None) -> Order:
    """Write the UNSUBSCRIBE order of a locked order: Processing, a negative line for each line that is given back.

    `user` is who asked for it. A line is given back once: the database refuses a second time.
    """
    total = sum((reversal.amount.amount for reversal in reversals), Decimal(0))
    returned = Order.objects.create(
        number=ids.order_number(call.at),
        account_id=order.account_id,
        user=user,
        seller=order.seller,
        product=order.product,
        product_name=order.product_name,
        product_code=order.product_code,
        spec_text=order.spec_text,
        spec_text_zh=order.spec_text_zh,
        type=OrderType.UNSUBSCRIBE,
        state=OrderState.PROCESSING,
        amount=-total,
        list_amount=-total,
        currency=order.currency,
        reseller_id=order.reseller_id,
        policy=order.policy,
        project_code=order.project_code,
        tags=order.tags,
        placed_at=call.at,
        paid_at=call.at,
    )
    lines = [_line(returned, number, reversal) for number, reversal in enumerate(reversals, 1)]
    OrderLine.objects.bulk_create(lines)
    returned.line = lines[0]
    describe(resource=returned, order=order.number, amount=returned.total)
    return returned


def _line(order: Order, number: int, reversal: Reversal) -> OrderLine:
    line = reversal.line
    return OrderLine(
        order=order,
        number=f"{order.number}-{number:06d}",
        product_id=line.product_id,
        product_code=line.product_code,
        product_name=line.product_name,
        specification_code=line.specification_code,
        sku_code=line.sku_code,
        spec_text=line.spec_text,
        delivery_method=line.delivery_method,
        supervised=line.supervised,
        billing_mode=line.billing_mode,
        quantity=line.quantity,
        items=line.items,
        term_unit=line.term_unit,
        term_count=line.term_count,
        configuration=line.configuration,
        list_amount=-reversal.amount.amount,
        discount_share=line.discount_share,
        amount=-reversal.amount.amount,
        currency=line.currency,
        explanation=dict(reversal.explanation),
        fee_percent=line.fee_percent,
        reverses=line,
    )


@operation("completeReturnedOrder", resource_type="Order", roles=PARTIES, targets={"order": order_locked})
def complete(call: Call, *, order: Order) -> Order:
    """Complete a locked order that is given back, marked *Unsubscribed*: what was not refunded is the seller's.

    One that was Completed before is only marked. Raises `Refused("state_move")` from any other state.
    """
    if order.unsubscribed_at is not None:
        raise Refused("unsub_done")
    if order.state == OrderState.COMPLETED:
        order.unsubscribed_at = call.at
        order.save(update_fields=["unsubscribed_at"])
        return order
    move(order, OrderState.COMPLETED, completed_at=call.at, unsubscribed_at=call.at)
    for line in order.lines.all():
        if line.amount:
            earning.earn(call, line_number=line.number, key=f"earn:{line.number}")
        if line.milestones:
            milestones.finish({line.number: call.at})
    describe(state=order.state)
    events.publish(OrderCompleted(order=order, at=call.at))
    return order


@operation("closeReturnedResource", resource_type="Resource", roles=PARTIES, targets={"resource": resource_locked})
def close(call: Call, *, resource: Resource, order: Order, delivered: bool) -> Resource:
    """Close the resource of an order that the UNSUBSCRIBE `order` gives back; its instance is released.

    Without an instance the seller is asked to end the service, if it was `delivered`. A closed one stays as it is.
    """
    resources.close_given_back(call, resource, by=order, delivered=delivered)
    return resource


def keep_agreement(line: OrderLine, *, way: str) -> None:
    """Keep with a line what a special agreement says of giving it back, so that its pages need not ask; empty: none.

    Called inside the operation that makes or ends the agreement.
    """
    OrderLine.objects.filter(pk=line.pk).update(agreed_way=way)


@operation("completeUnsubscription", resource_type="Order", roles=PARTIES, targets={"order": order_locked})
def finish(call: Call, *, order: Order, refunded: Mapping[str, Money]) -> Order:
    """Complete an UNSUBSCRIBE order: what it refunds is back, which the orders that it reverses tell."""
    move(order, OrderState.COMPLETED, completed_at=call.at)
    describe(state=order.state)
    for line in order.lines.select_related("reverses__order"):
        if line.number in refunded and line.reverses is not None:
            tell(line.reverses.order, OrderStep.REFUNDED, at=call.at, note=str(refunded[line.number]))
    return order
