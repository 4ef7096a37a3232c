"""Reads of traces: the account's list, an object's history, keyset pages, the archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.models import Trace, TraceDigest
from audit.rules import canonical
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import policies
from koogallery.kernel.calls import Call
from koogallery.kernel.reasons import Missing

RECENT = 1_000
CHUNK = 2_000


def traces_of(account: Any, *, at: datetime | None = None) -> QuerySet[Trace]:
    """The traces that the account's list shows: its own, not older than `trace.console_days`, newest first."""
    return Trace.objects.filter(account_id=account.pk, time__gte=oldest_shown(at or clock.now()))


def oldest_shown(at: datetime) -> datetime:
    """The first moment that the list reaches (7 days = 168 hours)."""
    return at - timedelta(days=policies.in_force(at)["trace.console_days"])


def oldest_kept(at: datetime) -> datetime:
    """The first moment that the archive reaches."""
    return at - timedelta(days=policies.in_force(at)["trace.retention_days"])


def for_resource(account_id: int, resource_type: str, resource_id: str, limit: int = 20) -> list[Trace]:
    """The latest traces of one object, for its page; an account sees only its own."""
    return list(
        Trace.objects.filter(account_id=account_id, resource_id=resource_id, resource_type=resource_type).order_by(
            "-time", "-id"
        )[:limit]
    )


def of_case(account_id: int, resource_ids: Sequence[str], *, since: datetime) -> list[Trace]:
    """An account's traces of the objects of one case from a moment on, oldest first, for operations."""
    return list(
        Trace.objects.filter(account_id=account_id, resource_id__in=resource_ids, time__gte=since).order_by(
            "time", "id"
        )
    )


def own_trace(call: Call, key: Any) -> Trace:
    """A trace of the caller's account within the retention. Raises `Missing`."""
    try:
        trace_id = UUID(str(key))
    except ValueError:
        raise Missing(f"No trace {key}.") from None
    found = Trace.objects.filter(trace_id=trace_id, account_id=call.account_id, time__gte=oldest_kept(call.at)).first()
    if found is None:
        raise Missing(f"No trace {key}.")
    return found


def operators_of(account: Any, traces: QuerySet[Trace]) -> list[str]:
    """Whom the operator filter offers, with one query: the account's users and whoever acted lately."""
    recent = traces.order_by("-time", "-id").values_list("user_name", flat=True)[:RECENT]
    users = identity.active_users(account.pk).order_by().values_list("username", flat=True)
    return sorted(name for name in users.union(recent) if name)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a keyset list: its rows and the cursors of its neighbours, empty at either end."""

    rows: Sequence[Trace]
    newer: str
    older: str


def cursor_of(trace: Trace) -> str:
    """The place of a trace in a list, for the address."""
    passed = trace.time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{passed // timedelta(microseconds=1)}.{trace.pk}"


def read_cursor(text: str) -> tuple[datetime, int] | None:
    """The place that a cursor names; None when it is none."""
    moment, _dot, number = text.partition(".")
    if not moment.isdecimal() or not number.isdecimal() or len(moment) > 17 or len(number) > 18:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment)), int(number)


def page_of(traces: QuerySet[Trace], *, size: int, before: str = "", after: str = "") -> Page:
    """The page older than `before`, or newer than `after`, or the newest."""
    older, newer = read_cursor(before), read_cursor(after)
    if newer is not None and older is None:
        moment, number = newer
        later = traces.filter(Q(time__gt=moment) | Q(time=moment, pk__gt=number), time__gte=moment)
        rows = list(later.order_by("time", "id")[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        return Page(rows, cursor_of(rows[0]) if rows and more else "", cursor_of(rows[-1]) if rows else "")
    if older is not None:
        moment, number = older
        traces = traces.filter(Q(time__lt=moment) | Q(time=moment, pk__lt=number), time__lte=moment)
    rows = list(traces.order_by("-time", "-id")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(rows, cursor_of(rows[0]) if rows and older else "", cursor_of(rows[-1]) if rows and more else "")


def all_of(traces: QuerySet[Trace]) -> Iterator[Trace]:
    """Every trace, newest first, read page by page so that an export of any size needs little memory."""
    before = ""
    while True:
        page = page_of(traces, size=CHUNK, before=before)
        yield from page.rows
        if not page.older:
            return
        before = page.older


def digests_of(account_id: int) -> Iterator[dict[str, Any]]:
    """The account's digests as an auditor gets them, oldest first."""
    for digest in TraceDigest.objects.filter(account_id=account_id).order_by("number").iterator(chunk_size=100):
        yield {
            "account": digest.account_id,
            "count": digest.count,
            "end": canonical.milliseconds(digest.end),
            "hash": digest.hash,
            "leaves": digest.leaf_list(),
            "leaves_hash": digest.leaves_hash,
            "number": digest.number,
            "previous": digest.previous_hash,
            "signature": digest.signature,
            "start": canonical.milliseconds(digest.start),
        }
