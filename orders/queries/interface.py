"""Calls to sellers' servers as their seller and the platform may know them (R20)."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Missing
from orders.models import InterfaceCall

_WITH = (
    "seller",
    "product",
    "product__seller",
    "order",
    "order__account",
    "order__product",
    "order__seller",
    "line",
    "resource",
)


def calls_of_seller(account_id: int | None) -> QuerySet[InterfaceCall]:
    """The calls to the server of the seller that an account is."""
    return InterfaceCall.objects.filter(seller__account_id=account_id).select_related("product", "order")


def sellers_call(call: Call, number: Any) -> InterfaceCall:
    """A call to the calling seller's server. Raises `Missing`."""
    return _one(calls_of_seller(call.account_id), number)


def sellers_call_locked(call: Call, number: Any) -> InterfaceCall:
    """The same, locked for a change; operations managers may take any. Raises `Missing`."""
    calls = InterfaceCall.objects.all() if call.role is Role.OPERATOR else calls_of_seller(call.account_id)
    return _one(calls.select_related(*_WITH).select_for_update(of=("self",)), number)


def call_locked(call: Call, number: Any) -> InterfaceCall:
    """Any call, locked after its order, for the platform. Raises `Missing`."""
    from orders.models import Order  # only its lock is taken here

    found = InterfaceCall.objects.filter(number=str(number)).values_list("order_id", flat=True).first()
    if found:
        Order.objects.select_for_update().get(pk=found)
    return _one(InterfaceCall.objects.select_related(*_WITH).select_for_update(of=("self",)), number)


def _one(calls: QuerySet[InterfaceCall], number: Any) -> InterfaceCall:
    found = calls.filter(number=str(number)[:32]).first()
    if found is None:
        raise Missing(f"interface call {number}")
    return found
