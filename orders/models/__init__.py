"""Rows of what was bought."""

from orders.models.event import OrderEvent
from orders.models.line import OrderLine
from orders.models.order import Order

__all__ = ["Order", "OrderEvent", "OrderLine"]
