"""What billing publishes upwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from koogallery.kernel.events import event


@event
@dataclass(frozen=True, slots=True, kw_only=True)
class CardPaymentSettling:
    """A card payment of an order is about to be locked and booked: lock the order now, orders come before payments."""

    order_number: str


@event
@dataclass(frozen=True, slots=True, kw_only=True)
class CardPaymentSettled:
    """The sweep has booked the outcome of a card payment whose buyer's process did not come back for it."""

    payment_number: str
    order_number: str
    line_number: str
    succeeded: bool
    at: datetime


@event
@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSettled:
    """A part of a refund arrived where it goes, or was parked; `key` is what made the refund one."""

    refund_number: str
    key: str
    at: datetime


@event
@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRepaid:
    """The bill of a milestone was repaid, whatever the way; `told` is what a message to the seller names."""

    bill_number: str
    order_number: str
    told: Mapping[str, Any]
    at: datetime
