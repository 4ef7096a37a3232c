"""One clock: the platform's zone, frozen moments, and a rehearsal that only goes forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as some

from audit.models import Trace
from koogallery import clock
from koogallery.kernel import rehearsal, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import JobSweep

START = datetime(2023, 1, 1, 0, 0, tzinfo=UTC)


def test_days_begin_and_end_in_the_platforms_zone() -> None:
    assert clock.day_start(date(2027, 1, 5)) == datetime(2027, 1, 4, 16, 0, tzinfo=UTC)
    assert clock.day_end(date(2027, 1, 5)) == datetime(2027, 1, 5, 15, 59, 59, tzinfo=UTC)
    assert clock.platform_date(datetime(2027, 1, 4, 16, 0, tzinfo=UTC)) == date(2027, 1, 5)


@given(some.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=some.just(UTC)))
def test_every_moment_lies_in_its_platform_day(moment: datetime) -> None:
    day = clock.platform_date(moment)
    assert clock.day_start(day) <= moment < clock.day_start(day + timedelta(days=1))


def test_time_stands_inside_at_and_nowhere_else() -> None:
    with clock.at(START):
        assert clock.now() == START
        with clock.at(START + timedelta(days=1)):
            assert clock.now() == START + timedelta(days=1)
        assert clock.now() == START
    assert abs(clock.now() - clock.real_now()) < timedelta(minutes=1)
    with pytest.raises(ValueError, match="zone"), clock.at(datetime(2023, 1, 1)):
        pass


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("3 hours", timedelta(hours=3)),
        ("1 hour", timedelta(hours=1)),
        ("90 minutes", timedelta(minutes=90)),
        ("1 day 2 hours", timedelta(days=1, hours=2)),
        ("1 day, 2 hours and 3 minutes", timedelta(days=1, hours=2, minutes=3)),
        ("2 Weeks", timedelta(weeks=2)),
    ],
)
def test_durations_are_read(text: str, length: timedelta) -> None:
    assert rehearsal.parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "soon", "3", "hours", "-3 hours", "3 hours ago", "3 months"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        rehearsal.parse_duration(text)


@pytest.fixture
def rehearsed(db: None) -> Iterator[None]:
    clock.use_rehearsal(rehearsal.stands_at)
    try:
        with override_settings(REHEARSAL=True, REHEARSAL_START="2023-01-01T08:00:00+08:00"):
            yield
    finally:
        clock.use_rehearsal(None)


class Deadlines:
    """A sweep over moments; acting on one may set others."""

    def __init__(self, name: str, log: list[tuple[str, datetime, datetime]], *moments: datetime) -> None:
        self.name, self.log, self.waiting = name, log, sorted(moments)
        self.follow: Callable[[datetime], datetime | None] = lambda due: None

    def next_due(self) -> datetime | None:
        return self.waiting[0] if self.waiting else None

    def run(self, upto: datetime) -> int:
        count = 0
        while self.waiting and self.waiting[0] <= upto:
            due = self.waiting.pop(0)
            self.log.append((self.name, due, clock.now()))
            if (following := self.follow(due)) is not None:
                self.waiting = sorted([*self.waiting, following])
            count += 1
        return count


def use(monkeypatch: pytest.MonkeyPatch, *given: object) -> None:
    monkeypatch.setattr(sweeps, "sweeps", {sweep.name: sweep for sweep in given})  # type: ignore[attr-defined]


def hours(count: int) -> datetime:
    return START + timedelta(hours=count)


def test_a_fresh_rehearsal_starts_where_it_is_told_and_stands_still(rehearsed: None) -> None:
    assert clock.now() == START
    assert clock.now() == START


def test_advancing_runs_every_deadline_at_its_own_time_in_order(
    rehearsed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[tuple[str, datetime, datetime]] = []
    first, second = Deadlines("a", log, hours(1), hours(5)), Deadlines("b", log, hours(3), hours(30))
    first.follow = lambda due: hours(4) if due == hours(1) else None
    use(monkeypatch, first, second)
    assert rehearsal.advance_to(system_call(at=START), hours(24)) == 4
    assert [(name, due) for name, due, _now in log] == [
        ("a", hours(1)),
        ("b", hours(3)),
        ("a", hours(4)),
        ("a", hours(5)),
    ]
    assert all(now == due for _name, due, now in log)
    assert clock.now() == hours(24)
    assert Trace.objects.get(trace_name="advanceClock").response["after"] == hours(24).isoformat()


def test_what_is_due_exactly_at_the_end_has_happened(rehearsed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[tuple[str, datetime, datetime]] = []
    use(monkeypatch, Deadlines("a", log, hours(24)))
    rehearsal.advance_to(system_call(at=START), hours(24))
    assert len(log) == 1


def test_a_sweep_that_fails_or_cannot_act_does_not_hold_up_the_others(
    rehearsed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(upto: datetime) -> int:
        raise RuntimeError

    log: list[tuple[str, datetime, datetime]] = []
    use(
        monkeypatch,
        JobSweep("broken", lambda: hours(1), fail),
        JobSweep("held", lambda: hours(1), lambda upto: 0),
        Deadlines("a", log, hours(2), hours(3)),
    )
    assert rehearsal.advance_to(system_call(at=START), hours(24)) == 2
    assert clock.now() == hours(24)


def test_time_never_goes_back(rehearsed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    rehearsal.advance_to(system_call(at=START), hours(2))
    with pytest.raises(Refused) as refused:
        rehearsal.advance_to(system_call(at=START), hours(1))
    assert refused.value.code == "clock_backwards"
    assert clock.now() == hours(2)


def test_the_command_advances_by_a_duration_to_a_moment_and_to_the_next_deadline(
    rehearsed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, Deadlines("a", [], hours(9)))
    call_command("advance_clock", "3 hours")
    assert clock.now() == hours(3)
    call_command("advance_clock", to="2023-01-01T12:00:00+08:00")
    assert clock.now() == hours(4)
    call_command("advance_clock", next=True)
    assert clock.now() == hours(9)
    assert "1 rows acted" in capsys.readouterr().out
    for wrong in ({"to": "2023-01-01T08:00:00+08:00"}, {"next": True}, {"to": "tomorrow"}, {}):
        with pytest.raises(CommandError):
            call_command("advance_clock", **wrong)
    assert clock.now() == hours(9)


@pytest.mark.django_db
def test_outside_a_rehearsal_nothing_advances() -> None:
    with pytest.raises(Refused) as refused:
        rehearsal.advance_to(system_call(at=START), hours(1))
    assert refused.value.code == "not_a_rehearsal"
    assert Trace.objects.get(trace_name="advanceClock").trace_rating == "warning"
