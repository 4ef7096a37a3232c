"""What orders tells the rooms above and its own delivery, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from koogallery.kernel.events import event
from orders.models import Order, Resource
from orders.states import CancelReason, CloseReason


@event
@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """An order exists; its limits and stock are taken."""

    order: Order
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order left Pending payment: paid, or nothing was due."""

    order: Order
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class OrderPaymentFailed:
    """The card refused an order's payment; the order still waits."""

    order: Order
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """An order ended well; its money is earned."""

    order: Order
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """An order ended without delivery; what it had taken is given back."""

    order: Order
    reason: CancelReason
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class ResourceReady:
    """A resource can be used."""

    resource: Resource
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class ResourceRenewed:
    """A resource has a further term."""

    resource: Resource
    order: Order
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class ResourceClosed:
    """A resource ended."""

    resource: Resource
    reason: CloseReason
    at: datetime
