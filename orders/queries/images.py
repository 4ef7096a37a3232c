"""Images as they are given back: their paid terms, and what is locked with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from catalog.states import BillingMode, DeliveryMethod
from koogallery import clock
from koogallery.kernel.calls import Call
from orders.models import Order, Resource, ResourceTerm
from orders.queries.follow_ups import own_resource_and_follow_ups_locked
from orders.queries.orders import NOBODY
from orders.queries.renewing import with_follow_ups
from orders.queries.resources import resources_of
from orders.states import IN_USE_STATUSES


def image_resources(account_id: int | None, *, at: datetime) -> QuerySet[Resource]:
    """The yearly/monthly images that an account uses, each with what waits for it.

    `has_renewal` says whether one of its renewals has not started: it does at the 00:00:00 after its start date.
    """
    waiting = ResourceTerm.objects.filter(
        resource=OuterRef("pk"), line__resource__isnull=False, start__gte=clock.platform_date(at)
    )
    images = with_follow_ups(resources_of(account_id), at=at).annotate(has_renewal=Exists(waiting))
    return images.filter(
        delivery_method=DeliveryMethod.IMAGE,
        billing_mode=BillingMode.PERIOD,
        supervised=False,
        trial=False,
        status__in=IN_USE_STATUSES,
    )


def paid_terms(resource: Resource) -> list[ResourceTerm]:
    """The paid terms of a resource with the orders that paid them, oldest first."""
    return list(resource.terms.select_related("line__order").order_by("start"))


def own_image_locked(call: Call, number: Any) -> Resource:
    """A resource of the calling account, locked after the orders that paid its terms and those under way, by id.

    Raises `Missing`.
    """
    given = {"resource__number": str(number)[:32], "resource__account_id": call.account_id or NOBODY}
    orders = Order.objects.filter(lines__in=ResourceTerm.objects.filter(**given).values("line"))
    list(orders.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    return own_resource_and_follow_ups_locked(call, number)
