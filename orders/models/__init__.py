"""Rows of what was bought."""

from orders.models.event import OrderEvent
from orders.models.interface_call import InterfaceAttempt, InterfaceCall, UsageRecord
from orders.models.line import OrderLine
from orders.models.nonce import UsedNonce
from orders.models.order import Order
from orders.models.resource import Resource, ResourceTerm

__all__ = [
    "InterfaceAttempt",
    "InterfaceCall",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Resource",
    "ResourceTerm",
    "UsageRecord",
    "UsedNonce",
]
