"""Reads of orders that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from orders.models import Order
from orders.queries import orders


@operation(
    "queryOrderList",
    resource_type="Order",
    action="marketplace:order:view",
    roles={Role.BUYER, Role.SELLER},
    read=True,
    default_allowed=True,
)
def query_order_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[Order]:
    """List the orders of the account, or in the Seller Console those placed with the seller."""
    if call.role is Role.SELLER:
        return orders.orders_of_seller(call.account_id)
    return orders.with_project_names(orders.orders_of(call.account_id))


def _detailed(call: Call, number: Any) -> Order:
    return orders.detailed_order(call, number)


@operation(
    "queryOrderDetail",
    resource_type="Order",
    action="marketplace:order:view",
    roles={Role.BUYER, Role.SELLER},
    targets={"order": _detailed},
    read=True,
    default_allowed=True,
)
def query_order_detail(call: Call, *, order: Order) -> Order:
    """Show one order, to its buyer or its seller."""
    describe(state=order.state)
    return order
