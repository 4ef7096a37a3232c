"""Resources as their account, their seller and the platform may know them (R20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import IntegerField, Q, QuerySet
from django.db.models.functions import Cast

from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel import policies
from koogallery.kernel.calls import Call
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.prepared import Given, Question
from koogallery.kernel.reasons import Missing
from orders.models import Resource
from orders.queries import delivered
from orders.queries.orders import NOBODY, with_project_names
from orders.queries.renewing import status_now, with_follow_ups
from orders.states import EXPIRING_DAYS, IN_USE_STATUSES, ExpirationPolicy, ResourceStatus

PERIODS = ("grace_days", "retention_days")


def resources_of(account_id: int | None) -> QuerySet[Resource]:
    """What an account has bought and received, or is about to."""
    mine = Resource.objects.filter(account_id=account_id or NOBODY)
    return mine.select_related("product", "seller", "line", "line__order")


_LISTED = (
    "number", "account_id", "order_number", "product_name", "spec_text", "status", "delivery_method", "billing_mode",
    "trial", "expires_at", "life_due_at", "purchased_at", "expiration_policy", "configuration", "product__name",
    "product__name_zh", "product__slug", "product__code", "product__logo", "product__state",
    "product__supports_change", "line__number", "line__product_code", "line__delivery_method",
    "line__supervised", "line__billing_mode", "line__amount", "line__currency", "line__agreed_way",
    "line__order__number", "line__order__type", "line__order__spec_text", "line__order__spec_text_zh",
    "line__order__state", "line__order__policy", "line__order__unsubscribed_at",
)  # fmt: skip
"""What **Purchased Apps** shows."""


def resources_given() -> QuerySet[Resource]:
    """What an account given has bought and received, or is about to."""
    return Resource.objects.filter(account_id=Given("account"))


def listed_resources_given() -> QuerySet[Resource]:
    """The same for a list, each knowing what waits for it, and how long grace and retention last, as is given."""
    days = {name: Cast(Given(name), IntegerField()) for name in PERIODS}
    rows = resources_given().select_related("product", "line__order").only(*_LISTED).annotate(**days)
    return with_follow_ups(delivered.with_completion(rows, at=Given("at"), by="line"), at=Given("at"))


def periods_of(resource: Any) -> dict[str, int]:
    """How long grace and retention last for a resource that was read for a list."""
    return {name: getattr(resource, name) for name in PERIODS}


def in_delivery() -> Q:
    """Supervised and not accepted, or not completed, at a moment given."""
    return Q(status=ResourceStatus.IN_DELIVERY) & ~delivered.completed(Given("at"), by="line")


def in_use() -> Q:
    """Enabled, in grace or in retention."""
    return Q(status__in=IN_USE_STATUSES)


def released() -> Q:
    """In use by its row, though its time is over at a moment given: the sweep is about to close it (R19)."""
    has_term, turns = _has_term(), _turns()
    over = (
        Q(status=ResourceStatus.RETENTION, life_due_at__lte=Given("at"))
        | Q(status=ResourceStatus.GRACE, life_due_at__lte=Given("grace_released"))
        | Q(status=ResourceStatus.ENABLED, life_due_at__lte=Given("enabled_released"))
    )
    return (has_term & ~turns & over) | (in_use() & ~has_term & Q(life_due_at__lte=Given("at")))


def last_expiring(at: datetime) -> datetime:
    """The end of the last day on which what expires is expiring."""
    return clock.day_end(clock.platform_date(at) + timedelta(days=EXPIRING_DAYS))


def late(at: datetime | Given) -> Q:
    """In grace or in retention at a moment, though the sweep may not have run (R19)."""
    due = Q(status=ResourceStatus.ENABLED, life_due_at__lte=at)
    return Q(status__in=[ResourceStatus.GRACE, ResourceStatus.RETENTION]) | (due & _has_term() & ~_turns())


def running(*, today: datetime | Given, until: datetime | Given) -> Q:
    """With a term that runs on a day that begins at `today`, and ends by a moment; what goes on after it does not."""
    return Q(status=ResourceStatus.ENABLED, expires_at__gte=today, expires_at__lte=until)


def expiring(*, at: datetime | Given, today: datetime | Given, until: datetime | Given) -> Q:
    """In grace, in retention, or with thirty days or less to go (subscriptions.md): to expire by `last_expiring`."""
    return late(at) | running(today=today, until=until)


def _has_term() -> Q:
    return Q(billing_mode=BillingMode.PERIOD, trial=False)


def _turns() -> Q:
    """Goes on by use when its term is over."""
    return Q(status=ResourceStatus.ENABLED, expiration_policy=ExpirationPolicy.PAY_PER_USE)


def asked_for(account_id: int | None, *, at: datetime, in_force: PolicySet) -> Question[Resource]:
    """What an account has bought and received, for its list."""
    return Question(listed_resources_given, given_at(account_id, at=at, in_force=in_force), counted=resources_given)


def given_at(account_id: int | None, *, at: datetime, in_force: PolicySet) -> dict[str, Any]:
    """What lists of an account's resources are given at a moment: where days begin and end, how long stages last."""
    today = clock.platform_date(at)
    retained = today - timedelta(days=in_force["retention_days"])
    return {
        "account": account_id or NOBODY,
        "at": at,
        "today": clock.day_start(today),
        "expiring": last_expiring(at),
        "grace_released": clock.day_start(retained),
        "enabled_released": clock.day_start(retained - timedelta(days=in_force["grace_days"])),
        **{name: in_force[name] for name in PERIODS},
    }


def days_left(resource: Resource, at: datetime, in_force: PolicySet | None = None) -> int | None:
    """Days to the expiry, in grace and retention days to their end; None without an expiry or once closed.

    Of a resource that was not read for a list, the policies in force tell how long those last.
    """
    left = resource.remaining_days(at)
    if left is None:
        return None
    periods: Any = periods_of(resource) if "grace_days" in resource.__dict__ else in_force or policies.in_force(at)
    status = status_now(resource, at=at, in_force=periods)
    if status == ResourceStatus.CLOSED:
        return None
    if status in (ResourceStatus.GRACE, ResourceStatus.RETENTION):
        left += periods["grace_days"]
    if status == ResourceStatus.RETENTION:
        left += periods["retention_days"]
    return max(0, left)


def owns(account_id: int, product_code: str) -> bool:
    """Whether an account has, or had, a resource of a product; fills the catalogue's port."""
    return Resource.objects.filter(account_id=account_id, product__code=product_code).exists()


def own_resource(call: Call, number: Any) -> Resource:
    """A resource of the calling account as its pages show it, with what waits for it. Raises `Missing`."""
    mine = resources_of(call.account_id).select_related("product", "seller", "line", "line__order", "auto_renewal")
    mine = delivered.with_completion(mine, at=call.at, by="line")
    return _one(with_project_names(with_follow_ups(mine, at=call.at)), number)


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
