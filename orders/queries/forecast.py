"""The 12-month forecast: what renewals and milestone bills will cost, by enterprise project or by a tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from billing import queries as billing
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.queries.ahead import Ahead, ahead, automatic_ahead
from orders.queries.calendar import MONTHS_AHEAD, horizon
from orders.rules.forecast import Cost, CostKind, Row, Section, month_starts, sections, total_of
from orders.states import EXPIRING_DAYS

if TYPE_CHECKING:
    from koogallery.identity.models import Account

BY_PROJECT = "project"
BY_TAG = "tag:"
_Group = Callable[[str, Mapping[str, str]], str]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be paid month by month: what comes by itself, and apart from that what renewing by hand would cost.

    `committed` is the sum of automatic renewals and milestone bills. `unpriced` are the names of what has no price.
    """

    starts: Sequence[date]
    sections: Sequence[Section]
    committed: Row
    by: str
    choices: Sequence[tuple[str, str]]
    unpriced: Sequence[str]

    @property
    def has_undated(self) -> bool:
        """Whether some milestones are not billed yet, so that their month is open."""
        return any(section.sum.undated for section in self.sections)


def forecast(account: Account, *, at: datetime, by: str, in_force: PolicySet, with_bills: bool) -> Forecast:
    """The forecast of twelve months from the running one on, in groups by `project` or `tag:<key>`."""
    known = ahead(account.pk, at=at, until=horizon(at), in_force=in_force, by_hand=True)
    bills = list(_bills(account, at=at)) if with_bills else []
    keys = {key for held in known.held for key in held.tags} | {key for each in bills for key in each.tags}
    choices = [(BY_PROJECT, _("Enterprise project"))]
    choices += [(f"{BY_TAG}{key}", _("Tag %(key)s") % {"key": key}) for key in sorted(keys)]
    by = by if by in dict(choices) else BY_PROJECT
    is_assigned = any(held.project_code for held in known.held) or any(each.project for each in bills)
    group = _grouping(account if is_assigned else None, by)
    starts = month_starts(clock.platform_date(at), months=MONTHS_AHEAD)
    costs = [*_renewals(known, group, account.currency), *(_billed(each, group) for each in bills)]
    found = sections(costs, starts=starts, currency=account.currency)
    committed = [section.sum for section in found if section.kind is not CostKind.MANUAL]
    return Forecast(
        starts=starts,
        sections=found,
        committed=total_of(committed, account.currency, months=MONTHS_AHEAD),
        by=by,
        choices=choices,
        unpriced=[known.name_of(held) for held in known.unpriced],
    )


def _renewals(known: Ahead, group: _Group, currency: str) -> Iterator[Cost]:
    groups: dict[str, str] = {}
    for cost in known.costs:
        if cost.amount.currency != currency:
            continue
        held = cost.held
        if held.number not in groups:
            groups[held.number] = group(held.project_code, held.tags)
        kind = CostKind.AUTOMATIC if cost.automatic else CostKind.MANUAL
        yield Cost(kind, groups[held.number], cost.at, cost.amount)


def _grouping(account: Account | None, by: str) -> _Group:
    """What group something belongs to; without an account nothing is in a project."""
    if by != BY_PROJECT:
        key = by.removeprefix(BY_TAG)
        return lambda _project, tags: str(tags.get(key, "")) or _("No value")
    names = identity.project_names(account) if account is not None else {}
    return lambda project, _tags: names.get(project, project) or _("No enterprise project")


@dataclass(frozen=True, slots=True)
class _BillAhead:
    at: datetime | None
    amount: Money
    project: str
    tags: Mapping[str, str]


def _bills(account: Account, *, at: datetime) -> Iterator[_BillAhead]:
    """Bills to repay, those overdue now, and milestones still to be billed, whose month is open."""
    until = horizon(at)
    for milestone, due_at in billing.milestones_to_pay(account.pk, at=at):
        if due_at is None or due_at <= until:
            yield _BillAhead(due_at, milestone.money, milestone.project_code, milestone.tags)


def _billed(bill: _BillAhead, group: _Group) -> Cost:
    return Cost(CostKind.BILL, group(bill.project, bill.tags), bill.at, bill.amount)


# On the overview


@dataclass(frozen=True, slots=True)
class Failed:
    """A resource that could not renew itself, and why."""

    number: str
    name: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class Soon:
    """What is to come by itself: by day until the month ends, how many deductions within 30 days, what failed."""

    by_day: Mapping[date, Money]
    to_come: Money
    deductions: int
    deducted: Money
    failed: Sequence[Failed]


def soon(account: Account, *, at: datetime, with_bills: bool) -> Soon:
    """Automatic renewals within 30 days, and what will be charged or falls due in what is left of the month."""
    today = clock.platform_date(at)
    within = clock.day_end(today + timedelta(days=EXPIRING_DAYS))
    month_ends = clock.day_start(month_starts(today, months=2)[-1]) - timedelta(seconds=1)
    known = automatic_ahead(account.pk, at=at, until=max(within, month_ends))
    costs = [cost for cost in known.costs if cost.amount.currency == account.currency]
    coming = [(cost.at, cost.amount) for cost in costs]
    if with_bills:
        unpaid = billing.unpaid_milestone_bills(account.pk).filter(due_at__lte=month_ends)
        coming += [(bill.due_at, bill.money) for bill in unpaid]
    nothing = Money.zero(account.currency)
    by_day: dict[date, Money] = {}
    for moment, amount in coming:
        if moment <= month_ends:
            day = clock.platform_date(max(moment, at))
            by_day[day] = by_day.get(day, nothing) + amount
    first = [cost for cost in costs if cost.at <= within]
    return Soon(
        by_day=by_day,
        to_come=sum(by_day.values(), start=nothing),
        deductions=len(first),
        deducted=sum((cost.amount for cost in first), start=nothing),
        failed=[Failed(held.number, known.name_of(held), why) for held in known.held if (why := held.failed)],
    )
