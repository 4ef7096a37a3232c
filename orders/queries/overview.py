"""Figures for the overviews of buyer and seller: what is to do, what was spent or sold, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from billing import queries as billing
from koogallery import clock
from koogallery.kernel.money import Money
from orders.models import InterfaceCall, Order, Resource
from orders.queries import delivered
from orders.queries.orders import orders_of, orders_of_seller, processing, waiting
from orders.queries.renewals import with_a_term
from orders.queries.resources import expiring, last_expiring, late
from orders.states import PAID_STATES, CallState, ExpirationPolicy, OrderState, OrderType, ResourceStatus

RECENT = 5
DAYS = 30
A_DAY = timedelta(hours=24)
LEAD = timedelta(days=8)
OPEN_STATES = (OrderState.PENDING_PAYMENT, OrderState.PROCESSING)


def in_delivery(at: datetime) -> Q:
    """What is being delivered at a moment; an order that gives something back waits for its refund."""
    return processing(at) & ~Q(type=OrderType.UNSUBSCRIBE)


@dataclass(frozen=True, slots=True)
class Day:
    """What came together on one platform day."""

    day: date
    amount: Money


def total(days: Sequence[Day], *, last: int, currency: str) -> Money:
    """The sum of the last so many days."""
    return sum((each.amount for each in days[-last:]), start=Money.zero(currency))


@dataclass(frozen=True, slots=True)
class ToDo:
    """Counts of what waits for the buyer."""

    unpaid: int
    in_delivery: int


def buyer_to_do(account_id: int, *, at: datetime) -> ToDo:
    """What waits for a buyer."""
    counts: Any = Order.objects.filter(account_id=account_id, state__in=OPEN_STATES).aggregate(
        unpaid=Count("pk", filter=waiting(at)), in_delivery=Count("pk", filter=in_delivery(at))
    )
    return ToDo(**counts)


def ending_resources(account_id: int, *, at: datetime) -> QuerySet[Resource]:
    """Resources that have expired or whose renewal may come within thirty days or this month, the earliest first."""
    today, until = clock.day_start(clock.platform_date(at)), last_expiring(at) + LEAD
    return (
        Resource.objects.filter(expiring(at=at, today=today, until=until), account_id=account_id)
        .select_related("product", "auto_renewal")
        .order_by("expires_at")
    )


def is_expiring(resource: Resource, *, at: datetime) -> bool:
    """Whether a resource has thirty days or less to go, or has expired."""
    return resource.expires_at is not None and resource.expires_at <= last_expiring(at)


def recent_orders(account_id: int, *, at: datetime) -> QuerySet[Order]:
    """The account's latest orders."""
    rows = delivered.with_completion(orders_of(account_id), at=at, by="order")
    return rows.order_by("-placed_at", "-pk")[:RECENT]


def spent_by_day(account_id: int, *, at: datetime, currency: str) -> list[Day]:
    """What the account was charged less what was refunded, on each day of this month."""
    today = clock.platform_date(at)
    first, following = today.replace(day=1), (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = following - timedelta(days=1)
    charges = billing.charges_of(account_id).filter(
        currency=currency, at__gte=clock.day_start(first), at__lte=clock.day_end(last)
    )
    return _by_day(charges, moment="at", first=first, last=last, currency=currency)


def sold_by_day(seller_id: int, *, at: datetime, currency: str) -> list[Day]:
    """What was sold on each of the last 30 platform days: orders paid and not Canceled, at their amount."""
    last = clock.platform_date(at)
    first = last - timedelta(days=DAYS - 1)
    sold = Order.objects.filter(
        seller_id=seller_id,
        currency=currency,
        state__in=PAID_STATES,
        paid_at__gte=clock.day_start(first),
        amount__gte=0,
    )
    return _by_day(sold, moment="paid_at", first=first, last=last, currency=currency)


def _by_day(rows: QuerySet[Any], *, moment: str, first: date, last: date, currency: str) -> list[Day]:
    sums = dict(
        rows.order_by()
        .annotate(day=TruncDate(moment, tzinfo=clock.platform_zone()))
        .values("day")
        .annotate(sum=Sum("amount"))
        .values_list("day", "sum")
    )
    count = (last - first).days + 1
    every = [first + timedelta(days=number) for number in range(count)]
    return [Day(day, Money(sums.get(day, Decimal(0)), currency)) for day in every]


@dataclass(frozen=True, slots=True)
class InterfaceHealth:
    """How the calls to a seller's servers went in the last 24 hours, and how many wait for a person."""

    succeeded: int
    failing: int
    parked: int


def interface_health(seller_id: int, *, at: datetime) -> InterfaceHealth:
    """Counts of a seller's interface calls."""
    counts: Any = InterfaceCall.objects.filter(seller_id=seller_id).aggregate(
        succeeded=Count("pk", filter=Q(state=CallState.DONE, finished_at__gte=at - A_DAY)),
        failing=Count("pk", filter=Q(state=CallState.WAITING, tries__gt=0)),
        parked=Count("pk", filter=Q(state=CallState.PARKED)),
    )
    return InterfaceHealth(**counts)


def orders_to_handle(account_id: int, *, at: datetime) -> QuerySet[Order]:
    """Processing orders of a seller, the longest waiting first."""
    return orders_of_seller(account_id).filter(in_delivery(at)).order_by(F("paid_at").asc(), "pk")


@dataclass(frozen=True, slots=True)
class RenewalsOfSeller:
    """How many resources of a seller's products end within 30 days, how many of them renew themselves, are at risk."""

    ending: int
    automatic: int
    at_risk: int


_FAILED = Q(expiration_policy=ExpirationPolicy.AUTO, auto_renewal__enabled=True, auto_renewal__failed_at__isnull=False)


def _at_risk(at: datetime) -> Q:
    return (late(at) & ~Q(status=ResourceStatus.RETENTION, life_due_at__lte=at)) | _FAILED


def renewals_of_seller(seller_id: int, *, at: datetime) -> RenewalsOfSeller:
    """Counts of what ends soon or is at risk: in grace, in retention, or failed to renew itself."""
    ending = Q(status=ResourceStatus.ENABLED, expires_at__gt=at, expires_at__lte=last_expiring(at))
    counts: Any = Resource.objects.filter(with_a_term(), seller_id=seller_id).aggregate(
        ending=Count("pk", filter=ending),
        automatic=Count("pk", filter=ending & Q(expiration_policy=ExpirationPolicy.AUTO)),
        at_risk=Count("pk", filter=_at_risk(at)),
    )
    return RenewalsOfSeller(**counts)


def at_risk(seller_id: int, *, at: datetime) -> QuerySet[Resource]:
    """Resources of a seller's products that may be lost, the soonest end first."""
    rows = Resource.objects.filter(_at_risk(at), with_a_term(), seller_id=seller_id)
    return rows.select_related("product", "auto_renewal").order_by("expires_at", "pk")
