"""Checking that traces are as they were written: in the database, or in an export with its digests and public key.

Every trace must be named once, with its hash, by a digest of the unbroken signed chain of its account or, while it is
newer than the last digest, by its seal. What fits nowhere was inserted, what is named but gone was removed, what has
another hash was changed. Each writer numbers its traces without a gap, so that a trace that left together with its
seal or digest is missed by its number; that is checked when all accounts are. Traces whose partition was dropped after
the retention are not missed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from audit import columns, partitions, queries, signing
from audit.models import Trace, TraceDigest, TraceSeal, TraceWriter
from audit.operations.digesting import NO_ACCOUNT
from audit.rules import canonical


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was written: `changed`, `removed`, `inserted`, or a `digest` that does not hold.

    `unproven` is what no digest holds yet, in an export.
    """

    kind: str
    account: int
    trace_id: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: account {self.account} {self.trace_id} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found."""

    traces: int
    digests: int
    findings: Sequence[Finding]


Leaves = dict[str, tuple[int, str, Sequence[int]]]
"""Time, hash, and writer with number (none in digests made before traces were numbered) by trace ID."""


def verify(account_ids: Sequence[int] | None = None) -> Report:
    """Check the given accounts (0 for traces of no account), or all."""
    numbers = _Numbers(_counts())
    ids = sorted(_all_accounts()) if account_ids is None else account_ids
    traces = digests = 0
    findings: list[Finding] = []
    for account in ids:
        with _snapshot():
            seen, chained, found = _verify_account(account, _oldest_kept(), numbers)
        traces, digests = traces + seen, digests + chained
        findings += found
    if account_ids is None:
        findings += numbers.findings(_counts())
    return Report(traces, digests, findings)


class _Numbers:
    """Which of the numbers that each writer had given when verification began were seen in seals and digests."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._counts = counts
        self._seen = {writer: bytearray(count + 1) for writer, count in counts.items()}
        self._highest: dict[int, int] = {}

    def saw(self, writer: int, number: int) -> None:
        if number <= self._counts.get(writer, 0):
            self._seen[writer][number] = 1
        self._highest[writer] = max(number, self._highest.get(writer, 0))

    def findings(self, counts_now: Mapping[int, int]) -> Iterator[Finding]:
        """The numbers that nothing has, and the writers whose count was set back."""
        for writer, seen in self._seen.items():
            seen[0] = 1
            first = seen.find(0)
            while first >= 0:
                after = seen.find(1, first)
                last = (after if after >= 0 else len(seen)) - 1
                missing = f"{last - first + 1} traces and what proved them are gone"
                yield Finding("removed", NO_ACCOUNT, f"writer {writer} numbers {first} to {last}", missing)
                first = seen.find(0, last + 1)
        for writer, highest in self._highest.items():
            if highest > counts_now.get(writer, 0):
                yield Finding("removed", NO_ACCOUNT, f"writer {writer}", "its count of traces was set back")


def _counts() -> dict[int, int]:
    return dict(TraceWriter.objects.values_list("writer", "count"))


@contextmanager
def _snapshot() -> Iterator[None]:
    """Let every statement of the block see the same moment, and no partition leave meanwhile.

    Inside a transaction, its own isolation holds.
    """
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute(f"LOCK TABLE {columns.TABLE} IN ACCESS SHARE MODE")
        yield


def _all_accounts() -> set[int]:
    found = {account or NO_ACCOUNT for account in _accounts_with_traces()}
    found |= set(TraceDigest.objects.order_by().values_list("account_id", flat=True).distinct())
    found |= {account or NO_ACCOUNT for account in TraceSeal.objects.values_list("account_id", flat=True).distinct()}
    return found


def _accounts_with_traces() -> Iterator[int | None]:
    """Distinct accounts by walking the index, which is quick however many traces there are."""
    if Trace.objects.filter(account_id__isnull=True).exists():
        yield None
    at = 0
    while True:
        following = Trace.objects.filter(account_id__gt=at).order_by("account_id").values_list("account_id", flat=True)
        account = following.first()
        if account is None:
            return
        yield account
        at = account


def _oldest_kept() -> int:
    kept = partitions.existing()
    return canonical.milliseconds(kept[0]) if kept else 0


