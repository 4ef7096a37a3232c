"""When milestone bills are due, late, overdue and reminded of: by the day, after a sleep, once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from billing import queries
from billing.models import Milestone, MilestoneBill
from billing.operations import dunning, milestones, repaying
from billing.rules import bills as rules
from billing.states import BillState
from koogallery import clock
from koogallery.kernel import guard, pages, policies, sweeps
from koogallery.kernel.calls import system_call
from koogallery.notifications.models import Message
from supervision.states import Step
from tests.factories import billing as money
from tests.factories.offers import bills_of, in_milestones
from tests.factories.supervision import AT, Deal

pytestmark = pytest.mark.django_db

SOON, LATE = "milestone_bill_due", "milestone_bill_overdue"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def bill_of(deal: Deal) -> MilestoneBill:
    return bills_of(deal.order)[0]


def told() -> list[tuple[str, datetime]]:
    found = Message.objects.filter(kind__in=[SOON, LATE]).order_by("created_at", "pk")
    return list(found.values_list("kind", "created_at"))


def run(name: str, upto: datetime) -> int:
    return sweeps.sweeps[name].run(upto)


def remind(upto: datetime) -> list[tuple[str, datetime]]:
    run("milestone-bill-reminders", upto)
    return told()


# When it is due


@pytest.mark.parametrize(
    ("generated", "due"),
    [
        ("2026-03-10T10:00:00", "2026-04-09T23:59:59"),
        ("2026-01-31T00:00:00", "2026-03-02T23:59:59"),
        ("2026-02-28T23:59:59", "2026-03-30T23:59:59"),
        ("2028-01-30T12:00:00", "2028-02-29T23:59:59"),
        ("2026-12-02T23:59:59", "2027-01-01T23:59:59"),
    ],
)
def test_a_bill_is_due_at_the_end_of_the_thirtieth_day(generated: str, due: str) -> None:
    deal = in_milestones(at=at(generated))
    bill = bill_of(deal)
    assert (bill.generated_at, bill.written_at, bill.due_at) == (at(generated), at(generated), at(due))
    assert bill.overdue_due_at == at(due) + timedelta(seconds=1)
    assert not bill.was_written_late


def test_the_due_days_stamped_on_the_order_count() -> None:
    policies.choose(system_call(at=AT - timedelta(hours=1)), overrides={"milestone.due_days": 45})
    deal = in_milestones()
    assert bill_of(deal).last_day == clock.platform_date(AT) + timedelta(days=45)
    policies.choose(system_call(at=AT), overrides={"milestone.due_days": 15})
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.accept()
    assert bills_of(deal.order)[1].last_day == clock.platform_date(AT) + timedelta(days=45)


@pytest.mark.parametrize(("hours", "counts_from_writing"), [(23, False), (24, False), (24.001, True), (48, True)])
def test_a_bill_written_more_than_a_day_late_is_due_from_the_writing(hours: float, counts_from_writing: bool) -> None:
    generated, written = AT, AT + timedelta(hours=hours)
    due = rules.bill_due(generated_at=generated, written_at=written, days=30)
    first = clock.platform_date(written if counts_from_writing else generated)
    assert clock.platform_date(due) == first + timedelta(days=30)


def test_a_bill_written_after_two_days_of_sleep_shows_both_times() -> None:
    deal = in_milestones()
    second = Milestone.objects.get(line_number=deal.flow.number, position=2)
    with guard.opened("test"):
        second.bill_due_at = AT
        second.save(update_fields=["bill_due_at"])
    later = AT + timedelta(days=2, hours=1)
    assert run("milestone-bills", later) == 1
    assert run("milestone-bills", later) == 0
    bill = bills_of(deal.order)[1]
    assert (bill.generated_at, bill.written_at, bill.was_written_late) == (AT, later, True)
    assert bill.last_day == clock.platform_date(later) + timedelta(days=30)
    page = deal.buyer.client.get(bill.get_absolute_url()).content.decode()
    assert "Mar 10, 2026 10:00:00" in page
    assert "Mar 12, 2026 11:00:00" in page
    assert "Apr 11, 2026 23:59:59" in page


# Overdue


def test_a_bill_is_overdue_from_the_next_midnight_on() -> None:
    deal = in_milestones()
    bill = bill_of(deal)
    for moment, state in (
        (bill.due_at - timedelta(seconds=1), BillState.OPEN),
        (bill.due_at, BillState.OPEN),
        (bill.due_at + timedelta(milliseconds=500), BillState.OPEN),
        (bill.due_at + timedelta(seconds=1), BillState.OVERDUE),
    ):
        run("overdue-milestone-bills", moment)
        bill.refresh_from_db()
        assert (bill.state, bill.shown_state(moment)) == (state, state)
    trace = Trace.objects.get(trace_name="markMilestoneBillOverdue")
    assert (trace.resource_id, trace.time) == (bill.number, at("2026-04-10T00:00:00"))


def test_in_its_last_second_a_bill_is_overdue_nowhere() -> None:
    deal = in_milestones().to(Step.ACCEPT)
    bill = bill_of(deal)
    assert deal.buyer.account is not None
    for moment, late in (
        (bill.due_at + timedelta(milliseconds=500), False),
        (bill.due_at + timedelta(seconds=1), True),
    ):
        assert milestones.is_overdue(line_number=deal.flow.number, at=moment) is late
        assert queries.milestone_bills_due(deal.buyer.account, at=moment).overdue_count == int(late)
        assert (rules.reminder_to_send(due_at=bill.due_at, upto=moment) is None) is late
        with clock.at(moment):
            found = {
                tab: bill.number in deal.buyer.client.get(f"/console/bills/milestones/?tab={tab}").content.decode()
                for tab in ("open", "overdue")
            }
            assert found == {"open": not late, "overdue": late}
            accepted = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
            assert ("milestone_bill_overdue" in accepted or "bill of this order is overdue" in accepted) is late
    deal.at = bill.due_at + timedelta(milliseconds=500)
    assert deal.accept().step == Step.PROVIDE


def test_asleep_for_months_a_bill_becomes_overdue_once_at_its_time() -> None:
    bill = bill_of(in_milestones())
    later = bill.due_at + timedelta(days=90)
    assert run("overdue-milestone-bills", later) == 1
    assert run("overdue-milestone-bills", later) == 0
    assert Trace.objects.get(trace_name="markMilestoneBillOverdue").time == bill.due_at + timedelta(seconds=1)


def test_a_bill_repaid_in_time_is_never_overdue_nor_reminded_of() -> None:
    deal = in_milestones()
    money.fund(deal.buyer.account, 300)
    bill = bill_of(deal)
    repaying.repay(deal.buyer.call(at=bill.due_at, key=pages.new_key()), bill=bill.number, method="balance")
    later = bill.due_at + timedelta(days=30)
    assert run("overdue-milestone-bills", later) == 0
    assert remind(later) == []
    assert bill_of(deal).state == BillState.REPAID


# Reminders


REMINDERS = [
    (SOON, at("2026-04-02T09:00:00")),
    (SOON, at("2026-04-08T09:00:00")),
    (LATE, at("2026-04-10T09:00:00")),
    (LATE, at("2026-04-16T09:00:00")),
]


def test_an_awake_platform_reminds_four_times_at_nine() -> None:
    deal = in_milestones()
    for _kind, moment in REMINDERS:
        remind(moment - timedelta(seconds=1))
        remind(moment)
        remind(moment + timedelta(minutes=1))
    assert told() == REMINDERS
    assert remind(AT + timedelta(days=400)) == REMINDERS
    assert {trace.time for trace in Trace.objects.filter(trace_name="remindOfMilestoneBill")} == {
        moment for _kind, moment in REMINDERS
    }
    assert set(Message.objects.filter(kind=LATE).values_list("account_id", "link")) == {
        (deal.buyer.account.pk, bill_of(deal).get_absolute_url())
    }


@pytest.mark.parametrize(
    ("awake", "said"),
    [
        ("2026-04-02T08:59:59", []),
        ("2026-04-05T12:00:00", [REMINDERS[0]]),
        ("2026-04-09T12:00:00", [REMINDERS[1]]),
        ("2026-04-09T23:59:59", [REMINDERS[1]]),
        ("2026-04-10T00:00:00", []),
        ("2026-04-10T08:59:59", []),
        ("2026-04-10T09:00:00", [REMINDERS[2]]),
        ("2026-04-20T12:00:00", [REMINDERS[3]]),
        ("2026-09-20T12:00:00", [REMINDERS[3]]),
    ],
)
def test_after_a_sleep_only_the_latest_reminder_that_is_still_true_is_sent(
    awake: str, said: list[tuple[str, datetime]]
) -> None:
    in_milestones()
    assert remind(at(awake)) == said
    assert remind(at(awake)) == said


def test_after_a_sleep_the_reminders_go_on() -> None:
    in_milestones()
    remind(at("2026-04-10T00:00:00"))
    assert remind(at("2026-04-30T00:00:00")) == [REMINDERS[3]]


def test_a_bill_written_late_is_reminded_of_from_its_later_due_date() -> None:
    assert rules.next_reminder(last_day=date(2026, 4, 9), after=at("2026-04-02T09:00:00")) == REMINDERS[1][1]
    assert rules.next_reminder(last_day=date(2026, 4, 9), after=REMINDERS[3][1]) is None
    assert rules.reminder_to_send(due_at=at("2026-04-09T23:59:59"), upto=at("2026-03-10T10:00:00")) is None


@pytest.mark.parametrize("name", ["overdue-milestone-bills", "milestone-bill-reminders"])
def test_a_hundred_bills_need_no_more_statements_than_one(name: str) -> None:
    act: Any = {"overdue-milestone-bills": dunning.mark_due, "milestone-bill-reminders": dunning.remind_due}[name]
    asked = []
    for count in (1, 5):
        found = [bill_of(in_milestones()) for _each in range(count)]
        with guard.opened("test"), CaptureQueriesContext(connection) as taken:
            act([bill.pk for bill in found], found[0].due_at + timedelta(days=20))
        asked.append(len(taken))
    assert asked[0] == asked[1]
