"""The hourly digest: per account, the hashes of its newly sealed traces, chained to the digest before and signed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import connection, transaction

from audit import signing
from audit.models import Trace, TraceDigest, TraceSeal
from audit.rules import canonical
from koogallery.kernel import guard

CHUNK = 5_000
NO_ACCOUNT = 0

Leaf = tuple[str, int, str]


def digest_due(upto: datetime) -> int:
    """Take every sealed trace into a digest of its account; return how many digests were made.

    A seal that fits no row stays and its row stays out, so that verification goes on naming it.
    """
    made = 0
    for account_id in _accounts_waiting():
        with transaction.atomic(), guard.opened("trace-digests"), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('audit-digests'))")
            for seals in _chunks(account_id):
                if leaves := _leaves(account_id, seals):
                    _write(account_id, leaves, upto)
                    TraceSeal.objects.filter(trace_id__in=[leaf[0] for leaf in leaves]).delete()
                    made += 1
    return made


def _accounts_waiting() -> list[int | None]:
    return list(TraceSeal.objects.order_by("account_id").values_list("account_id", flat=True).distinct())


def _chunks(account_id: int | None) -> Iterator[dict[UUID, tuple[datetime, str]]]:
    seals = TraceSeal.objects.filter(account_id=account_id).order_by("time", "trace_id")
    rows = seals.values_list("trace_id", "time", "seal")
    for _number, group in groupby(enumerate(list(rows)), key=lambda pair: pair[0] // CHUNK):
        yield {trace_id: (time, seal) for _index, (trace_id, time, seal) in group}


def _leaves(account_id: int | None, seals: dict[UUID, tuple[datetime, str]]) -> list[Leaf]:
    """The traces whose row is what was sealed, in the order of time."""
    times = [time for time, _seal in seals.values()]
    traces = Trace.objects.filter(
        account_id=account_id, trace_id__in=list(seals), time__gte=min(times), time__lte=max(times)
    ).order_by("time", "id")
    found: dict[UUID, Leaf] = {}
    for trace in traces:
        digest = trace.hash
        if signing.seal(digest) == seals[trace.trace_id][1]:
            found.setdefault(trace.trace_id, (str(trace.trace_id), canonical.milliseconds(trace.time), digest))
    return list(found.values())


def _write(account_id: int | None, leaves: Iterable[Leaf], end: datetime) -> TraceDigest:
    account = account_id or NO_ACCOUNT
    before = TraceDigest.objects.filter(account_id=account).order_by("-number").first()
    listed = canonical.text(list(leaves)).encode()
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
    return digest
