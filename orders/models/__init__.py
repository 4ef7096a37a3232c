"""Rows of what was bought."""

from orders.models.calendar_feed import CalendarFeed
from orders.models.event import OrderEvent
from orders.models.interface_call import InterfaceAttempt, InterfaceCall, UsageRecord
from orders.models.line import OrderLine
from orders.models.nonce import UsedNonce
from orders.models.order import Order
from orders.models.renewal import AutoRenewal, RenewalChange
from orders.models.resource import Resource, ResourceTerm

__all__ = [
    "AutoRenewal",
    "CalendarFeed",
    "InterfaceAttempt",
    "InterfaceCall",
    "Order",
    "OrderEvent",
    "OrderLine",
    "RenewalChange",
    "Resource",
    "ResourceTerm",
    "UsageRecord",
    "UsedNonce",
]
