"""A changed, removed or inserted trace is named, by the database check and by the auditor's."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from audit import queries, recording, signing, verifying
from audit.exporting import json_lines
from audit.models import Trace, TraceDigest, TraceSeal, TraceWriter
from audit.operations import digesting
from audit.rules import canonical
from koogallery import clock
from koogallery.kernel import guard
from tests.factories.audit import trace

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@contextmanager
def as_intruder() -> Iterator[object]:
    """A superuser who passes the triggers."""
    with transaction.atomic(), guard.opened("test"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")


def make(count: int, *, account: int = 7, hours: int = 0) -> list[Trace]:
    made = []
    for n in range(count):
        with clock.at(AT + timedelta(hours=hours, minutes=n)) as moment:
            made.append(trace(account_id=account, at=moment, resource_id=f"R{hours}-{n}"))
    return made


def found(account: int = 7) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.trace_id) for finding in verifying.verify([account]).findings)


def test_untouched_traces_hold_before_and_after_their_digest() -> None:
    make(3)
    make(2, account=8)
    assert verifying.verify().findings == []
    assert digesting.digest_due(AT + timedelta(minutes=30)) == 2
    make(2, hours=1)
    assert digesting.digest_due(AT + timedelta(hours=2)) == 1
    make(1, hours=2)
    report = verifying.verify()
    assert (report.traces, report.digests, list(report.findings)) == (8, 3, [])
    assert [(d.account_id, d.number, d.count) for d in TraceDigest.objects.all()] == [(7, 1, 3), (7, 2, 2), (8, 1, 2)]
    assert TraceSeal.objects.count() == 1


def test_digesting_again_without_new_traces_makes_nothing() -> None:
    make(1)
    assert digesting.digest_due(AT + timedelta(minutes=30)) == 1
    assert digesting.digest_due(AT + timedelta(minutes=30)) == 0


@pytest.mark.parametrize("digested", [True, False])
def test_a_changed_a_removed_and_an_inserted_row_are_named(digested: bool) -> None:
    first, second, third = make(3)
    if digested:
        digesting.digest_due(AT + timedelta(hours=1))
    with as_intruder() as cursor:
        cursor.execute("UPDATE audit_trace SET user_name = 'mallory' WHERE trace_id = %s", [first.trace_id])
        cursor.execute("DELETE FROM audit_trace WHERE trace_id = %s", [second.trace_id])
        cursor.execute(
            "CREATE TEMPORARY TABLE made_up ON COMMIT DROP AS SELECT * FROM audit_trace WHERE trace_id = %s",
            [third.trace_id],
        )
        cursor.execute("UPDATE made_up SET id = id + 1000000, trace_id = gen_random_uuid() RETURNING trace_id")
        (inserted,) = cursor.fetchone()
        cursor.execute("INSERT INTO audit_trace SELECT * FROM made_up")
    assert found() == [
        ("changed", str(first.trace_id)),
        ("inserted", str(inserted)),
        ("removed", str(second.trace_id)),
    ]
    digesting.digest_due(AT + timedelta(hours=3))
    assert len(found()) == 3


def test_a_copy_of_a_trace_is_named() -> None:
    (row,) = make(1)
    digesting.digest_due(AT + timedelta(minutes=30))
    with as_intruder() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT * FROM audit_trace WHERE trace_id = %s",
            [row.trace_id],
        )
        cursor.execute("UPDATE copied SET id = id + 1000000")
        cursor.execute("INSERT INTO audit_trace SELECT * FROM copied")
    assert found() == [("inserted", str(row.trace_id))]


def test_a_trace_moved_to_another_account_is_named_in_both() -> None:
    (row,) = make(1)
    digesting.digest_due(AT + timedelta(minutes=30))
    with as_intruder() as cursor:
        cursor.execute("UPDATE audit_trace SET account_id = 8")
    assert found(7) == [("removed", str(row.trace_id))]
    assert found(8) == [("inserted", str(row.trace_id))]


def test_a_digest_that_was_rewritten_or_removed_is_named() -> None:
    make(1)
    digesting.digest_due(AT + timedelta(minutes=30))
    make(1, hours=1)
    digesting.digest_due(AT + timedelta(hours=2))
    make(1, hours=2)
    digesting.digest_due(AT + timedelta(hours=3))
    with as_intruder() as cursor:
        cursor.execute('UPDATE audit_tracedigest SET "end" = "end" + interval \'1 hour\' WHERE number = 3')
        cursor.execute("DELETE FROM audit_tracedigest WHERE number = 2")
    kinds = [(finding.kind, finding.trace_id) for finding in verifying.verify([7]).findings]
    assert ("digest", "#3") in kinds
    assert [kind for kind, _name in kinds].count("inserted") == 1


@pytest.mark.parametrize("digested", [True, False])
def test_newest_traces_removed_with_all_that_proved_them_are_missed_by_their_numbers(digested: bool) -> None:
    make(2)
    if digested:
        digesting.digest_due(AT + timedelta(minutes=30))
    make(2, hours=1)
    make(1, account=8, hours=1)
    if digested:
        digesting.digest_due(AT + timedelta(hours=2))
    gone = TraceSeal.objects.filter(account_id=7, time__gte=AT + timedelta(hours=1))
    missing = list(gone.order_by("number").values_list("number", flat=True)) or [3, 4]
    with as_intruder() as cursor:
        if digested:
            cursor.execute("DELETE FROM audit_tracedigest WHERE account_id = 7 AND number = 2")
        else:
            gone.delete()
        cursor.execute("DELETE FROM audit_trace WHERE account_id = 7 AND time >= %s", [AT + timedelta(hours=1)])
    (finding,) = verifying.verify().findings
    assert finding.kind == "removed"
    assert f"numbers {missing[0]} to {missing[1]}" in finding.trace_id


def test_a_count_of_traces_that_was_set_back_is_named() -> None:
    make(3)
    with as_intruder() as cursor:
        cursor.execute("UPDATE audit_tracewriter SET count = 1")
    assert [finding.detail for finding in verifying.verify().findings] == ["its count of traces was set back"]


def test_what_rolls_back_leaves_no_gap() -> None:
    make(1)
    with pytest.raises(RuntimeError), transaction.atomic():
        make(2, hours=1)
        raise RuntimeError
    make(1, hours=2)
    recording.system_traces("choosePolicies", rows=[(n, "R", "thing", AT, {}, {}) for n in range(1, 6)])
    assert sorted(TraceSeal.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6, 7]
    assert verifying.verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_counting_lets_no_writer_wait() -> None:
    done: list[str] = []

    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        make(1)
        done.append("written")

    with transaction.atomic():
        make(1)
        elsewhere(write)
    assert done == ["written"]
    assert verifying.verify().findings == []
    assert TraceWriter.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_traceseal SET seal = 'x'",
        "DELETE FROM audit_traceseal",
        "TRUNCATE audit_traceseal",
        "UPDATE audit_tracewriter SET count = count - 1",
        "DELETE FROM audit_tracewriter",
        "TRUNCATE audit_tracewriter",
    ],
)
def test_the_database_refuses_to_change_or_remove_seals_and_counts(statement: str) -> None:
    make(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), guard.opened("test"):
        connection.cursor().execute(statement)


def test_seals_leave_only_with_the_digest_that_holds_their_traces() -> None:
    _digested, second = make(2)
    digesting.digest_due(AT + timedelta(minutes=1, seconds=30))
    assert TraceDigest.objects.get().count == 1
    take = "SELECT audit_take_seals(7, %s, ARRAY[%s]::uuid[])"
    with pytest.raises(DatabaseError, match="no digest"), transaction.atomic():
        connection.cursor().execute(take, [2, second.trace_id])
    assert list(TraceSeal.objects.values_list("trace_id", flat=True)) == [second.trace_id]


def test_the_command_names_the_rows_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = make(1)
    call_command("trace_verify")
    assert "1 traces, 0 digests, 0 findings" in capsys.readouterr().out
    with as_intruder() as cursor:
        cursor.execute("DELETE FROM audit_trace")
    with pytest.raises(CommandError):
        call_command("trace_verify")
    assert f"removed: account 7 {row.trace_id}" in capsys.readouterr().out


def files(folder: Path) -> tuple[Path, Path, Path]:
    export, digests, key = folder / "traces.jsonl", folder / "digests.jsonl", folder / "key.pem"
    export.write_text("".join(json_lines(Trace.objects.filter(account_id=7).order_by("-time"))), encoding="utf-8")
    digests.write_text("".join(canonical.text(digest) + "\n" for digest in queries.digests_of(7)), encoding="utf-8")
    key.write_bytes(signing.public_key_pem())
    return export, digests, key


def verify_files(export: Path, digests: Path, key: Path) -> None:
    call_command("trace_verify", export=str(export), digests=str(digests), key=str(key))


def test_an_auditor_checks_an_export_with_digests_and_public_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make(3)
    digesting.digest_due(datetime(2030, 1, 1, tzinfo=UTC))
    export, digests, key = files(tmp_path)
    verify_files(export, digests, key)
    lines = [json.loads(line) for line in export.read_text(encoding="utf-8").splitlines()]
    lines[0]["message"] = "nothing happened"
    export.write_text("".join(json.dumps(line) + "\n" for line in (lines[0], lines[2])), encoding="utf-8")
    with pytest.raises(CommandError):
        verify_files(export, digests, key)
    said = capsys.readouterr().out
    assert f"changed: account 7 {rows[2].trace_id}" in said
    assert f"removed: account 7 {rows[1].trace_id}" in said


def test_rows_of_the_digests_own_moment_are_unproven_in_an_export_and_proven_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = AT + timedelta(minutes=30)
    make(1)
    with clock.at(moment):
        trace(account_id=7, at=moment)
        digesting.digest_due(moment)
        trace(account_id=7, at=moment)
        late = trace(account_id=7, at=AT + timedelta(minutes=1))
    paths = files(tmp_path)
    with pytest.raises(CommandError, match="in no digest yet"):
        verify_files(*paths)
    said = capsys.readouterr().out
    assert said.count("unproven: account 7") == 3
    assert f"unproven: account 7 {late.trace_id}" in said
    digesting.digest_due(moment + timedelta(hours=1))
    verify_files(*files(tmp_path))
    assert verifying.verify([7]).findings == []


def elsewhere(work: Callable[[], object]) -> None:
    """Do the work on a connection of its own and wait for it."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)


