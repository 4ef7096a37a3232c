"""Working days and day boundaries (R6, R9)."""

from __future__ import annotations

from collections.abc import Set
from datetime import date, datetime, timedelta

from koogallery import clock

SATURDAY = 5


def is_working_day(day: date, *, holidays: Set[date]) -> bool:
    """Monday to Friday and not in the operator's holiday calendar (R9)."""
    return day.weekday() < SATURDAY and day not in holidays


def nth_working_day_after(day: date, *, working_days: int, holidays: Set[date]) -> date:
    """The `working_days`-th working day after `day`; `day` itself never counts (R9).

    Raises `ValueError` for less than one working day.
    """
    if working_days < 1:
        raise ValueError("A limit is at least one working day.")
    while working_days:
        day += timedelta(days=1)
        if is_working_day(day, holidays=holidays):
            working_days -= 1
    return day


def working_day_deadline(*, filed_at: datetime, working_days: int, holidays: Set[date]) -> datetime:
    """23:59:59 of the n-th working day after the day of filing (R9)."""
    filed_on = clock.platform_date(filed_at)
    return clock.day_end(nth_working_day_after(filed_on, working_days=working_days, holidays=holidays))


def is_from(moment: datetime, *, day: date) -> bool:
    """Whether `moment` is "after day X": at X 00:00:00 or later (R6)."""
    return moment >= clock.day_start(day)


def opens_before_expiry(*, expiry: date, days: int) -> datetime:
    """When "`days` days before expiry" begins: 00:00:00 of the expiry date minus `days` (R6)."""
    return clock.day_start(expiry - timedelta(days=days))
