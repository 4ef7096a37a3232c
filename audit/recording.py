"""Writing traces: the kernel's `record` port, and the set-wise form for sweeps.

A trace and its numbered seal go in with one statement, in the transaction of what they tell of.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from audit import columns, partitions, signing
from audit.models import Trace
from audit.rules import canonical
from koogallery import clock
from koogallery.kernel import guard, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Role, TraceType, system_call
from koogallery.kernel.operations import Rating, TraceEntry, current_trace_id, present, registry

SHORT = 2000
"""Texts up to this length stand in traces in full, as `present` has it."""

ALWAYS_RECORDED = frozenset({"enableTracker", "disableTracker"})

_ROW = "(" + ", ".join(f"%s::{kind}" for kind in columns.TYPES.values()) + ")"
_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in [*columns.TYPES.values(), "text"])
_COUNTED = (
    "counted AS (INSERT INTO audit_tracewriter AS w (writer, count) VALUES (pg_backend_pid(), {added}) "
    "ON CONFLICT (writer) DO UPDATE SET count = w.count + excluded.count RETURNING writer, count)"
)
_SEALED = "INSERT INTO audit_traceseal (trace_id, account_id, time, seal, writer, number) "
_SEAL_ONE = (
    _SEALED + "SELECT %s::uuid, %s::bigint, %s::timestamptz, %s::text, writer, count FROM counted"  # noqa: S608  only constants
)
_INSERT_ONE = (
    f"WITH written AS (INSERT INTO {columns.TABLE} ({columns.NAMES}) VALUES {_ROW}), "  # noqa: S608  only constants
    f"{_COUNTED.format(added=1)} {_SEAL_ONE}"
)
_INSERT_READ = (
    f"WITH written AS (INSERT INTO {columns.TABLE} ({columns.NAMES}) VALUES {_ROW}), "  # noqa: S608  only constants
    "quick AS (SELECT set_config('synchronous_commit', 'off', true)), "
    f"{_COUNTED.format(added=1)} {_SEAL_ONE}, quick"
)
"""For a read on its own: its commit does not wait for the disk. Inside a transaction, that would not wait either."""
_INSERT_MANY = (
    f"WITH given AS (SELECT *, row_number() OVER () AS place FROM unnest({_ARRAYS}) AS g ({columns.NAMES}, seal)), "  # noqa: S608  only constants
    f"written AS (INSERT INTO {columns.TABLE} ({columns.NAMES}) SELECT {columns.NAMES} FROM given), "
    "size AS (SELECT count(*) AS size FROM given), "
    f"{_COUNTED.format(added='(SELECT size FROM size)')} {_SEALED} "
    "SELECT trace_id, account_id, time, seal, writer, count - size + place FROM given, size, counted"
)

_OF_EACH = ("trace_id", "time", "record_time", "account_id", "resource_id", "resource_name", "request", "response")
_EACH = ", ".join(f"%s::{kind}[]" for kind in [*(columns.TYPES[name] for name in _OF_EACH), "text"])
_SHARED = [name for name in columns.TYPES if name not in _OF_EACH]
_INSERT_LIKE = (
    f"WITH given AS (SELECT *, row_number() OVER () AS place FROM unnest({_EACH}) AS g ({', '.join(_OF_EACH)}, seal)), "  # noqa: S608  only constants
    f"written AS (INSERT INTO {columns.TABLE} ({', '.join([*_OF_EACH, *_SHARED])}) "
    f"SELECT {', '.join([*_OF_EACH, *(f'%s::{columns.TYPES[name]}' for name in _SHARED)])} FROM given), "
    "size AS (SELECT count(*) AS size FROM given), "
    f"{_COUNTED.format(added='(SELECT size FROM size)')} {_SEALED} "
    "SELECT trace_id, account_id, time, seal, writer, count - size + place FROM given, size, counted"
)
"""For traces that differ only in what happened to which object when."""


def is_recorded(entry: TraceEntry) -> bool:
    """Whether the tracker lets this through: switched off, an account's own operations are left out."""
    account = entry.call.account
    if account is None or getattr(account, "tracker_enabled", True):
        return True
    return entry.call.role in (Role.OPERATOR, Role.SYSTEM) or entry.operation.name in ALWAYS_RECORDED


def write(entries: Sequence[TraceEntry]) -> None:
    """Write the traces of one operation and of those inside it; fills `kernel.operations.ports.record`."""
    if len(entries) == 1:
        record(entries[0])
    else:
        record_many(entries)


def record(entry: TraceEntry) -> None:
    """Write one trace."""
    if not is_recorded(entry):
        return
    trace = trace_of(entry, recorded=max(clock.now(), entry.call.at))
    partitions.ensure(trace.time)
    alone = entry.operation.read and not connection.in_atomic_block
    with guard.opened("trace"), prepared.cursor() as cursor:
        cursor.execute(
            _INSERT_READ if alone else _INSERT_ONE,
            [*_values(trace), trace.trace_id, trace.account_id, trace.time, signing.seal(trace.hash)],
        )


def record_many(entries: Iterable[TraceEntry]) -> None:
    """Write many traces with one statement."""
    recorded = clock.now()
    traces = [trace_of(entry, recorded=max(recorded, entry.call.at)) for entry in entries if is_recorded(entry)]
    _insert(traces)


