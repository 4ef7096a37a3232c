"""Resources as their account, their seller and the platform may know them (R20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Value

from koogallery import clock
from koogallery.kernel import policies
from koogallery.kernel.calls import Call
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Missing
from orders.models import Resource
from orders.queries.orders import NOBODY
from orders.states import EXPIRING_DAYS, IN_USE_STATUSES, ResourceStatus


def resources_of(account_id: int | None) -> QuerySet[Resource]:
    """What an account has bought and received, or is about to."""
    mine = Resource.objects.filter(account_id=account_id or NOBODY)
    return mine.select_related("product", "seller", "line", "line__order")


def in_use() -> Q:
    """Enabled, in grace or in retention."""
    return Q(status__in=IN_USE_STATUSES)


def expiring(at: datetime) -> Q:
    """In grace, in retention, or with thirty days or less to go (subscriptions.md)."""
    last_day = clock.day_end(clock.platform_date(at) + timedelta(days=EXPIRING_DAYS))
    late = [ResourceStatus.GRACE, ResourceStatus.RETENTION]
    return Q(status__in=late) | Q(status=ResourceStatus.ENABLED, expires_at__lte=last_day)


def with_periods(resources: QuerySet[Resource], in_force: PolicySet) -> QuerySet[Resource]:
    """The resources, each knowing how long grace and retention last by the policies in force."""
    return resources.annotate(
        grace_days=Value(in_force["grace_days"]), retention_days=Value(in_force["retention_days"])
    )


def days_left(resource: Resource, at: datetime, in_force: PolicySet | None = None) -> int | None:
    """Days to the expiry, in grace and retention days to their end; None without an expiry or once closed.

    Of a resource that was not read `with_periods`, the policies in force tell how long those last.
    """
    left = resource.remaining_days(at)
    if left is None or resource.status == ResourceStatus.CLOSED:
        return None
    if resource.status in (ResourceStatus.GRACE, ResourceStatus.RETENTION):
        left += getattr(resource, "grace_days", None) or (in_force or policies.in_force(at))["grace_days"]
    if resource.status == ResourceStatus.RETENTION:
        left += getattr(resource, "retention_days", None) or (in_force or policies.in_force(at))["retention_days"]
    return max(0, left)


def owns(account_id: int, product_code: str) -> bool:
    """Whether an account has, or had, a resource of a product; fills the catalogue's port."""
    return Resource.objects.filter(account_id=account_id, product__code=product_code).exists()


def own_resource(call: Call, number: Any) -> Resource:
    """A resource of the calling account. Raises `Missing`."""
    return _one(resources_of(call.account_id), number)


def own_resource_locked(call: Call, number: Any) -> Resource:
    """A resource of the calling account, locked for a change. Raises `Missing`."""
    return _one(resources_of(call.account_id).select_for_update(of=("self",), no_key=True), number)


def resource_locked(call: Call, number: Any) -> Resource:
    """Any resource, locked, for the platform. Raises `Missing`."""
    everything = Resource.objects.select_related("product", "seller", "line", "line__order", "account")
    return _one(everything.select_for_update(of=("self",), no_key=True), number)


def _one(resources: QuerySet[Resource], number: Any) -> Resource:
    found = resources.filter(number=str(number)[:32]).first()
    if found is None:
        raise Missing(f"resource {number}")
    return found
