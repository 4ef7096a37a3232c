"""Orders by private offers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from catalog import queries as catalog
from orders.models import Order
from orders.states import OrderState

if TYPE_CHECKING:
    from catalog.models import PrivateOffer


def holding(offer: PrivateOffer, *, at: datetime) -> list[Order]:
    """The orders that hold an offer at a moment, oldest first; none whose payment window has passed (R19)."""
    numbers = [use.order_number for use in catalog.uses_of(offer)]
    found = Order.objects.filter(number__in=numbers).order_by("pk") if numbers else []
    return [order for order in found if order.shown_state(at) != OrderState.CANCELED]