def system_traces(
    name: str,
    *,
    rows: Sequence[tuple[int | None, str, str, datetime, dict[str, Any], dict[str, Any]]],
    on_behalf_of: str = "",
    rating: Rating = Rating.NORMAL,
    project: str = "",
) -> None:
    """One `SystemAction` per row of a sweep, with one statement for all.

    Rows are `(account id, resource id, resource name, moment, request, response)`; the operation `name` must be
    in the registry. Raises `KeyError` when it is not.
    """
    operation, call = registry[name], system_call(on_behalf_of=on_behalf_of)
    if not rows:
        return
    entry = TraceEntry(
        operation=operation,
        call=call,
        trace_id=uuid.uuid4(),
        rating=rating,
        code="200",
        message="",
        request={},
        response={},
        project=project,
        parent=current_trace_id(),
    )
    _insert_alike(
        trace_of(entry, recorded=call.at),
        [
            (
                trace_id,
                at,
                max(call.at, at),
                account_id,
                _clean(resource_id[:128]),
                _clean(resource_name[:255]),
                _presented_text(request),
                _presented_text(response),
            )
            for trace_id, (account_id, resource_id, resource_name, at, request, response) in zip(
                _new_ids(len(rows)), rows, strict=True
            )
        ],
    )


def trace_of(entry: TraceEntry, *, recorded: datetime, at: datetime | None = None) -> Trace:
    """The row that tells of `entry`; not yet written."""
    call, operation = entry.call, entry.operation
    user = call.user
    return Trace(
        trace_id=entry.trace_id,
        time=at or call.at,
        record_time=recorded,
        account_id=entry.account_id,
        user_type=call.role.value,
        user_id=call.user_id,
        user_name=str(getattr(user, "username", "") or call.on_behalf_of)[:150],
        user_account=str(getattr(call.account, "name", ""))[:150],
        user_is_root=bool(getattr(user, "is_root", False)),
        access_key=call.access_key[:64],
        source_ip=call.address[:45],
        resource_type=operation.resource_type,
        resource_id=_clean(entry.resource_id),
        resource_name=_clean(entry.resource_name),
        trace_name=operation.name,
        trace_rating=entry.rating.value,
        trace_type=(TraceType.SYSTEM if call.role is Role.SYSTEM else call.trace_type).value,
        request=_cleaned(entry.request),
        response=_cleaned(entry.response),
        code=entry.code,
        message=_clean(entry.message),
        request_id=call.request_id[:64],
        read_only=operation.read,
        enterprise_project_id=entry.project[:64],
        parent_trace=entry.parent,
    )


def _clean(text: str) -> str:
    """Without what PostgreSQL cannot store."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value


def _values(trace: Trace) -> list[Any]:
    return [
        canonical.text(value) if column in ("request", "response") else value
        for column in columns.TYPES
        for value in (getattr(trace, column),)
    ]


def _new_ids(count: int) -> list[str]:
    """Random trace ids as texts: UUIDs of version 4 from one draw."""
    drawn = os.urandom(16 * count).hex()
    return [
        f"{each[:8]}-{each[8:12]}-4{each[13:16]}-{'89ab'[int(each[16], 16) & 3]}{each[17:20]}-{each[20:]}"
        for each in [drawn[start : start + 32] for start in range(0, 32 * count, 32)]
    ]


def _presented_text(values: dict[str, Any]) -> str:
    """The canonical text of `present(values)`, cleaned; quick where every value is a short plain text."""
    for value in values.values():
        if type(value) is not str or len(value) > SHORT or not value.isascii() or "\x00" in value:
            break
    else:
        if _are_plain(tuple(values)):
            return canonical.text(values)
    return canonical.text(_cleaned(present(values)))


@lru_cache(maxsize=1024)
def _are_plain(names: tuple[Any, ...]) -> bool:
    """Whether names go into a trace as they are, and their values, too."""
    given = dict.fromkeys(names, "")
    return all(type(name) is str for name in names) and bool(_cleaned(present(given)) == given)


def _insert(traces: Sequence[Trace]) -> None:
    if not traces:
        return
    _ensure_partitions([trace.time for trace in traces])
    rows = [[*_values(trace), signing.seal(trace.hash)] for trace in traces]
    with guard.opened("trace"), prepared.cursor() as cursor:
        cursor.execute(_INSERT_MANY, [array(column) for column in zip(*rows, strict=True)])


def _insert_alike(alike: Trace, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write one trace like `alike` for each row of `_OF_EACH`, whose request and response are canonical texts."""
    _ensure_partitions([at for _, at, *_ in rows])
    fill = canonical.filler(
        alike.public_fields(), [{"account_id": "resource_account_id"}.get(name, name) for name in _OF_EACH]
    )
    text, milliseconds, seal = canonical.text, canonical.milliseconds, signing.sealer()
    seals = [
        seal(
            canonical.text_hash(
                fill(
                    (
                        f'"{trace_id}"',
                        str(milliseconds(at)),
                        str(milliseconds(recorded)),
                        text(account_id),
                        text(resource_id),
                        text(resource_name),
                        request,
                        response,
                    )
                )
            )
        )
        for trace_id, at, recorded, account_id, resource_id, resource_name, request, response in rows
    ]
    shared = [getattr(alike, name) for name in _SHARED]
    with guard.opened("trace"), prepared.cursor() as cursor:
        cursor.execute(_INSERT_LIKE, [*(array(column) for column in zip(*rows, strict=True)), array(seals), *shared])


def _ensure_partitions(moments: Sequence[datetime]) -> None:
    first, last = partitions.start_of(min(moments)), partitions.start_of(max(moments))
    for start in {first, last} if last - first <= partitions.LENGTH else {partitions.start_of(at) for at in moments}:
        partitions.ensure(start)
