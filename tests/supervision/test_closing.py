"""The closing date, where an operator set one, and what can never be changed (supervision.md, Flows)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import translation

from audit.models import Trace
from billing.queries import order_money
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from orders.states import OrderState
from supervision.models import Appeal, Flow
from supervision.operations import closing, deciding, reminding
from supervision.states import Actor, AppealState, RecordKind, Step
from tests.factories.billing import usd
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import make_operator

pytestmark = pytest.mark.django_db

POLICY: dict[str, Any] = {"overrides": {"flow.auto_close_days": 365}}
SECOND = timedelta(seconds=1)
ORDERED = datetime.fromisoformat("2026-03-05T16:20:00+08:00")
CLOSED = datetime.fromisoformat("2027-03-06T00:00:00+08:00")


def closing_deal(method: str = "license", *, at: datetime = ORDERED) -> Deal:
    return supervised(method, at=at, policy=POLICY)


def sweep(upto: datetime = CLOSED) -> int:
    return sweeps["closing-flows"].run(upto)


def test_without_the_policy_no_flow_closes() -> None:
    deal = supervised("license", at=ORDERED)
    assert (deal.flow.auto_close_due_at, deal.flow.closes_on) == (None, None)
    assert sweeps["closing-flows"].next_due() is None


def test_an_order_of_march_5_2026_closes_on_march_5_2027_and_freezes_at_the_next_midnight() -> None:
    deal = closing_deal()
    assert str(deal.flow.closes_on) == "2027-03-05"
    assert sweeps["closing-flows"].next_due() == CLOSED
    assert sweep(CLOSED - SECOND) == 0
    assert sweep(CLOSED + timedelta(hours=7)) == 1
    deal.flow.refresh_from_db()
    assert (deal.flow.frozen_at, deal.step) == (CLOSED, Step.HAND_OVER)
    assert sweep(CLOSED + timedelta(days=9)) == 0
    assert deal.order.state == OrderState.PROCESSING
    assert order_money(deal.flow.order_number).held == usd("1200.00")


def test_closing_is_work_for_operations_with_record_traces_and_messages_to_both_sides() -> None:
    deal = closing_deal()
    sweep()
    appeal = Appeal.objects.get()
    assert (appeal.filed_by, appeal.state, appeal.filed_at) == (Actor.SYSTEM, AppealState.OPEN, CLOSED)
    assert appeal.decision_due_at == datetime.fromisoformat("2027-03-10T23:59:59+08:00")
    with translation.override("en"):
        assert appeal.shown_reason == "The service was not completed by the closing date of its flow."
    record = deal.flow.records.get(kind=RecordKind.CLOSE)
    assert (record.at, record.actor, record.appeal) == (CLOSED, Actor.SYSTEM, appeal)
    trace = Trace.objects.get(trace_name="closeSupervision")
    assert (trace.time, trace.trace_type, trace.account_id) == (CLOSED, "SystemAction", deal.flow.account_id)
    assert (trace.resource_id, trace.response["appeal"]) == (deal.flow.order_number, appeal.number)
    told = Message.objects.filter(kind="flow_closed")
    assert {message.user_id for message in told} == {deal.buyer.user.pk, deal.seller.user.pk}
    assert "is frozen. The operations manager decides until Mar 10, 2027 23:59:59 GMT+08:00." in rendering.body(
        told[0].kind, told[0].params
    )


def test_the_closing_date_binds_though_the_sweep_has_not_run() -> None:
    deal = closing_deal()
    deal.at = CLOSED - SECOND
    deal.remind()
    deal.at = CLOSED
    for act in (deal.deliver, deal.remind, deal.appeal):
        with pytest.raises(Refused, match="flow_frozen"):
            act()
    reminding.send_message(deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, text="Hello?")
    assert not Appeal.objects.exists()


def test_what_is_accepted_completed_canceled_or_frozen_does_not_close() -> None:
    accepted = closing_deal().to(Step.ACCEPTED)
    canceled, completed, frozen = closing_deal(), closing_deal(), closing_deal()
    for deal, decision in ((canceled, "refund_all"), (completed, "complete")):
        deal.appeal()
        appeal = deal.decide(decision)
        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
    frozen.appeal()
    assert sweep() == 0
    assert not Appeal.objects.filter(filed_by=Actor.SYSTEM).exists()
    frozen.at = CLOSED + timedelta(days=1)
    frozen.withdraw()
    assert frozen.flow.auto_close_due_at == CLOSED + (frozen.at - ORDERED)
    assert accepted.step == Step.ACCEPTED


@pytest.mark.parametrize(("decision", "step"), [("continue", Step.HAND_OVER), ("restart", Step.HAND_OVER)])
def test_a_flow_that_operations_let_go_on_closes_no_second_time(decision: str, step: Step) -> None:
    deal = closing_deal()
    sweep()
    with pytest.raises(Refused, match="appeal_not_yours"):
        deal.withdraw()
    deal.at = CLOSED + timedelta(days=2)
    deal.decide(decision, restart="hand_over")
    assert (deal.step, deal.flow.frozen_at, deal.flow.auto_close_due_at) == (step, None, None)
    assert sweep(CLOSED + timedelta(days=900)) == 0
    deal.to(Step.ACCEPTED)


def test_an_accepted_flow_that_is_restarted_after_its_closing_date_may_move() -> None:
    deal = closing_deal()
    deal.at = CLOSED - timedelta(hours=1)
    deal.to(Step.ACCEPTED)
    deal.wait(hours=2).appeal()
    deal.wait(hours=1).decide("restart", restart="confirm")
    assert deal.flow.auto_close_due_at is None
    deal.accept()


def test_many_flows_close_with_as_many_statements_as_one(django_assert_max_num_queries: Any) -> None:
    closing_deal()
    sweep()
    closing_deal()

    def count() -> int:
        with django_assert_max_num_queries(40) as captured:
            sweep()
        return len(captured)

    alone = count()
    for _each in range(4):
        closing_deal()
    assert count() == alone
    assert Appeal.objects.count() == 6
    assert Trace.objects.filter(trace_name="closeSupervision").count() == 6


def test_the_platform_closes_one_flow_by_its_operation_only_when_due() -> None:
    deal = closing_deal()
    closing.close(system_call(at=CLOSED - SECOND), flow=deal.flow.number)
    assert not Appeal.objects.exists()
    closing.close(system_call(at=CLOSED), flow=deal.flow.number)
    deal.flow.refresh_from_db()
    assert (deal.flow.frozen_at, Appeal.objects.count()) == (CLOSED, 1)


# Evidence cannot be changed


@pytest.mark.parametrize(
    "table", ["supervision_flowrecord", "supervision_flowmessage", "supervision_flowfile", "kernel_storedfile"]
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_evidence(table: str, statement: str) -> None:
    deal = supervised("license")
    reminding.send_message(
        deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, text="Look.", uploads=[upload()]
    )
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        guard.opened("test"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement.format(table))
    assert Flow.objects.get().messages.count() == 1
    assert deal.flow.files.count() == 1
