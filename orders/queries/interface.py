"""Calls to sellers' servers as their seller and the platform may know them (R20)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate

from catalog import queries as catalog
from koogallery import clock
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Missing
from orders.models import InterfaceAttempt, InterfaceCall, Order, Resource
from orders.queries.orders import NOBODY
from orders.saas.activities import Activity
from orders.saas.codes import CallStatus

if TYPE_CHECKING:
    from catalog.models import Product

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
    return InterfaceCall.objects.filter(seller__account_id=account_id or NOBODY).select_related("product", "order")


def sellers_call(call: Call, number: Any) -> InterfaceCall:
    """A call to the calling seller's server. Raises `Missing`."""
    return _one(calls_of_seller(call.account_id), number)


def sellers_call_locked(call: Call, number: Any) -> InterfaceCall:
    """The same, locked for a change; operations managers may take any. Raises `Missing`."""
    calls = InterfaceCall.objects.all() if call.role is Role.OPERATOR else calls_of_seller(call.account_id)
    return _one(calls.select_related(*_WITH).select_for_update(of=("self",), no_key=True), number)


def call_locked(call: Call, number: Any) -> InterfaceCall:
    """Any call, locked after its order, for the platform. Raises `Missing`."""
    found = InterfaceCall.objects.filter(number=str(number)).values_list("order_id", flat=True).first()
    if found:
        Order.objects.select_for_update(no_key=True).get(pk=found)
    return _one(InterfaceCall.objects.select_related(*_WITH).select_for_update(of=("self",), no_key=True), number)


def is_superseded(interface_call: InterfaceCall) -> bool:
    """Whether a call to freeze or unfreeze an instance was followed by another step of its resource."""
    resource = interface_call.resource
    if interface_call.activity != Activity.UPDATE_INSTANCE_STATUS or resource is None:
        return False
    later = InterfaceCall.objects.filter(
        resource=resource, activity=Activity.UPDATE_INSTANCE_STATUS, pk__gt=interface_call.pk
    )
    return resource.closed_at is not None or later.exists()


def product_of_order(number: str) -> list[Product]:
    """The product of an order, whoever asks: its key decides whether they may know the order."""
    order = Order.objects.filter(number=number[:20]).select_related("product__seller__account").first()
    return [order.product] if order is not None else []


def debugged_products(*, at: datetime) -> list[Product]:
    """The products debugged within the last day, the latest first, at most fifty."""
    calls = (
        InterfaceCall.objects.filter(test=True, created_at__gt=at - timedelta(hours=24), created_at__lte=at)
        .select_related("product__seller__account")
        .order_by("-created_at")
    )
    found = {call.product_id: call.product for call in calls[:500]}
    return list(found.values())[:50]


def resources_of_instances(instance_ids: Sequence[str]) -> list[Resource]:
    """The resources of any seller with these instances: they tell whose keys may have signed a report."""
    resources = Resource.objects.filter(instance_id__in=list(instance_ids)).exclude(instance_id="")
    return list(resources.select_related("product__seller__account").order_by("pk")[:5000])


def information_call(resource: Resource) -> InterfaceCall | None:
    """The call that asks for the application information of a resource."""
    return resource.interface_calls.filter(activity=Activity.QUERY_INSTANCE).order_by("-pk").first()


def products_failing_daily(*, first: date, days: int) -> list[Product]:
    """Products on sale whose server failed on each of `days` platform days from `first` on, and did nothing else.

    A server that refuses a purchase or is still working does answer; a debug that passes counts as an answer too.
    """
    start, end = clock.day_start(first), clock.day_start(first + timedelta(days=days))
    answered = Q(status__in=[CallStatus.DONE, CallStatus.PROCESSING, CallStatus.REFUSED])
    failing = (
        InterfaceAttempt.objects.filter(at__gte=start, at__lt=end)
        .values("call__product__code")
        .annotate(
            failing_days=Count(TruncDate("at", tzinfo=clock.platform_zone()), distinct=True, filter=~answered),
            answers=Count("pk", filter=answered),
        )
        .filter(failing_days=days, answers=0)
    )
    codes = [row["call__product__code"] for row in failing]
    found = catalog.products_by_code(codes) if codes else {}
    return [product for code, product in sorted(found.items()) if product.is_on_sale]


def _one(calls: QuerySet[InterfaceCall], number: Any) -> InterfaceCall:
    found = calls.filter(number=str(number)[:32]).first()
    if found is None:
        raise Missing(f"interface call {number}")
    return found
