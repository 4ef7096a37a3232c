"""Bills: from when a due date counts, when it ends, when it is reminded of (billing.md, R12)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from billing.rules.terms import due_within
from koogallery import clock

LATE_AFTER = timedelta(days=1)
REMINDER_DAYS = (-7, -1, 1, 7)
REMINDER_TIME = time(9)


def counts_from(*, generated_at: datetime, written_at: datetime) -> datetime:
    """From when a due date counts: the generation, or the writing when that came more than a day later."""
    return written_at if written_at - generated_at > LATE_AFTER else generated_at


def bill_due(*, generated_at: datetime, written_at: datetime, days: int) -> datetime:
    """When a bill is due: 23:59:59 of the day `days` after it was generated, or written if that was late (R12)."""
    return due_within(generated_at=counts_from(generated_at=generated_at, written_at=written_at), days=days)


def next_reminder(*, last_day: date, after: datetime) -> datetime | None:
    """The first reminder after a moment: at 09:00, 7 and 1 days before and after the last day; None after them."""
    return next((moment for moment in _reminders(last_day) if moment > after), None)


def reminder_to_send(*, due_at: datetime, upto: datetime) -> datetime | None:
    """Which of the reminders up to a moment is sent then: the latest, and only if what it says is still true.

    A reminder of a bill that is due soon is not sent once the bill is overdue.
    """
    latest = max((moment for moment in _reminders(clock.platform_date(due_at)) if moment <= upto), default=None)
    if latest is None or is_overdue(due_at=due_at, at=latest) != is_overdue(due_at=due_at, at=upto):
        return None
    return latest


def _reminders(last_day: date) -> list[datetime]:
    return [
        datetime.combine(last_day + timedelta(days=days), REMINDER_TIME, tzinfo=clock.platform_zone())
        for days in REMINDER_DAYS
    ]


def overdue_from(due_at: datetime) -> datetime:
    """The 00:00:00 after a due time of 23:59:59, when what was not repaid becomes overdue (R8)."""
    return clock.day_start(clock.platform_date(due_at) + timedelta(days=1))


def is_overdue(*, due_at: datetime, at: datetime) -> bool:
    """Whether what was due at a time is overdue at a moment; within the second of 23:59:59 it is not."""
    return at >= overdue_from(due_at)


def overdue_until(at: datetime) -> datetime:
    """The latest due time that is overdue at a moment, for queries: what is due later is not overdue."""
    return clock.day_start(clock.platform_date(at)) - timedelta(seconds=1)
