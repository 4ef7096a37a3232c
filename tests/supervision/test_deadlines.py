"""Every deadline of a flow one second before, at, and one second after."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from koogallery.kernel import holidays
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from orders.states import OrderState
from supervision.models import Appeal
from supervision.operations import appealing
from supervision.queries import appeals
from supervision.rules import appealing as rules
from supervision.states import Actor, Step
from tests.factories.supervision import Deal, supervised

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
GATED = {"pack": "2024", "overrides": {"flow.auto_close_days": 365}}
AROUND = [(-SECOND, "before"), (SECOND * 0, "at"), (SECOND, "after")]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def refusal(deal: Deal, moment: datetime) -> str:
    refused = appealing.why_not(deal.flow, party=Actor.BUYER, at=moment)
    return refused.code if refused else ""


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_three_working_days_over_a_weekend_and_a_holiday(shift: timedelta, when: str) -> None:
    holidays.add(system_call(), day=at("2026-05-01T00:00:00").date(), name="Labour Day")
    deal = supervised("license", at=at("2026-04-20T09:00:00"))
    deal.at = at("2026-04-29T15:00:00")
    deal.appeal()
    due = at("2026-05-05T23:59:59")
    assert Appeal.objects.filter(appeals.overdue(due + shift)).exists() is (when == "after")
    found = appeals.waiting(due + shift)
    assert (found.all, found.overdue, found.today) == ((1, 1, 0) if when == "after" else (1, 0, 1))


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_120_hours_of_silence(shift: timedelta, when: str) -> None:
    deal = supervised("license", policy=GATED)
    moment = deal.at + timedelta(hours=120) + shift
    assert refusal(deal, moment) == ("" if when == "after" else "appeal_gate")
    recent = supervised("license")
    assert rules.is_recommended(
        appealing.standing_of(recent.flow), party=Actor.BUYER, policies=recent.flow.policies, at=moment
    ) is (when == "after")


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_the_fifteen_days_before_the_closing_date(shift: timedelta, when: str) -> None:
    deal = supervised("license", at=at("2026-03-05T10:00:00"), policy=GATED)
    assert refusal(deal, at("2027-02-18T00:00:00") + shift) == ("" if when == "before" else "appeal_blackout")


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_the_closing_date(shift: timedelta, when: str) -> None:
    deal = supervised("license", at=at("2026-03-05T10:00:00"), policy=GATED)
    moment = at("2027-03-06T00:00:00") + shift
    assert (refusal(deal, moment) == "flow_frozen") is (when != "before")
    assert sweeps["closing-flows"].run(moment) == (0 if when == "before" else 1)


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_24_hours_between_reminders(shift: timedelta, when: str) -> None:
    deal = supervised("license")
    deal.remind()
    deal.at += timedelta(hours=24) + shift
    if when == "before":
        with pytest.raises(Refused, match="reminder_cooldown"):
            deal.remind()
    else:
        deal.remind()
    assert deal.flow.records.filter(kind="remind").count() == (1 if when == "before" else 2)


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_three_hours_after_the_acceptance(shift: timedelta, when: str) -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    due = deal.at + timedelta(hours=3)
    assert refusal(deal, due + shift) == ("" if when == "before" else "flow_completed")
    assert sweeps["completing-flows"].run(due + shift) == (0 if when == "before" else 1)
    completed = None if when == "before" else due
    assert (deal.order.state == OrderState.COMPLETED, deal.order.completed_at) == (when != "before", completed)


@pytest.mark.parametrize(("shift", "when"), AROUND)
def test_three_hours_after_the_acceptance_of_a_flow_that_stood_still(shift: timedelta, when: str) -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    due = deal.at + timedelta(hours=3) + timedelta(hours=70)
    deal.wait(hours=1).appeal()
    deal.wait(hours=70).decide("continue")
    assert refusal(deal, due + shift) == ("" if when == "before" else "flow_completed")
    assert sweeps["completing-flows"].run(due + shift) == (0 if when == "before" else 1)