def _verify_account(account: int, oldest: int, numbers: _Numbers) -> tuple[int, int, list[Finding]]:
    leaves, digests, findings = check_chain(queries.digests_of(account), account=account)
    sealed: dict[UUID, str] = {}
    seals = TraceSeal.objects.filter(account_id=account or None)
    for trace_id, seal, *place in seals.values_list("trace_id", "seal", "writer", "number"):
        sealed[trace_id] = seal
        numbers.saw(*place)
    for _time, _hash, numbered in leaves.values():
        if numbered:
            numbers.saw(*numbered)
    traces = Trace.objects.filter(account_id=account or None)
    seen: set[str] = set()
    count = 0
    for trace in queries.all_of(traces):
        count += 1
        name, digest = str(trace.trace_id), trace.hash
        if name in seen:
            findings.append(Finding("inserted", account, name, f"{trace.trace_name}: there are two of this trace ID"))
            continue
        seen.add(name)
        if name in leaves:
            if leaves[name][1] != digest:
                findings.append(Finding("changed", account, name, trace.trace_name))
        elif trace.trace_id in sealed:
            if sealed[trace.trace_id] != signing.seal(digest):
                findings.append(Finding("changed", account, name, trace.trace_name))
        else:
            findings.append(Finding("inserted", account, name, trace.trace_name))
    findings += [
        Finding("removed", account, name, _moment(time))
        for name, (time, _hash, _place) in leaves.items()
        if name not in seen and time >= oldest
    ]
    findings += [
        Finding("removed", account, str(name), "newer than the last digest") for name in sealed if str(name) not in seen
    ]
    return count, digests, findings


def check_chain(
    digests: Iterable[Mapping[str, Any]], *, account: int, key: Ed25519PublicKey | None = None
) -> tuple[Leaves, int, list[Finding]]:
    """The traces that a chain of digests names, how many digests it has, and what in it does not hold."""
    leaves: Leaves = {}
    findings: list[Finding] = []
    previous, number = "", 0
    for digest in digests:
        number += 1
        wrong = _faults(digest, number=number, previous=previous, key=key)
        findings += [Finding("digest", account, f"#{digest['number']}", fault) for fault in wrong]
        number, previous = digest["number"], digest["hash"]
        for name, time, hashed, *place in digest["leaves"]:
            if name in leaves:
                findings.append(Finding("digest", account, f"#{digest['number']}", f"names {name} again"))
            leaves[name] = (time, hashed, place)
    return leaves, number, findings


def _faults(digest: Mapping[str, Any], *, number: int, previous: str, key: Ed25519PublicKey | None) -> list[str]:
    listed = canonical.text([list(leaf) for leaf in digest["leaves"]])
    text = signed_text(digest)
    faults = []
    if digest["number"] != number:
        faults.append(f"comes after #{number - 1}: digests between them were removed")
    if digest["previous"] != previous:
        faults.append("does not continue the digest before it")
    if hashlib.sha256(listed.encode()).hexdigest() != digest["leaves_hash"] or len(digest["leaves"]) != digest["count"]:
        faults.append("its list of traces was changed")
    if hashlib.sha256(text.encode()).hexdigest() != digest["hash"]:
        faults.append("its hash does not fit")
    if not signing.is_signed(text, digest["signature"], key=key):
        faults.append("its signature does not hold")
    return faults


def signed_text(digest: Mapping[str, Any]) -> str:
    """What the signature of an exported digest covers; the same text as `TraceDigest.signed_text`."""
    return canonical.text(
        {
            "account": digest["account"],
            "count": digest["count"],
            "end": digest["end"],
            "leaves": digest["leaves_hash"],
            "number": digest["number"],
            "previous": digest["previous"],
            "start": digest["start"],
        }
    )


def verify_export(traces: Iterable[str], digests: Iterable[str], *, key: Ed25519PublicKey) -> Report:
    """Check the lines of a JSON Lines export against downloaded digests, as an auditor does without the database.

    Only what lies between the oldest and newest exported trace can be missing. Traces recorded at the end of the last
    digest or later are reported as `unproven`. Raises `ValueError` for a line that is not JSON.
    """
    exported = [json.loads(line) for line in traces if line.strip()]
    chain = [json.loads(line) for line in digests if line.strip()]
    account = chain[0]["account"] if chain else NO_ACCOUNT
    leaves, count, findings = check_chain(chain, account=account, key=key)
    last = max((digest["end"] for digest in chain), default=0)
    seen: set[str] = set()
    for fields in exported:
        name = str(UUID(fields["trace_id"]))
        if name in seen:
            findings.append(Finding("inserted", account, name, "exported twice"))
        elif name in leaves:
            if leaves[name][1] != canonical.trace_hash(fields):
                findings.append(Finding("changed", account, name, fields["trace_name"]))
        elif fields["record_time"] >= last:
            findings.append(Finding("unproven", account, name, "not in a digest yet"))
        else:
            findings.append(Finding("inserted", account, name, fields["trace_name"]))
        seen.add(name)
    times = [fields["time"] for fields in exported]
    if times:
        findings += [
            Finding("removed", account, name, _moment(time))
            for name, (time, _hash, _place) in leaves.items()
            if name not in seen and min(times) < time < max(times)
        ]
    return Report(len(exported), count, findings)


def _moment(milliseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat()
