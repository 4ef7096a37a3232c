"""Terms of yearly/monthly purchases and the dates that follow from them (R3, R4, R5, R8, R12).

Dates are calendar dates in the platform zone; moments are aware and in UTC. A term's expiry is shown, and ends,
at 23:59:59 of its end date.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from koogallery import clock

LAST_DAY_OF_MONTH = 31


class TermUnit(StrEnum):
    """What a term is counted in; days are for trials only."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class TermLength:
    """So many days, months or years. Raises `ValueError` for less than one."""

    count: int
    unit: TermUnit

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("A term is at least one unit long.")

    @property
    def months(self) -> int:
        """The length in months. Raises `ValueError` for a length in days."""
        if self.unit is TermUnit.DAY:
            raise ValueError("A term in days has no months.")
        return self.count * (12 if self.unit is TermUnit.YEAR else 1)

    def end_from(self, *, start: date, anchor_day: int) -> date:
        """The date on which a term of this length that starts on `start` ends (R3)."""
        if self.unit is TermUnit.DAY:
            return start + timedelta(days=self.count)
        return add_months(day=start, months=self.months, anchor_day=anchor_day)


def add_months(*, day: date, months: int, anchor_day: int | None = None) -> date:
    """The anchor day of the month `months` after `day`, or that month's last day if it has no such day (R3)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return _on_day(year=year, month=month + 1, day=day.day if anchor_day is None else anchor_day)


def next_on_day(*, day: date, wanted: int) -> date:
    """The first date not before `day` that is day `wanted` of its month; 31 means the month's last day."""
    this_month = _on_day(year=day.year, month=day.month, day=wanted)
    if this_month >= day:
        return this_month
    return add_months(day=day, months=1, anchor_day=wanted)


def _on_day(*, year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def remaining_days(*, expiry: date, today: date) -> int:
    """Expiry date minus today's date (R4); negative once expired."""
    return (expiry - today).days


def fee_days(*, expiry: date, today: date) -> int:
    """Remaining days as a fee counts them: at least 1 (R4)."""
    return max(1, remaining_days(expiry=expiry, today=today))


@dataclass(frozen=True, slots=True)
class Term:
    """A paid term from `start` to the expiry date `end`; `anchor_day` is kept for every renewal (R3).

    Raises `ValueError` unless it ends after it starts.
    """

    start: date
    end: date
    anchor_day: int

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("A term ends after it starts.")
        if not 1 <= self.anchor_day <= LAST_DAY_OF_MONTH:
            raise ValueError("An anchor day is a day of a month.")

    @classmethod
    def first(cls, *, starts_at: datetime, length: TermLength) -> Term:
        """The first term of a resource that takes effect at the moment `starts_at`."""
        start = clock.platform_date(starts_at)
        return cls(start=start, end=length.end_from(start=start, anchor_day=start.day), anchor_day=start.day)

    @property
    def days(self) -> int:
        """Number of days in the term, by which its price is divided (R5)."""
        return (self.end - self.start).days

    @property
    def expires_at(self) -> datetime:
        """23:59:59 of the expiry date."""
        return clock.day_end(self.end)

    def contains(self, day: date) -> bool:
        """Whether the term runs on `day`; the expiry date belongs to it."""
        return self.start <= day <= self.end

    def renewed(self, *, length: TermLength, unified_day: int | None = None) -> Term:
        """The term after this one: from this expiry, by the kept anchor day, also when renewed late.

        A unified renewal date (`unified_day` 1–28, or 31 for the last day of the month) extends it to the next such
        day, which becomes the new anchor. Raises `ValueError` for another unified day.
        """
        end = length.end_from(start=self.end, anchor_day=self.anchor_day)
        if unified_day is None:
            return Term(start=self.end, end=end, anchor_day=self.anchor_day)
        if unified_day != LAST_DAY_OF_MONTH and not 1 <= unified_day <= 28:
            raise ValueError("A unified renewal date is a day from 1 to 28 or the last day of the month.")
        return Term(start=self.end, end=next_on_day(day=end, wanted=unified_day), anchor_day=unified_day)


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """When a yearly/monthly resource expires, loses its service and is released (R8)."""

    expires_at: datetime
    grace_from: datetime
    retention_from: datetime
    released_at: datetime


def life_cycle(*, expiry: date, grace_days: int = 15, retention_days: int = 15) -> LifeCycle:
    """The steps after an expiry date, each at the 00:00:00 that follows a 23:59:59 (R8)."""
    grace_from = expiry + timedelta(days=1)
    retention_from = grace_from + timedelta(days=grace_days)
    return LifeCycle(
        expires_at=clock.day_end(expiry),
        grace_from=clock.day_start(grace_from),
        retention_from=clock.day_start(retention_from),
        released_at=clock.day_start(retention_from + timedelta(days=retention_days)),
    )


def due_within(*, generated_at: datetime, days: int) -> datetime:
    """23:59:59 of the date of generation plus `days` (R12)."""
    return clock.day_end(clock.platform_date(generated_at) + timedelta(days=days))
