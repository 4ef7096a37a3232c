"""Reads of orders that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel import policies
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.prepared import Question
from orders.models import InterfaceCall, Order, Resource
from orders.queries import delivered, interface, orders, renewals, returns

UNPAID = "unpaid"


@operation(
    "queryOrderList",
    resource_type="Order",
    action="marketplace:order:view",
    roles={Role.BUYER, Role.SELLER},
    read=True,
    default_allowed=True,
)
def query_order_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[Order] | Question[Order]:
    """List the orders of the account, or in the Seller Console those placed with the seller."""
    if call.role is Role.SELLER:
        return delivered.with_completion(orders.orders_of_seller(call.account_id), at=call.at, by="order")
    given = {"account": call.account_id or orders.NOBODY, "at": call.at}
    if (filters or {}).get("tab") == UNPAID:
        return Question(orders.listed_unpaid_orders_given, given, counted=orders.unpaid_orders_given)
    return Question(returns.listed_orders_given, given, counted=orders.orders_given)


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


@operation(
    "queryRenewalList",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_renewal_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> Question[Resource]:
    """List what the account can come to renew, by hand or by itself."""
    return renewals.asked_for(call.account_id, at=call.at, in_force=policies.in_force(call.at))


@operation(
    "queryInterfaceCallList",
    resource_type="InterfaceCall",
    action="marketplace:interfaceCall:view",
    roles={Role.SELLER},
    read=True,
)
def query_interface_call_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[InterfaceCall]:
    """List the calls to the seller's servers."""
    return interface.calls_of_seller(call.account_id)


@operation(
    "queryInterfaceCallDetail",
    resource_type="InterfaceCall",
    action="marketplace:interfaceCall:view",
    roles={Role.SELLER},
    targets={"interface_call": interface.sellers_call},
    read=True,
)
def query_interface_call_detail(call: Call, *, interface_call: InterfaceCall) -> InterfaceCall:
    """Show one call to the seller's server with its tries."""
    describe(state=interface_call.state)
    return interface_call
