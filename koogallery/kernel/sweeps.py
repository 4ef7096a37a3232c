"""Sweeps: deadlines that act (R19). A due column is the truth; a tick asks each sweep what is due.

A `RowSweep` claims rows with `FOR UPDATE SKIP LOCKED` and acts on a chunk set-wise; a chunk that fails is bisected to
the failing row, which is backed off and then parked. A `JobSweep` wraps anything else that knows when it is next due.
A `Periodic` runs by a schedule row.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Protocol

from django.db import connection, transaction

from koogallery import clock
from koogallery.kernel import guard

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 6
BACKOFF = timedelta(minutes=1)
RETRY_PERIODIC = timedelta(minutes=5)


class Sweep(Protocol):
    """What the tick and the rehearsal clock ask of every sweep."""

    @property
    def name(self) -> str: ...

    def next_due(self) -> datetime | None:
        """The earliest moment at which this sweep has something to do, or None."""

    def run(self, upto: datetime) -> int:
        """Do everything due at or before `upto`; return how many rows were acted on."""


sweeps: dict[str, Sweep] = {}


def register(sweep: Sweep) -> None:
    """Add a sweep; called in `apps.py`. Raises `ValueError` when the name is taken."""
    if sweep.name in sweeps and type(sweeps[sweep.name]) is not type(sweep):
        raise ValueError(f"Sweep {sweep.name!r} is registered twice.")
    sweeps[sweep.name] = sweep


def tick(upto: datetime | None = None) -> dict[str, int]:
    """Run every sweep that has something due; a sweep that fails does not stop the others."""
    moment = upto or clock.now()
    done: dict[str, int] = {}
    for name, sweep in sweeps.items():
        try:
            due = sweep.next_due()
            if due is not None and due <= moment and (count := sweep.run(moment)):
                done[name] = count
        except Exception:
            logger.exception("sweep_failed", extra={"sweep": name})
    return done


@contextmanager
def _collecting_only_what_is_new() -> Iterator[None]:
    """Let Python's collector of garbage look between the chunks only, and not through the whole application."""
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class RowSweep:
    """Rows of `table` whose `due_column` has passed. `act(ids, upto)` changes them set-wise in one transaction.

    `act` must clear or move the due column, date its effect at the row's due time, and write traces itself. It answers
    the rows that it leaves to the next tick, as somebody holds what is locked before them; a sweep that has claimed
    rows never waits for that. `where` is SQL that matches the partial index.
    """

    name: str
    table: str
    due_column: str
    act: Callable[[list[int], datetime], Collection[int] | None]
    where: str = "TRUE"
    chunk: int = 1000

    def next_due(self) -> datetime | None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t.{self.due_column} FROM {self.table} t "  # noqa: S608  names come from code
                f"WHERE t.{self.due_column} IS NOT NULL AND ({self.where}) "
                f"AND {self._not_failed()} ORDER BY t.{self.due_column} LIMIT 1",
                [self.name],
            )
            row = cursor.fetchone()
            cursor.execute(
                "SELECT min(next_try_at) FROM kernel_sweepfailure WHERE sweep = %s AND parked_at IS NULL",
                [self.name],
            )
            retry = cursor.fetchone()[0]
        moments = [moment for moment in (row and row[0], retry) if moment]
        return min(moments) if moments else None

    def _not_failed(self) -> str:
        return "NOT EXISTS (SELECT 1 FROM kernel_sweepfailure f WHERE f.sweep = %s AND f.row_id = t.id)"

    def run(self, upto: datetime) -> int:
        total = 0
        before: tuple[list[int], datetime | None] = ([], None)
        with _collecting_only_what_is_new():
            while ids := self._run_chunk(upto):
                due = self.next_due() if ids == before[0] else None
                if due is not None and due == before[1]:
                    raise RuntimeError(
                        f"Sweep {self.name!r} acts again and again: it leaves {self.due_column} as it was."
                    )
                total, before = total + len(ids), (ids, due)
                gc.collect()
        return total + self._retry_failed(upto)

    def _run_chunk(self, upto: datetime) -> list[int]:
        ids: list[int] = []
        left: Collection[int] = ()
        try:
            with transaction.atomic(), guard.opened(f"sweep:{self.name}"):
                ids = self._claim(upto)
                if ids:
                    left = self.act(ids, upto) or ()
        except Exception:
            if not ids:
                raise
            logger.exception("sweep_chunk_failed", extra={"sweep": self.name, "rows": len(ids)})
            self._bisect(ids, upto)
        return [row_id for row_id in ids if row_id not in left] if left else ids

    def _claim(self, upto: datetime) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t.id FROM {self.table} t "  # noqa: S608  names come from code
                f"WHERE t.{self.due_column} <= %s AND ({self.where}) "
                f"AND {self._not_failed()} ORDER BY t.{self.due_column}, t.id LIMIT %s FOR UPDATE SKIP LOCKED",
                [upto, self.name, self.chunk],
            )
            return [row[0] for row in cursor.fetchall()]

    def _claim_again(self, ids: list[int], upto: datetime) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t.id FROM {self.table} t "  # noqa: S608  names come from code
                f"WHERE t.id = ANY(%s) AND t.{self.due_column} <= %s AND ({self.where}) "
                f"ORDER BY t.{self.due_column}, t.id FOR UPDATE SKIP LOCKED",
                [ids, upto],
            )
            return [row[0] for row in cursor.fetchall()]

    def _bisect(self, ids: list[int], upto: datetime) -> None:
        if len(ids) == 1:
            self._one(ids[0], upto)
            return
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            try:
                with transaction.atomic(), guard.opened(f"sweep:{self.name}"):
                    if claimed := self._claim_again(half, upto):
                        self.act(claimed, upto)
            except Exception:
                self._bisect(half, upto)

    def _one(self, row_id: int, upto: datetime) -> None:
        """Act on a single row; on failure back it off, after `MAX_ATTEMPTS` park it."""
        try:
            with transaction.atomic(), guard.opened(f"sweep:{self.name}"):
                if claimed := self._claim_again([row_id], upto):
                    self.act(claimed, upto)
                with connection.cursor() as cursor:
                    cursor.execute(
                        "DELETE FROM kernel_sweepfailure WHERE sweep = %s AND row_id = %s",
                        [self.name, row_id],
                    )
        except Exception as fault:
            self._note_failure(row_id, upto, f"{type(fault).__name__}: {fault}"[:2000])

    def _note_failure(self, row_id: int, upto: datetime, error: str) -> None:
        logger.error("sweep_row_failed", extra={"sweep": self.name, "row": row_id, "error": error})
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO kernel_sweepfailure AS f (sweep, row_id, attempts, next_try_at, error) "
                "VALUES (%s, %s, 1, %s, %s) "
                "ON CONFLICT (sweep, row_id) DO UPDATE SET attempts = f.attempts + 1, error = excluded.error, "
                "next_try_at = CASE WHEN f.attempts + 1 < %s THEN %s + f.attempts * f.attempts * %s::interval END, "
                "parked_at = CASE WHEN f.attempts + 1 >= %s THEN %s END",
                [
                    self.name,
                    row_id,
                    upto + BACKOFF,
                    error,
                    MAX_ATTEMPTS,
                    upto,
                    str(BACKOFF * 4),
                    MAX_ATTEMPTS,
                    upto,
                ],
            )

    def _retry_failed(self, upto: datetime) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT row_id FROM kernel_sweepfailure WHERE sweep = %s AND next_try_at <= %s AND parked_at IS NULL",
                [self.name, upto],
            )
            due = [row[0] for row in cursor.fetchall()]
        for row_id in due:
            self._one(row_id, upto)
        return len(due)


