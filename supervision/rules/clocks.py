"""The clocks of a flow that both sides see: how long who has been waiting (supervision.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from koogallery import clock
from supervision.states import ClockKind, Step


@dataclass(frozen=True, slots=True)
class SlaClock:
    """One running clock: since when, until when if there is a limit, and whether it stands (an appeal is open).

    A standing clock shows the time at which it was stopped.
    """

    kind: ClockKind
    since: datetime
    due_at: datetime | None
    stands: bool
    read_at: datetime

    @property
    def elapsed(self) -> timedelta:
        """How long it has run, without time frozen by an appeal."""
        return max(timedelta(0), self.read_at - self.since)

    @property
    def is_over(self) -> bool:
        """Whether its limit has passed."""
        return self.due_at is not None and self.read_at > self.due_at


def delivery_due(*, at: datetime, days: int | None) -> datetime | None:
    """23:59:59 of the day on which a delivery that is asked for at `at` is due; None when the product names no days."""
    return clock.day_end(clock.platform_date(at) + timedelta(days=days)) if days is not None else None


def running_clock(
    *,
    step: Step,
    turn_since: datetime,
    delivery_due_at: datetime | None,
    completion_due_at: datetime | None,
    frozen_at: datetime | None,
    at: datetime,
) -> SlaClock | None:
    """The clock that runs, or stands, at a step; None where nobody is waited for."""
    kinds = {
        Step.REVIEW: (ClockKind.REQUEST, None),
        Step.ACCEPTED: (ClockKind.COMPLETION, completion_due_at),
    }
    if step.is_delivery:
        found: tuple[ClockKind, datetime | None] | None = (ClockKind.DELIVERY, delivery_due_at)
    elif step.is_acceptance:
        found = (ClockKind.ACCEPTANCE, None)
    else:
        found = kinds.get(step)
    if found is None:
        return None
    kind, due_at = found
    return SlaClock(kind=kind, since=turn_since, due_at=due_at, stands=frozen_at is not None, read_at=frozen_at or at)
