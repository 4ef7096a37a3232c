"""The hourly digest: per account, the hashes of its newly sealed traces, chained to the digest before and signed.

A digest's `end` is a promise: every trace recorded before it is in the chain. So the end lies `MARGIN` before the
moment of digesting, and no digest is made until all transactions have ended that were writing traces when it began.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit import signing
from audit.models import Trace, TraceDigest, TraceSeal
from audit.rules import canonical
from koogallery.kernel import guard

logger = logging.getLogger(__name__)

CHUNK = 5_000
NO_ACCOUNT = 0
MARGIN = timedelta(minutes=1)
WAITS, WAIT_SECONDS = 100, 0.1

Leaf = tuple[str, int, str, int, int]


Seals = dict[UUID, Sequence[Any]]
"""Time, seal, writer and number by trace ID."""


class StillWriting(RuntimeError):
    """A transaction has been writing traces for longer than the digest waits; the sweep tries again later."""


def digest_due(upto: datetime) -> int:
    """Take every trace recorded until a minute before `upto` into a digest of its account; return how many were made.

    A seal that fits no row stays and its row stays out, so that verification goes on naming it. Raises `StillWriting`.
    """
    made = 0
    _wait_for_writers()
    end = upto - MARGIN
    for account_id in _accounts_waiting(end):
        with transaction.atomic(), guard.opened("trace-digests"), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('audit-digests'))")
            for seals in _chunks(account_id, end):
                if leaves := _leaves(account_id, seals, end):
                    digest = _write(account_id, leaves, end)
                    cursor.execute(
                        "SELECT audit_take_seals(%s, %s, %s::uuid[])",
                        [digest.account_id, digest.number, [leaf[0] for leaf in leaves]],
                    )
                    made += 1
    return made


def _wait_for_writers() -> None:
    """Until every other transaction that is writing traces now has ended; those that begin meanwhile do not count."""
    waited_for = _writers()
    for _turn in range(WAITS):
        if not waited_for:
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [WAIT_SECONDS])
        waited_for &= _writers()
    if waited_for:
        raise StillWriting(f"{len(waited_for)} transactions were still writing traces.")


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND relation = %s::regclass AND pid <> pg_backend_pid()",
            [TraceSeal._meta.db_table],
        )
        return {name for (name,) in cursor.fetchall()}


def _accounts_waiting(end: datetime) -> list[int | None]:
    seals = TraceSeal.objects.filter(time__lt=end).order_by("account_id")
    return list(seals.values_list("account_id", flat=True).distinct())


def _chunks(account_id: int | None, end: datetime) -> Iterator[Seals]:
    """The waiting seals; a trace is never recorded before its time, so none recorded before `end` is left out."""
    seals = TraceSeal.objects.filter(account_id=account_id, time__lt=end).order_by("time", "trace_id")
    rows = seals.values_list("trace_id", "time", "seal", "writer", "number")
    for _number, group in groupby(enumerate(list(rows)), key=lambda pair: pair[0] // CHUNK):
        yield {trace_id: seal for _index, (trace_id, *seal) in group}


def _leaves(account_id: int | None, seals: Seals, end: datetime) -> list[Leaf]:
    """The traces recorded before `end` whose row is what was sealed, in the order of time."""
    times = [time for time, *_seal in seals.values()]
    traces = Trace.objects.filter(
        account_id=account_id,
        trace_id__in=list(seals),
        time__gte=min(times),
        time__lte=max(times),
        record_time__lt=end,
    ).order_by("time", "id")
    found: dict[UUID, Leaf] = {}
    for trace in traces:
        digest = trace.hash
        _time, seal, writer, number = seals[trace.trace_id]
        if signing.seal(digest) == seal:
            leaf = (str(trace.trace_id), canonical.milliseconds(trace.time), digest, writer, number)
            found.setdefault(trace.trace_id, leaf)
    return list(found.values())


def _write(account_id: int | None, leaves: Iterable[Leaf], end: datetime) -> TraceDigest:
    account = account_id or NO_ACCOUNT
    before = TraceDigest.objects.filter(account_id=account).order_by("-number").first()
    listed = canonical.text(list(leaves)).encode()
    end = max(end, before.end) if before else end
    digest = TraceDigest(
        account_id=account,
        number=before.number + 1 if before else 1,
        start=before.end if before else end,
        end=end,
        count=len(list(leaves)),
        leaves=zlib.compress(listed),
        leaves_hash=hashlib.sha256(listed).hexdigest(),
        previous_hash=before.hash if before else "",
    )
    text = digest.signed_text()
    digest.hash = hashlib.sha256(text.encode()).hexdigest()
    digest.signature = signing.sign(text)
    digest.save(force_insert=True)
    logger.info("trace_digest_made", extra={"account": account, "number": digest.number, "hash": digest.hash})
    return digest