@dataclass(frozen=True)
class JobSweep:
    """Work that is due at moments it knows itself, such as calls to other servers."""

    name: str
    due: Callable[[], datetime | None]
    work: Callable[[datetime], int]

    def next_due(self) -> datetime | None:
        return self.due()

    def run(self, upto: datetime) -> int:
        return self.work(upto)


@dataclass(frozen=True)
class Periodic:
    """A job that runs every `every`, or daily at `daily_at` in the platform zone. Missed runs are made up once.

    Claimed by one conditional UPDATE, so that two ticks run it once; a failed run is repeated five minutes later.
    """

    name: str
    work: Callable[[datetime], object]
    every: timedelta | None = None
    daily_at: time | None = None

    def _next_after(self, moment: datetime) -> datetime:
        if self.daily_at is not None:
            local = moment.astimezone(clock.platform_zone())
            today = local.replace(
                hour=self.daily_at.hour,
                minute=self.daily_at.minute,
                second=self.daily_at.second,
                microsecond=0,
            )
            return today if today > local else today + timedelta(days=1)
        assert self.every is not None
        return moment + self.every

    def next_due(self) -> datetime | None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT next_due_at FROM kernel_schedule WHERE name = %s", [self.name])
            row = cursor.fetchone()
            if row:
                return row[0]
            first = self._next_after(clock.now()) if self.daily_at is not None else clock.now()
            cursor.execute(
                "INSERT INTO kernel_schedule (name, next_due_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [self.name, first],
            )
            return first

    def run(self, upto: datetime) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE kernel_schedule SET next_due_at = %s, last_run_at = %s WHERE name = %s AND next_due_at <= %s "
                "RETURNING name",
                [self._next_after(upto), upto, self.name, upto],
            )
            if not cursor.fetchone():
                return 0
        try:
            self.work(upto)
        except Exception:
            self._try_again_soon(upto)
            raise
        return 1

    def _try_again_soon(self, upto: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE kernel_schedule SET next_due_at = least(next_due_at, %s) WHERE name = %s",
                [upto + RETRY_PERIODIC, self.name],
            )
