"""Popular Applications: orders of the last 30 days, told to the catalogue."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count

from catalog.operations.popularity import set_popularity
from koogallery.kernel.calls import system_call
from orders.models import Order
from orders.states import LIVE_STATES, OrderType

WINDOW = timedelta(days=30)


def publish(at: datetime) -> None:
    """Count each product's orders of the last 30 days that were not Canceled, and hand the counts to the catalogue."""
    counted = (
        Order.objects.filter(
            placed_at__gt=at - WINDOW,
            placed_at__lte=at,
            state__in=LIVE_STATES,
            type__in=[OrderType.NEW, OrderType.TRIAL],
        )
        .values("product_code")
        .annotate(orders=Count("pk"))
        .values_list("product_code", "orders")
    )
    set_popularity(system_call(at=at), orders=dict(counted))
