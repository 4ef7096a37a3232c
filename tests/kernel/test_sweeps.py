"""Deadlines act once, at their time, whatever else fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction

from koogallery import clock
from koogallery.kernel import parked, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import Schedule, SweepFailure
from koogallery.kernel.sweeps import MAX_ATTEMPTS, JobSweep, Periodic, RowSweep

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def table() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE sweep_sample (id bigserial PRIMARY KEY, due_at timestamptz, acted_at timestamptz, "
            "acted integer NOT NULL DEFAULT 0, poison boolean NOT NULL DEFAULT false)"
        )
    yield "sweep_sample"
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE sweep_sample")


def act(ids: list[int], upto: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sweep_sample SET acted_at = due_at, acted = acted + 1, due_at = NULL WHERE id = ANY(%s)", [ids]
        )
        cursor.execute("SELECT 1 / (CASE WHEN poison THEN 0 ELSE 1 END) FROM sweep_sample WHERE id = ANY(%s)", [ids])


def sweep_of(table: str, **options: object) -> RowSweep:
    return RowSweep(**{"name": "sample", "table": table, "due_column": "due_at", "act": act, **options})


def add(*minutes: int, poison: bool = False) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sweep_sample (due_at, poison) SELECT %s + m * interval '1 minute', %s "
            "FROM unnest(%s::int[]) m RETURNING id",
            [AT, poison, list(minutes)],
        )
        return [row[0] for row in cursor.fetchall()]


def acted() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, acted FROM sweep_sample ORDER BY id")
        return dict(cursor.fetchall())


def test_what_is_due_acts_once_and_the_rest_waits(table: str) -> None:
    due, later = add(0, 60)
    sweep = sweep_of(table)
    assert sweep.next_due() == AT
    assert sweep.run(AT - timedelta(seconds=1)) == 0
    assert sweep.run(AT) == 1
    assert sweep.run(AT) == 0
    assert acted() == {due: 1, later: 0}
    assert sweep.next_due() == AT + timedelta(hours=1)


def test_more_rows_than_a_chunk_all_act_in_the_order_of_their_time(table: str) -> None:
    add(*range(25, 0, -1))
    order: list[list[int]] = []
    sweep = sweep_of(table, chunk=10, act=lambda ids, upto: (order.append(ids), act(ids, upto)))
    assert sweep.run(AT + timedelta(hours=1)) == 25
    assert [len(ids) for ids in order] == [10, 10, 5]
    assert order[0] == list(range(25, 15, -1))


def test_a_failing_row_is_found_and_backed_off_while_the_others_act(table: str) -> None:
    good = add(*range(7))
    (bad,) = add(3, poison=True)
    sweep = sweep_of(table)
    assert sweep.run(AT + timedelta(minutes=10)) == 8
    assert acted() == {**dict.fromkeys(good, 1), bad: 0}
    failure = SweepFailure.objects.get()
    assert (failure.row_id, failure.attempts, failure.parked_at) == (bad, 1, None)
    assert "division by zero" in failure.error
    assert sweep.next_due() == failure.next_try_at == AT + timedelta(minutes=11)


def test_a_row_that_keeps_failing_is_parked_and_acts_when_tried_again(table: str) -> None:
    (bad,) = add(0, poison=True)
    sweep = sweep_of(table)
    moment = AT
    for _attempt in range(MAX_ATTEMPTS):
        sweep.run(moment)
        moment = sweep.next_due() or moment
    failure = SweepFailure.objects.get()
    assert (failure.attempts, failure.next_try_at) == (MAX_ATTEMPTS, None)
    assert failure.parked_at is not None
    assert sweep.next_due() is None
    assert sweep.run(moment + timedelta(days=9)) == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sweep_sample SET poison = false")
    parked.retry_sweep_row(system_call(at=moment), failure=failure.pk)
    assert sweep.next_due() == moment
    assert sweep.run(moment) == 1
    assert acted() == {bad: 1}
    assert not SweepFailure.objects.exists()


def test_a_sweep_that_leaves_its_rows_due_stops_instead_of_turning_for_ever(table: str) -> None:
    add(0)
    with pytest.raises(RuntimeError, match="again and again"):
        sweep_of(table, act=lambda ids, upto: None).run(AT)


def test_a_row_whose_next_deadline_has_passed_too_acts_again(table: str) -> None:
    (row,) = add(0)

    def monthly(ids: list[int], upto: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sweep_sample SET acted = acted + 1, due_at = due_at + interval '30 days'")

    sweep = sweep_of(table, act=monthly)
    assert sweep.run(AT + timedelta(days=100)) == 4
    assert acted() == {row: 4}


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_rows_and_none_acts_twice(table: str) -> None:
    rows = add(*range(200))
    both_hold_a_chunk = threading.Barrier(2)
    counts: list[int] = []

    def work() -> None:
        waited: list[int] = []

        def act_together(ids: list[int], upto: datetime) -> None:
            if not waited:
                waited.append(both_hold_a_chunk.wait(timeout=60))
            act(ids, upto)

        try:
            counts.append(sweep_of(table, act=act_together, chunk=10).run(AT + timedelta(days=1)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 200
    assert all(count > 0 for count in counts)
    assert acted() == dict.fromkeys(rows, 1)


@pytest.mark.django_db(transaction=True)
def test_a_row_that_someone_holds_is_left_for_later(table: str) -> None:
    held, free = add(0, 1)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM sweep_sample WHERE id = %s FOR UPDATE", [held])
                holding.set()
                done.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
    assert sweep_of(table).run(AT + timedelta(hours=1)) == 1
    assert acted() == {held: 0, free: 1}
    done.set()
    thread.join()
    assert sweep_of(table).run(AT + timedelta(hours=1)) == 1


def test_a_row_that_is_left_waits_for_the_next_tick_and_the_others_act(table: str) -> None:
    left, *free = add(0, 1, 2)

    def act_on_the_free(ids: list[int], upto: datetime) -> set[int]:
        act([each for each in ids if each != left], upto)
        return {left}

    assert sweep_of(table, act=act_on_the_free, chunk=2).run(AT + timedelta(hours=1)) == 2
    assert acted() == {left: 0, **dict.fromkeys(free, 1)}
    assert sweep_of(table).run(AT + timedelta(hours=1)) == 1


def test_a_failing_sweep_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fail(upto: datetime) -> int:
        raise RuntimeError

    jobs = [JobSweep("bad", lambda: AT, fail), JobSweep("good", lambda: AT, lambda upto: ran.append("good") or 3)]
    monkeypatch.setattr(sweeps, "sweeps", {job.name: job for job in jobs})
    assert sweeps.tick(AT) == {"good": 3}
    assert ran == ["good"]


def test_a_periodic_job_runs_once_per_time_and_makes_up_a_missed_one_once() -> None:
    ran: list[datetime] = []
    job = Periodic("hourly", work=ran.append, every=timedelta(hours=1))
    with clock.at(AT):
        assert job.next_due() == AT
        assert (job.run(AT), job.run(AT)) == (1, 0)
    later = AT + timedelta(days=3)
    assert job.next_due() == AT + timedelta(hours=1)
    assert (job.run(later), job.run(later)) == (1, 0)
    assert ran == [AT, later]
    assert Schedule.objects.get().last_run_at == later


def test_a_daily_job_runs_at_its_hour_of_the_platforms_zone() -> None:
    job = Periodic("daily", work=lambda upto: None, daily_at=time(3, 0))
    with clock.at(AT):
        first = job.next_due()
    assert first is not None
    assert first.astimezone(ZoneInfo("Etc/GMT-8")).hour == 3
    assert first == datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
    job.run(first)
    assert job.next_due() == first + timedelta(days=1)
