"""The renewal calendar of an account: expiries, ends of grace and retention, deductions, milestone bills due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from billing import queries as billing
from billing.rules.terms import life_cycle
from billing.states import BillState
from koogallery import clock
from koogallery.kernel import display
from koogallery.kernel.addresses import Address
from koogallery.kernel.policies import PolicySet
from orders.queries.ahead import Ahead, Held, RenewalCost, ahead
from orders.rules.calendar import Entry
from orders.rules.forecast import month_starts
from orders.states import EntryKind, ExpirationPolicy, ResourceStatus

_RESOURCE = Address("orders:resource")
_BILL = Address("billing:milestone_bill")
A_SECOND = timedelta(seconds=1)
MONTHS_AHEAD = 12


def horizon(at: datetime) -> datetime:
    """Until when renewals are reckoned: the end of the twelfth month, the running one included."""
    return clock.day_start(month_starts(clock.platform_date(at), months=MONTHS_AHEAD + 1)[-1]) - A_SECOND


def entries(
    account_id: int, *, at: datetime, first: datetime, last: datetime, in_force: PolicySet, with_bills: bool
) -> list[Entry]:
    """What stands in the calendar from `first` to `last`, in the order of time."""
    known = ahead(account_id, at=at, until=min(last, horizon(at)), in_force=in_force, by_hand=False)
    found = [*_lives(known, in_force=in_force), *(_deduction(known, cost) for cost in known.costs)]
    if with_bills:
        found += _bills(account_id, at=at, first=first, last=last)
    order = list(EntryKind)
    return sorted(
        (each for each in found if first <= each.at <= last),
        key=lambda each: (each.at, order.index(each.kind), each.name, each.number),
    )


def _lives(known: Ahead, *, in_force: PolicySet) -> Iterator[Entry]:
    for held in known.held:
        if held.changes_at is not None:
            yield _entry(known, held, EntryKind.CHANGE, held.changes_at)
            yield _entry(known, held, EntryKind.EXPIRY, held.last_term.expires_at)
            continue
        yield _entry(known, held, EntryKind.EXPIRY, held.expires_at, note=_expiry_note(held))
        if not held.has_term or _goes_on(held, known.statuses[held.number]):
            continue
        cycle = life_cycle(
            expiry=clock.platform_date(held.expires_at),
            grace_days=in_force["grace_days"],
            retention_days=in_force["retention_days"],
        )
        if cycle.retention_from > cycle.grace_from:
            yield _entry(known, held, EntryKind.GRACE_END, cycle.retention_from - A_SECOND)
        if cycle.released_at > cycle.retention_from:
            yield _entry(known, held, EntryKind.RETENTION_END, cycle.released_at - A_SECOND)


def _goes_on(held: Held, status: ResourceStatus) -> bool:
    """Whether no grace is to come as things stand: it renews itself, or changes to pay-per-use."""
    if status is not ResourceStatus.ENABLED:
        return False
    return held.policy == ExpirationPolicy.PAY_PER_USE or (held.is_automatic and held.failed_at is None)


def _expiry_note(held: Held) -> str:
    if held.trial:
        return _("The trial ends.")
    refused = held.failed
    if refused is not None:
        return _("Auto-renewal failed: %(reason)s") % {"reason": refused.sentence}
    return str(ExpirationPolicy(held.policy).label) if held.has_term else ""


def _entry(known: Ahead, held: Held, kind: EntryKind, at: datetime, *, note: str = "") -> Entry:
    return Entry(
        kind=kind,
        at=at,
        name=known.name_of(held),
        detail=known.specification_of(held),
        number=held.number,
        url=_RESOURCE(held.number),
        uid=f"{kind.value}-{held.number}",
        note=note,
    )


def _deduction(known: Ahead, cost: RenewalCost) -> Entry:
    held = cost.held
    return Entry(
        kind=EntryKind.DEDUCTION,
        at=cost.at,
        name=cost.name,
        detail=known.specification_of(held),
        number=held.number,
        url=_RESOURCE(held.number),
        uid=f"{EntryKind.DEDUCTION.value}-{held.number}-{cost.term.start.isoformat()}",
        amount=cost.amount,
        note=_("Renews until %(expires)s") % {"expires": display.date_text(cost.term.end)},
        expected=cost.position > 0,
    )


def _bills(account_id: int, *, at: datetime, first: datetime, last: datetime) -> Iterator[Entry]:
    bills = billing.milestone_bills_of(account_id).filter(due_at__gte=first, due_at__lte=last)
    for bill in bills.exclude(state=BillState.WITHDRAWN).order_by("due_at", "pk"):
        yield Entry(
            kind=EntryKind.BILL,
            at=bill.due_at,
            name=bill.milestone.description or bill.order_number,
            detail=bill.milestone.name,
            number=bill.number,
            url=_BILL(bill.number),
            uid=f"{EntryKind.BILL.value}-{bill.number}",
            amount=bill.money,
            note=str(bill.shown_state(at).label),
            is_over=not bill.is_unpaid,
        )


# Months


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a month with its entries."""

    day: date
    entries: Sequence[Entry]
    is_today: bool


def by_day(found: Sequence[Entry], *, first: date, last: date, today: date) -> list[Day]:
    """Every day from `first` to `last` with what falls on it in the shown zone."""
    sorted_in: dict[date, list[Entry]] = {}
    for each in found:
        sorted_in.setdefault(display.shown(each.at).date(), []).append(each)
    count = (last - first).days + 1
    days = [first + timedelta(days=number) for number in range(count)]
    return [Day(day, sorted_in.get(day, []), day == today) for day in days]
