"""What the pages of Renewals show: what ends and what waits for it, lengths to choose from, automation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, Func, IntegerField, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Cast

from billing.rules.terms import LifeCycle, TermLength, life_cycle
from catalog.queries.changing import Cycles
from catalog.queries.sheets import read_once
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel.calls import Call
from koogallery.kernel.prepared import Given, Question
from koogallery.kernel.reasons import REASONS, Refused
from orders.models import AutoRenewal, Order, RenewalChange, Resource, ResourceTerm
from orders.queries import renewing
from orders.queries.orders import NOBODY, orders_of, with_project_names
from orders.queries.resources import PERIODS, given_at, in_use, released, resources_given, resources_of, running
from orders.rules import life
from orders.states import AUTO_RENEWAL_PERIODS, EXPIRING_DAYS, ExpirationPolicy, RenewalChangeState, ResourceStatus

if TYPE_CHECKING:
    from koogallery.kernel.policies import PolicySet

BATCH_MOST = 200
BANNERS = 4

_LISTED = (
    "number", "account_id", "order_number", "product_name", "spec_text", "status", "delivery_method", "billing_mode",
    "trial", "expires_at", "life_due_at", "expiration_policy", "project_code", "configuration", "product__name",
    "product__name_zh", "product__slug", "product__code", "product__logo", "product__state",
    "product__supports_auto_renewal", "line__number", "line__order__spec_text", "line__order__spec_text_zh",
    "auto_renewal__enabled", "auto_renewal__next_attempt_at", "auto_renewal__failed_at", "auto_renewal__failure",
    "auto_renewal__failure_params",
)  # fmt: skip


# Lists


def with_a_term() -> Q:
    """In use and with a term that ends."""
    return in_use() & Q(billing_mode=BillingMode.PERIOD, trial=False)


def renewals_given() -> QuerySet[Resource]:
    """What of an account given can come to be renewed at a moment given."""
    return resources_given().filter(with_a_term(), ~released())


def renewals_soon_given() -> QuerySet[Resource]:
    """Those to be renewed by hand that are expiring at a moment given, as `last_expiring` says, or have expired."""
    zone = Value(settings.PLATFORM_ZONE)
    here = Func(zone, Cast(Given("at"), DateTimeField()), function="timezone", output_field=DateTimeField())
    today = Func(Value("day"), here, function="date_trunc", output_field=DateTimeField())
    after = ExpressionWrapper(today + Value(timedelta(days=EXPIRING_DAYS + 1)), output_field=DateTimeField())
    following = Func(zone, after, function="timezone", output_field=DateTimeField())
    over = Q(status=ResourceStatus.RETENTION, life_due_at__lte=Given("at"))
    soon = Q(expiration_policy=ExpirationPolicy.MANUAL, expires_at__lt=following)
    return resources_given().filter(with_a_term(), soon, ~over)


def listed_renewals_given() -> QuerySet[Resource]:
    """The same for a list, with what waits, the project's name, and how long grace and retention last."""
    days = {name: Cast(Given(name), IntegerField()) for name in PERIODS}
    rows = renewals_given().select_related("product", "line__order", "auto_renewal").only(*_LISTED).annotate(**days)
    return with_project_names(renewing.with_follow_ups(rows, at=Given("at")))


def asked_for(account_id: int | None, *, at: datetime, in_force: PolicySet) -> Question[Resource]:
    """What an account can renew, for its list."""
    return Question(listed_renewals_given, given_at(account_id, at=at, in_force=in_force), counted=renewals_given)


def expiring_within(days: int, *, at: datetime) -> Q:
    """Resources whose term runs at a moment and ends within so many days."""
    today = clock.platform_date(at)
    return running(today=clock.day_start(today), until=clock.day_end(today + timedelta(days=days)))


def waiting_changes(account_id: int | None, *, at: datetime) -> list[RenewalChange]:
    """The first changes upon renewal of an account that wait at a moment, at most `BANNERS`."""
    rows = RenewalChange.objects.filter(
        state=RenewalChangeState.WAITING, effective_at__gt=at, resource__account_id=account_id or NOBODY
    )
    return list(rows.select_related("order", "resource__product").order_by("effective_at", "pk")[:BANNERS])


# Several at once


def of_numbers(call: Call, numbers: Iterable[str]) -> list[Resource]:
    """The calling account's resources of these numbers with their follow-ups and terms, soonest expiry first."""
    rows = resources_of(call.account_id).filter(number__in=list(numbers))
    terms = Prefetch("terms", ResourceTerm.objects.select_related("line").order_by("start"))
    found = renewing.with_follow_ups(rows, at=call.at).prefetch_related(terms)
    return list(found.order_by("expires_at", "pk"))


