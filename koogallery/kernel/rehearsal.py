"""The rehearsal clock: the platform's time as a row, advanced by an operations manager (spec: The rehearsal clock)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from koogallery import clock
from koogallery.kernel import sweeps
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused

logger = logging.getLogger(__name__)

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def stands_at() -> datetime:
    """Where the clock stands; a fresh rehearsal starts at the configured date, else now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT stands_at FROM kernel_rehearsalclock WHERE id = 1")
        row = cursor.fetchone()
        if row:
            return row[0]
        start = settings.REHEARSAL_START or clock.real_now()
        cursor.execute(
            "INSERT INTO kernel_rehearsalclock (id, stands_at) VALUES (1, %s) ON CONFLICT DO NOTHING", [start]
        )
        cursor.execute("SELECT stands_at FROM kernel_rehearsalclock WHERE id = 1")
        return cursor.fetchone()[0]


def parse_duration(text: str) -> timedelta:
    """`"3 hours"`, `"90 minutes"`, `"1 day 2 hours"`. Raises `ValueError` for anything else."""
    parts = re.findall(r"(\d+)\s*(second|minute|hour|day|week)s?\b", text.lower())
    if not parts or re.sub(r"\d+\s*(second|minute|hour|day|week)s?\b|[\s,]|and", "", text.lower()):
        raise ValueError(f"{text!r} is not a duration such as “3 hours”.")
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in parts))


def next_deadline() -> datetime | None:
    """The earliest deadline that will act."""
    due = [moment for sweep in sweeps.sweeps.values() if (moment := sweep.next_due())]
    return min(due) if due else None


@operation("advanceClock", resource_type="RehearsalClock", roles={Role.OPERATOR, Role.SYSTEM})
def advance(call: Call, *, to: datetime) -> None:
    """Advance to `to`, running every deadline on the way in the order of time, as the workers would have.

    Raises `Refused("not_a_rehearsal")` or `Refused("clock_backwards")`.
    """
    if not clock.is_rehearsal():
        raise Refused("not_a_rehearsal")
    before = stands_at()
    if to < before:
        raise Refused("clock_backwards", now=before.isoformat())
    describe(resource_id="1", resource_name="rehearsal clock", before=before, after=to)


def walk(to: datetime, *, start: datetime | None = None) -> int:
    """Let every deadline up to `to` act, each at its own time; return how many rows acted.

    Runs outside the operation that permitted it, since each sweep commits by itself. Two walkers take turns.
    """
    acted = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('rehearsal-walk'))")
    try:
        now = start or stands_at()
        stuck: dict[str, datetime] = {}
        while True:
            due, sweep = _earliest(to, stuck)
            if sweep is None or due is None:
                break
            now = max(now, due)
            _stand(now)
            try:
                with clock.at(now):
                    count = sweep.run(now)
            except Exception:
                logger.exception("sweep_failed", extra={"sweep": sweep.name})
                count = 0
            acted += count
            if count == 0 and sweep.next_due() == due:
                stuck[sweep.name] = due
        _stand(to)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('rehearsal-walk'))")
    return acted


@contextmanager
def beside_walks() -> Iterator[bool]:
    """Whether a worker may run sweeps now: not while somebody advances the rehearsal clock, who runs them in order."""
    if not clock.is_rehearsal():
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock_shared(hashtext('rehearsal-walk'))")
        free = bool(cursor.fetchone()[0])
    try:
        yield free
    finally:
        if free:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_shared(hashtext('rehearsal-walk'))")


def _earliest(to: datetime, stuck: Mapping[str, datetime]) -> tuple[datetime | None, sweeps.Sweep | None]:
    """The next deadline up to `to` and whose it is; a sweep that could do nothing at its deadline is passed over."""
    found: tuple[datetime | None, sweeps.Sweep | None] = (None, None)
    for sweep in sweeps.sweeps.values():
        due = sweep.next_due()
        if due is None or due > to or stuck.get(sweep.name) == due:
            continue
        if found[0] is None or due < found[0]:
            found = (due, sweep)
    return found


def _stand(moment: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kernel_rehearsalclock AS c (id, stands_at) VALUES (1, %s) "
            "ON CONFLICT (id) DO UPDATE SET stands_at = greatest(c.stands_at, excluded.stands_at)",
            [moment],
        )


def advance_to(call: Call, to: datetime) -> int:
    """Permit, trace and walk; what the admin and `manage.py advance_clock` call."""
    advance(call, to=to)
    return walk(to)
