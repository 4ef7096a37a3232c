"""The platform's clock: the only place that reads the machine's time (R16).

Business code takes the moment from its `Call` (`call.at`); edges (requests, tasks, commands) ask `now()` once.
In a rehearsal the time stands still in the database between advances, so that every process sees the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

_frozen: ContextVar[datetime | None] = ContextVar("frozen_moment", default=None)
_rehearsed: Callable[[], datetime] | None = None


def real_now() -> datetime:
    """The machine's time in UTC; for sessions, TLS and timestamps sent to other servers."""
    return datetime.fromtimestamp(time.time(), tz=UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring durations."""
    return time.monotonic()


def now() -> datetime:
    """The platform's time in UTC: frozen by a test or sweep, else rehearsed, else real."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    if _rehearsed is not None:
        return _rehearsed()
    return real_now()


def use_rehearsal(source: Callable[[], datetime] | None) -> None:
    """Let `source` tell the platform's time (an installation started as a rehearsal), or stop doing so."""
    global _rehearsed
    _rehearsed = source


def is_rehearsal() -> bool:
    """Whether this installation rehearses."""
    return bool(getattr(settings, "REHEARSAL", False))


@contextmanager
def at(moment: datetime) -> Iterator[datetime]:
    """Let the platform's time stand at `moment` (aware) inside the block, for this context only."""
    if moment.tzinfo is None:
        raise ValueError("A moment needs a zone.")
    token = _frozen.set(moment.astimezone(UTC))
    try:
        yield moment
    finally:
        _frozen.reset(token)


def platform_zone() -> ZoneInfo:
    """The zone in which every deadline is computed (R1); GMT+08:00 unless the operator sets another."""
    return ZoneInfo(settings.PLATFORM_ZONE)


def platform_date(moment: datetime) -> date:
    """The calendar date of a moment in the platform zone."""
    return moment.astimezone(platform_zone()).date()


def day_start(day: date) -> datetime:
    """00:00:00 of a platform day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=platform_zone()).astimezone(UTC)


def day_end(day: date) -> datetime:
    """23:59:59 of a platform day, in UTC."""
    return day_start(day + timedelta(days=1)) - timedelta(seconds=1)