def plans_read_once(resources: Sequence[Resource]) -> Any:
    """Within this context the plans of these resources' SKUs are read by one query."""
    return read_once(skus=[(each.product_id, each.configured.sku_code) for each in resources])


def orders_of_numbers(call: Call, numbers: Iterable[str]) -> list[Order]:
    """The calling account's orders of these numbers, in their order."""
    places = {number: place for place, number in enumerate(numbers)}
    found = orders_of(call.account_id).filter(number__in=list(places))
    return sorted(found, key=lambda order: places[order.number])


# Lengths


def lengths_for(resource: Resource, terms: Sequence[ResourceTerm], cycles: Cycles) -> list[TermLength]:
    """The lengths a resource can be renewed for: those sold now; the last bought when none is sold any more."""
    if not cycles.is_empty:
        return renewing.lengths_offered(cycles)
    last = renewing.length_of(terms[-1])
    return [last] if resource.configured.plan.offers(last) else []


def usual_length(lengths: Sequence[TermLength], terms: Sequence[ResourceTerm]) -> TermLength | None:
    """The length chosen at first: the last bought, else the first offered."""
    last = renewing.length_of(terms[-1])
    return last if last in lengths else next(iter(lengths), None)


def periods_for(lengths: Sequence[TermLength]) -> list[TermLength]:
    """The lengths that auto-renewal may have: 1 to 9 months, 1 to 3 years, however these are sold."""
    return [each for each in lengths if each.count in AUTO_RENEWAL_PERIODS[each.unit.value]]


def length_value(length: TermLength) -> str:
    """`1-year`, as forms carry it."""
    return f"{length.count}-{length.unit.value}"


# Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where a resource with a term stands at a moment, and when what follows."""

    status: ResourceStatus
    cycle: LifeCycle

    @property
    def grace_ends_at(self) -> datetime:
        """23:59:59 of the last day of grace."""
        return self.cycle.retention_from - timedelta(seconds=1)


def life_of(resource: Resource, *, at: datetime, in_force: PolicySet) -> Life | None:
    """The life of a resource that ends; None for what has no term or is closed."""
    status = resource.status_at(at, in_force)
    if not resource.has_term or resource.expires_at is None or not status.is_in_use:
        return None
    cycle = life_cycle(
        expiry=clock.platform_date(resource.expires_at),
        grace_days=in_force["grace_days"],
        retention_days=in_force["retention_days"],
    )
    return Life(status=status, cycle=cycle)


# Auto-renewal


def automation_of(resource: Resource) -> AutoRenewal | None:
    """How a resource renews itself, or did when it was last on; None when it never was."""
    found: AutoRenewal | None = getattr(resource, "auto_renewal", None)
    return found


def failure_of(auto: AutoRenewal | None) -> Refused | None:
    """Why the last attempt of an auto-renewal failed; None when it did not."""
    if auto is None or auto.failed_at is None or auto.failure not in REASONS:
        return None
    return Refused(auto.failure, **{name: _read(value) for name, value in auto.failure_params.items()})


def _read(value: Any) -> Any:
    """A moment or date of a stored parameter as itself, so that it is shown as one."""
    try:
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def next_deduction(resource: Resource, *, days_before: int, at: datetime, in_force: PolicySet) -> datetime:
    """When an auto-renewal that is enabled now would first charge."""
    assert resource.expires_at is not None
    return life.first_attempt(
        expiry=clock.platform_date(resource.expires_at),
        days_before=days_before,
        hour=time.fromisoformat(in_force["autorenew.hour"]),
        now=at,
    )


def deduction_days(resource: Resource, *, in_force: PolicySet) -> Mapping[int, date]:
    """The days before the expiry on which a deduction may be, each with its date in the running term."""
    assert resource.expires_at is not None
    expiry = clock.platform_date(resource.expires_at)
    return {days: expiry - timedelta(days=days) for days in range(in_force["autorenew.lead_days"], -1, -1)}


def why_no_strategy(resource: Resource, *, at: datetime, in_force: PolicySet) -> Refused | None:
    """Why the expiration policy cannot be changed at a moment: no term (any more), a change upon renewal that waits."""
    if not resource.has_term or renewing.goes_by_use(resource, at) or not resource.status_at(at, in_force).is_in_use:
        return Refused("resource_has_no_term")
    change = renewing.waiting_change(resource)
    if change is not None:
        return Refused("renewal_change_waits", order=change.order.number, date=change.effective_at)
    return None


def is_automatic(resource: Resource) -> bool:
    """Whether a resource renews itself."""
    return resource.expiration_policy == ExpirationPolicy.AUTO
