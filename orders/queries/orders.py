"""Orders as their account, their seller and the platform may know them (R20)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call
from koogallery.kernel.reasons import Missing
from orders.models import Order
from orders.states import OrderState


def orders_of(account_id: int | None) -> QuerySet[Order]:
    """The orders an account placed."""
    return Order.objects.filter(account_id=account_id).select_related("seller", "product")


def orders_of_seller(account_id: int | None) -> QuerySet[Order]:
    """The orders placed with the seller that an account is."""
    return Order.objects.filter(seller__account_id=account_id, seller__isnull=False).select_related(
        "account", "product"
    )


def unpaid_orders_of(account_id: int | None, *, at: datetime) -> QuerySet[Order]:
    """The orders an account can still pay at a moment (R19)."""
    return orders_of(account_id).filter(state=OrderState.PENDING_PAYMENT, payment_due_at__gt=at)


def own_order(call: Call, number: Any) -> Order:
    """An order of the calling account. Raises `Missing`."""
    return _one(orders_of(call.account_id), number)


def own_order_locked(call: Call, number: Any) -> Order:
    """An order of the calling account, locked for a change. Raises `Missing`."""
    return _one(orders_of(call.account_id).select_for_update(of=("self",)), number)


def sold_order(call: Call, number: Any) -> Order:
    """An order placed with the calling seller. Raises `Missing`."""
    return _one(orders_of_seller(call.account_id), number)


def order_locked(call: Call, number: Any) -> Order:
    """Any order, locked, for the platform and operations. Raises `Missing`."""
    return _one(Order.objects.select_related("seller", "product", "account").select_for_update(of=("self",)), number)


def order_by_number(number: str) -> Order:
    """Any order, for the platform, operations and commands. Raises `Missing`."""
    return _one(Order.objects.select_related("seller", "product", "account"), number)


def _one(orders: QuerySet[Order], number: Any) -> Order:
    order = orders.filter(number=str(number)[:20]).first()
    if order is None:
        raise Missing(f"order {number}")
    return order
