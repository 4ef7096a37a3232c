"""Every operation is told: in its transaction, in full, without secrets, and never unsaid."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from audit import partitions, recording, signing
from audit.models import Trace, TraceSeal
from audit.operations import listing, tracking
from koogallery import clock
from koogallery.kernel import guard, policies
from koogallery.kernel.calls import TraceType, system_call
from koogallery.kernel.operations import Rating, present
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import choose
from tests.factories.audit import trace
from tests.personas import Persona

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_an_operation_leaves_a_trace_with_every_field(operator: Persona) -> None:
    with clock.at(AT):
        policies.choose(operator.call(at=AT, address="203.0.113.7", request_id="r-1"), pack="2024")
    told = Trace.objects.get().public_fields()
    assert told["trace_name"] == "choosePolicies"
    assert (told["trace_rating"], told["code"], told["read_only"]) == ("normal", "200", False)
    assert (told["time"], told["service_type"], told["trace_type"]) == (1795399200000, "marketplace", "ConsoleAction")
    assert (told["source_ip"], told["request_id"], told["tracker_name"]) == ("203.0.113.7", "r-1", "system")
    assert told["user"]["name"] == operator.user.username
    assert told["user"]["type"] == "operator"
    assert told["request"] == {"pack": "2024"}
    assert told["response"] == {"pack": "2024", "overrides": {}}


def test_a_refusal_changes_nothing_and_is_told_with_its_code(operator: Persona) -> None:
    with pytest.raises(Refused):
        policies.choose(operator.call(), overrides={"grace_days": "8"})
    told = Trace.objects.get()
    assert (told.trace_rating, told.code) == ("warning", "policy_value")
    assert "grace_days" in told.message


def test_a_trace_goes_with_its_transaction(operator: Persona) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        policies.choose(operator.call(), pack="2024")
        raise RuntimeError
    assert not Trace.objects.exists()
    assert not TraceSeal.objects.exists()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET code = 'x'", "DELETE FROM {}", "TRUNCATE {}"],
)
def test_the_database_refuses_to_change_or_remove_traces(statement: str) -> None:
    row = trace()
    for table in ("audit_trace", partitions.name_of(partitions.start_of(row.time))):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), guard.opened("test"):
            connection.cursor().execute(statement.format(table))
    assert Trace.objects.count() == 1


def test_nothing_writes_a_trace_past_the_recorder() -> None:
    with pytest.raises(guard.Unguarded):
        Trace.objects.create(trace_name="made up", time=AT, record_time=AT)


def test_a_moment_without_a_partition_makes_one() -> None:
    far = datetime(2031, 5, 5, tzinfo=UTC)
    assert partitions.start_of(far) not in partitions.existing()
    row = trace(at=far)
    assert row.time == far
    assert partitions.start_of(far) in partitions.existing()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), guard.opened("test"):
        connection.cursor().execute(f"TRUNCATE {partitions.name_of(partitions.start_of(far))}")


def test_a_partition_whose_making_was_undone_is_not_asked_for_ever_after(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    far = datetime(2031, 5, 5, tzinfo=UTC)
    with transaction.atomic():
        partitions.ensure(far)
        transaction.set_rollback(True)
    partitions.ensure(far)
    with django_assert_num_queries(1):
        partitions.ensure(far)
    connection.run_on_commit.clear()  # as after a commit by whoever made it
    partitions.ensure(far)
    with django_assert_num_queries(0):
        partitions.ensure(far)
    partitions._known.discard((str(connection.settings_dict["NAME"]), partitions.start_of(far)))


def test_a_partition_is_dropped_whole_when_all_of_it_is_past_the_retention() -> None:
    old, kept = trace(at=AT - timedelta(days=400)), trace(at=AT - timedelta(days=360))
    dropped = partitions.keep(AT)
    assert partitions.name_of(partitions.start_of(old.time)) in dropped
    assert list(Trace.objects.values_list("pk", flat=True)) == [kept.pk]
    assert partitions.start_of(AT + timedelta(days=90)) in partitions.existing()


def test_a_sweep_tells_many_rows_with_one_statement(django_assert_num_queries: object) -> None:
    rows = [(1, f"R{n}", "thing", AT + timedelta(seconds=n), {}, {"n": n}) for n in range(50)]
    partitions.ensure(AT)
    with django_assert_num_queries(1):  # type: ignore[operator]
        recording.system_traces("choosePolicies", rows=rows, on_behalf_of="ann")
    assert Trace.objects.filter(trace_type=TraceType.SYSTEM, user_name="ann", account_id=1).count() == 50
    assert TraceSeal.objects.count() == 50
    assert Trace.objects.get(resource_id="R7").time == AT + timedelta(seconds=7)


def test_a_sweep_tells_what_an_operation_would_of_the_same_values() -> None:
    told = [
        {"order": "CS1", "state": "completed"},
        {"secret_key": "hunter2", "text": "é\x00\ud800", "long": "x" * 2001},
        {"when": AT, "parts": ["a", {"password": "p"}], 7: 1.5},
        {},
    ]
    recording.system_traces(
        "choosePolicies", rows=[(1, f"R{n}", "thing", AT, values, {}) for n, values in enumerate(told)]
    )
    written = list(Trace.objects.order_by("resource_id").values_list("request", flat=True))
    assert written == [recording._cleaned(present(values)) for values in told]
    assert written[1] == {"secret_key": "********", "text": "é?", "long": "x" * 2000 + "…"}


def test_traces_of_a_sweep_have_random_ids_of_their_own() -> None:
    ids = [uuid.UUID(each) for each in recording._new_ids(500)]
    assert len(set(ids)) == 500
    assert {(each.version, each.variant) for each in ids} == {(4, uuid.RFC_4122)}
    assert recording._new_ids(1) != recording._new_ids(1)


def test_a_sweep_over_months_finds_the_partition_of_each_row() -> None:
    rows = [(1, f"R{days}", "thing", AT + timedelta(days=days), {}, {}) for days in (0, 29, 31, 95, 400)]
    recording.system_traces("choosePolicies", rows=rows)
    assert Trace.objects.filter(time__in=[moment for _, _, _, moment, _, _ in rows]).count() == 5


def test_the_seal_of_a_trace_of_a_sweep_is_that_of_its_row() -> None:
    rows = [
        (1, 'R"1\\', "软件 {}", AT, {"b": [1, None], "a": 'q"\\'}, {}),
        (None, "", "", AT + timedelta(microseconds=1), {"text": "c\x00d\ud800", "password": "hunter2"}, {"n": 2}),
    ]
    recording.system_traces("choosePolicies", rows=rows, project="p1")
    recording.system_traces("choosePolicies", rows=[])
    seals = dict(TraceSeal.objects.values_list("trace_id", "seal"))
    found = list(Trace.objects.order_by("time"))
    assert {row.trace_id: signing.seal(row.hash) for row in found} == seals
    assert [(row.account_id, row.resource_name, row.enterprise_project_id) for row in found] == [
        (1, "软件 {}", "p1"),
        (None, "", "p1"),
    ]
    assert found[0].request == {"b": [1, None], "a": 'q"\\'}
    assert found[1].request == {"text": "cd?", "password": "********"}


def test_switched_off_the_account_is_silent_but_the_platform_is_not(buyer: Persona, operator: Persona) -> None:
    tracking.disable(buyer.call())
    choose(buyer.call(), choices={})
    assert set(Trace.objects.values_list("trace_name", flat=True)) == {"disableTracker"}
    with clock.at(AT):
        trace(call=operator.call(at=AT), account_id=buyer.account.pk)
        trace(call=system_call(at=AT, account=buyer.account))
    assert Trace.objects.filter(account_id=buyer.account.pk).count() == 3
    tracking.enable(buyer.call())
    choose(buyer.call(), choices={})
    names = list(Trace.objects.order_by("id").values_list("trace_name", flat=True))
    assert names[-2:] == ["enableTracker", "setMessagePreferences"]


def test_what_postgresql_cannot_store_is_left_out() -> None:
    row = trace(resource_name="a\x00b", request={"text": "c\x00d\ud800"})
    assert (row.resource_name, row.request["text"]) == ("ab", "cd?")


def test_secrets_are_masked_before_they_are_written() -> None:
    from koogallery.kernel.operations import present

    row = trace(request=present({"password": "hunter2", "nested": {"api_token": "t"}, "name": "n"}))
    assert row.request == {"password": "********", "nested": {"api_token": "********"}, "name": "n"}


def test_the_stored_row_hashes_as_it_was_written() -> None:
    row = trace(request={"b": [1, {"z": None}], "a": "é 中"}, rating=Rating.WARNING)
    assert Trace.objects.get(pk=row.pk).hash == row.hash
    from audit import signing

    assert TraceSeal.objects.get().seal == signing.seal(row.hash)


@pytest.mark.django_db(transaction=True)
def test_a_read_on_its_own_is_recorded_without_waiting_and_leaves_the_setting_alone(buyer: Persona) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    listing.export(buyer.call(), format="csv", filters={})
    assert Trace.objects.get().trace_name == "exportTraces"
    assert TraceSeal.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
        with transaction.atomic():
            listing.export(buyer.call(), format="csv", filters={})
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
