"""The queue of appeals, as operations see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from koogallery import clock
from supervision.models import Appeal
from supervision.states import UNDECIDED, AppealState


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many appeals wait: all, overdue, due today, for a second signature; `next_due_at` of those not overdue."""

    all: int
    overdue: int
    today: int
    proposed: int
    next_due_at: datetime | None


def undecided() -> QuerySet[Appeal]:
    """The appeals that wait for operations, by deadline."""
    return Appeal.objects.filter(state__in=UNDECIDED).order_by("decision_due_at", "pk")


def overdue(at: datetime) -> Q:
    """Appeals that should have been decided before a moment."""
    return Q(state__in=UNDECIDED, decision_due_at__lt=at)


def waiting(at: datetime) -> Waiting:
    """What waits at a moment, in one query."""
    later = Q(decision_due_at__gte=at)
    found = (
        undecided()
        .order_by()
        .aggregate(
            all=Count("pk"),
            overdue=Count("pk", filter=~later),
            today=Count("pk", filter=later & Q(decision_due_at__lte=clock.day_end(clock.platform_date(at)))),
            proposed=Count("pk", filter=Q(state=AppealState.PROPOSED)),
            next_due_at=Min("decision_due_at", filter=later),
        )
    )
    return Waiting(**found)