@pytest.mark.django_db(transaction=True)
def test_verifying_beside_writers_and_digests_raises_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    make(3)
    check = verifying.check_chain

    def busy() -> None:
        digesting.digest_due(AT + timedelta(hours=1))
        make(2, hours=2)

    def check_beside(*args: object, **kwargs: object) -> object:
        answer = check(*args, **kwargs)  # type: ignore[arg-type]
        elsewhere(busy)
        return answer

    monkeypatch.setattr(verifying, "check_chain", check_beside)
    report = verifying.verify([7])
    assert (report.traces, report.digests, list(report.findings)) == (3, 0, [])
    monkeypatch.undo()
    report = verifying.verify([7])
    assert (report.traces, report.digests, list(report.findings)) == (5, 1, [])


@pytest.mark.django_db(transaction=True)
def test_no_digest_is_made_past_an_open_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digesting, "WAITS", 2)
    waiting: list[str] = []

    def digest() -> None:
        try:
            digesting.digest_due(AT + timedelta(hours=1))
        except digesting.StillWriting:
            waiting.append("waits")

    with transaction.atomic():
        make(1)
        elsewhere(digest)
    assert waiting == ["waits"]
    elsewhere(digest)
    assert waiting == ["waits"]
    assert TraceDigest.objects.get().count == 1


def test_a_digest_signed_by_another_key_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    make(1)
    digesting.digest_due(datetime(2030, 1, 1, tzinfo=UTC))
    export, digests, key = files(tmp_path)
    other = Ed25519PrivateKey.generate().public_key()
    key.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(CommandError):
        verify_files(export, digests, key)
    assert "signature does not hold" in capsys.readouterr().out
