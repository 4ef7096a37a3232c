"""When what happens to a yearly/monthly resource: notices, the steps after its expiry, automatic deductions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from billing.rules.terms import life_cycle
from koogallery import clock
from orders.states import ResourceStatus

NOTICE_DAYS = (30, 15, 7, 3, 1)
NOTICE_TIME = time(10)
PREFLIGHT_DAYS = (30, 15, 7, 1)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a yearly/monthly resource stands, and the moment at which its next step is due; None once released."""

    status: ResourceStatus
    until: datetime | None


@lru_cache(maxsize=1024)
def stage(*, expiry: date, at: datetime, grace_days: int, retention_days: int, reached: ResourceStatus) -> Stage:
    """The stage of an expiry at a moment (R8); never one before `reached`, though the policies became milder.

    Without grace or retention days the stage is left out.
    """
    cycle = life_cycle(expiry=expiry, grace_days=grace_days, retention_days=retention_days)
    ends = (
        (ResourceStatus.ENABLED, cycle.grace_from),
        (ResourceStatus.GRACE, cycle.retention_from),
        (ResourceStatus.RETENTION, cycle.released_at),
    )
    first = next((place for place, (status, _end) in enumerate(ends) if status == reached), len(ends))
    for status, end in ends[first:]:
        if at < end:
            return Stage(status, end)
    return Stage(ResourceStatus.CLOSED, None)


def due_columns(expires_at: datetime | None, *, after: datetime) -> dict[str, Any]:
    """The due columns of a resource that expires at 23:59:59 of a day: its next step and its next notice."""
    if expires_at is None:
        return {"life_due_at": None, "notice_due_at": None}
    expiry = clock.platform_date(expires_at)
    return {"life_due_at": day_after(expiry), "notice_due_at": next_notice(expiry=expiry, after=after)}


def day_after(day: date) -> datetime:
    """The 00:00:00 that follows a day's 23:59:59 (R8)."""
    return clock.day_start(day + timedelta(days=1))


def notices(expiry: date) -> tuple[datetime, ...]:
    """When an expiry is told of: at 10:00, 30, 15, 7, 3 and 1 days before."""
    return tuple(_moments(expiry, NOTICE_DAYS, NOTICE_TIME))


def next_notice(*, expiry: date, after: datetime) -> datetime | None:
    """The first notice of an expiry after a moment; None after the last."""
    return _first(notices(expiry), after=after)


def next_preflight(*, expiry: date, after: datetime) -> datetime | None:
    """The first pre-flight of an auto-renewal after a moment: at 00:00, 30, 15, 7 and 1 days before the expiry."""
    return _first(_moments(expiry, PREFLIGHT_DAYS, time(0)), after=after)


def first_attempt(*, expiry: date, days_before: int, hour: time, now: datetime) -> datetime:
    """When an auto-renewal that is enabled now is first tried.

    On the deduction day at the hour; when that has passed, at the next such hour before the expiry ends; when there is
    none any more, at once.
    """
    wanted = _at(expiry - timedelta(days=days_before), hour)
    return wanted if wanted >= now else next_attempt(expiry=expiry, hour=hour, after=now) or now


def next_attempt(*, expiry: date, hour: time, after: datetime) -> datetime | None:
    """The next hour of deduction after a moment, None when the resource has expired by then."""
    today = clock.platform_date(after)
    moment = _at(today, hour)
    if moment <= after:
        moment = _at(today + timedelta(days=1), hour)
    return moment if moment <= clock.day_end(expiry) else None


def _moments(expiry: date, days: Iterable[int], hour: time) -> list[datetime]:
    return [_at(expiry - timedelta(days=before), hour) for before in days]


def _first(moments: Iterable[datetime], *, after: datetime) -> datetime | None:
    return next((moment for moment in moments if moment > after), None)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=clock.platform_zone())
