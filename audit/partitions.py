"""The trace table's partitions: thirty days each, made ahead, dropped whole when their retention has passed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from audit import columns
from koogallery.kernel import guard, policies

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
LENGTH = timedelta(days=30)
AHEAD = timedelta(days=90)

_known: set[tuple[str, datetime]] = set()
_made: dict[tuple[str, datetime], Callable[[], None]] = {}
"""What runs when the transaction that made a partition commits; a rollback forgets it."""


def start_of(moment: datetime) -> datetime:
    """The first moment of the partition that a trace of `moment` belongs to."""
    return EPOCH + (moment - EPOCH) // LENGTH * LENGTH


def name_of(start: datetime) -> str:
    """The partition's table."""
    return f"{columns.TABLE}_p{start:%Y%m%d}"


def ensure(moment: datetime) -> None:
    """Make the partition for `moment` unless it exists; a partition known to this process costs nothing."""
    start = start_of(moment)
    known = (str(connection.settings_dict["NAME"]), start)
    if known in _known:
        return
    if _exists(start):
        if not _may_be_undone(known):
            _known.add(known)
        return
    with transaction.atomic(), guard.opened("trace-partitions"):
        _create(start)
    _made[known] = lambda: _known.add(known)
    transaction.on_commit(_made[known])


def _may_be_undone(known: tuple[str, datetime]) -> bool:
    """Whether the running transaction made the partition, so that its rollback would take it away again."""
    kept = _made.get(known)
    return any(each[1] is kept for each in connection.run_on_commit)


def _exists(start: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name_of(start)])
        return bool(cursor.fetchone()[0])


def _create(start: datetime) -> None:
    """Built beside the table and then attached, which lets others go on writing; done by the table's owner."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_make_partition(%s, %s)", [start, f"{LENGTH.days} days"])


def existing() -> list[datetime]:
    """The first moments of the partitions that exist, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [columns.TABLE],
        )
        return [datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC) for (name,) in cursor.fetchall()]


def keep(at: datetime) -> list[str]:
    """Make the partitions of the next 90 days; drop those whose every trace is past `trace.retention_days`."""
    ahead = at
    while ahead <= at + AHEAD:
        ensure(ahead)
        ahead += LENGTH
    oldest = at - timedelta(days=policies.in_force(at)["trace.retention_days"])
    dropped = []
    for start in existing():
        if start + LENGTH <= oldest:
            with transaction.atomic(), guard.opened("trace-retention"), connection.cursor() as cursor:
                cursor.execute("SELECT audit_drop_partition(%s, %s)", [start, f"{LENGTH.days} days"])
            _known.discard((str(connection.settings_dict["NAME"]), start))
            dropped.append(name_of(start))
    return dropped
