"""Orders, as service tickets may be about them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from koogallery.tickets.queries.linked import LinkedKind
from orders.models import Order


def _owned(account_id: int, number: str) -> bool:
    return Order.objects.filter(account_id=account_id, number=number).exists()


ORDER = LinkedKind(
    key="order",
    label=_("Order"),
    owned=_owned,
    address=lambda number: reverse("orders:detail", args=[number]),
    admin_address=lambda number: f"{reverse('admin:orders_order_changelist')}?{urlencode({'q': number})}",
)
