"""The flows of all templates, step by step (supervision.md, Flows)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.models import Trace
from koogallery.kernel.reasons import Refused
from orders.states import OrderState
from supervision.states import Step
from tests.factories.supervision import supervised

pytestmark = pytest.mark.django_db


def test_a_license_waits_for_the_seller_then_for_the_acceptance() -> None:
    deal = supervised("license")
    assert deal.step == Step.HAND_OVER
    deal.wait(hours=1).deliver()
    assert deal.step == Step.CONFIRM
    deal.wait(hours=1).accept()
    assert deal.step == Step.ACCEPTED
    assert deal.flow.completion_due_at == deal.at + timedelta(hours=3)
    assert deal.order.state == OrderState.PROCESSING


@pytest.mark.parametrize("method", ["saas", "professional_service"])
def test_a_service_begins_with_the_request(method: str) -> None:
    deal = supervised(method)
    seen = [deal.step]
    for act in (deal.submit, deal.accept_request, deal.deliver, deal.accept):
        act()
        seen.append(deal.step)
    assert seen == [Step.SUBMIT, Step.REVIEW, Step.PROVIDE, Step.ACCEPT, Step.ACCEPTED]
    assert list(deal.flow.records.values_list("kind", flat=True)) == [
        "opened",
        "submit_request",
        "accept_request",
        "deliver",
        "accept",
    ]


def test_a_rejected_delivery_goes_back_to_the_seller_and_is_counted() -> None:
    deal = supervised("hardware").to(Step.CONFIRM)
    deal.reject("The box is empty.")
    assert (deal.step, deal.flow.customer_rejects) == (Step.SHIP, 1)
    deal.to(Step.ACCEPTED)


def test_milestones_repeat_delivery_and_acceptance() -> None:
    deal = supervised("professional_service", milestones=3)
    deal.submit()
    deal.accept_request()
    for milestone in (1, 2):
        deal.deliver()
        deal.reject()
        deal.deliver()
        deal.accept()
        assert (deal.step, deal.flow.milestone, deal.flow.customer_rejects) == (Step.PROVIDE, milestone + 1, 0)
    deal.deliver()
    deal.accept()
    assert deal.step == Step.ACCEPTED


def test_what_the_table_does_not_hold_is_refused_and_traced() -> None:
    deal = supervised("license")
    with pytest.raises(Refused, match="flow_step"):
        deal.accept()
    assert Trace.objects.get(trace_name="confirmAcceptance").trace_rating == "warning"


def test_an_appeal_freezes_and_a_withdrawal_moves_the_due_times_by_the_time_it_stood() -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    due = deal.flow.completion_due_at
    deal.wait(hours=1).appeal()
    with pytest.raises(Refused, match="flow_frozen"):
        deal.remind()
    deal.wait(hours=50).withdraw()
    assert deal.step == Step.ACCEPTED
    assert deal.flow.completion_due_at == due + timedelta(hours=50)


@pytest.mark.parametrize(
    ("decision", "step", "state"),
    [
        ("continue", Step.CONFIRM, OrderState.PROCESSING),
        ("restart", Step.HAND_OVER, OrderState.PROCESSING),
        ("complete", Step.COMPLETED, OrderState.COMPLETED),
        ("refund_part", Step.CONFIRM, OrderState.PROCESSING),
        ("refund_part_complete", Step.COMPLETED, OrderState.COMPLETED),
        ("refund_all", Step.CANCELED, OrderState.CANCELED),
    ],
)
def test_a_decision_is_carried_out(decision: str, step: Step, state: OrderState) -> None:
    from tests.factories.billing import usd
    from tests.personas import make_operator

    deal = supervised("license").to(Step.CONFIRM)
    deal.appeal()
    arguments = {}
    if decision == "restart":
        arguments["restart"] = "hand_over"
    if decision.startswith("refund_part"):
        arguments["refund"] = usd("200.50")
    appeal = deal.wait(hours=5).decide(decision, **arguments)
    if appeal.state == "proposed":
        from koogallery.kernel import pages
        from supervision.operations import deciding

        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
    assert deal.step == step
    assert deal.order.state == state
