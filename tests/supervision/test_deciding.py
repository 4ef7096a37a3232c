"""Deciding appeals: what each decision does to flow, order, resource and money, and who signs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from audit.models import Trace
from billing.models import Payment, Refund
from billing.queries import balance, order_money
from koogallery.identity.states import OperatorRole
from koogallery.kernel import pages
from koogallery.kernel.reasons import Refused
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from orders.models import ResourceTerm
from orders.operations import cancelling
from orders.states import OrderState, ResourceStatus
from supervision.models import Appeal
from supervision.operations import deciding
from supervision.states import AppealState, Decision, RecordKind, Step
from tests.factories import catalog
from tests.factories.billing import usd
from tests.factories.supervision import Deal, supervised, supervised_product
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

PRICE = "1200.00"
CHEAP = [catalog.plan(unit_price="600.00", term_unit="year", lengths=[1])]


def cheap(method: str = "license", **fields: Any) -> Deal:
    """A deal whose every decision one manager may sign."""
    return supervised(method, product=supervised_product(method, plans=CHEAP), **fields)


def money(deal: Deal) -> tuple[str, str, str]:
    """Held, earned, refunded."""
    found = order_money(deal.flow.order_number)
    return tuple(str(each.rounded().amount) for each in (found.held, found.earned, found.refunded))  # type: ignore[return-value]


def countersign(deal: Deal, by: Persona | None = None) -> Appeal:
    appeal = deal.flow.appeals.get(state="proposed")
    by = by or make_operator()
    signed = deciding.countersign(by.call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
    deal.flow.refresh_from_db()
    return signed


def decline(deal: Deal, by: Persona) -> Appeal:
    appeal = deal.flow.appeals.get(state="proposed")
    call = by.call(at=deal.at, key=pages.new_key())
    return deciding.decline(call, appeal=appeal.number, note="The refund is too high.")


# Each decision


def test_continue_leaves_exactly_the_state_before_but_for_the_time_it_stood() -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    ignored = {"_state", "frozen_at", "completion_due_at", "delivery_due_at", "turn_since"}
    before = {name: value for name, value in vars(deal.flow).items() if name not in ignored}
    due = deal.flow.completion_due_at
    assert due is not None
    deal.wait(hours=1).appeal()
    deal.wait(hours=30).decide("continue")
    assert {name: value for name, value in vars(deal.flow).items() if name in before} == before
    assert (deal.flow.completion_due_at, deal.flow.frozen_at) == (due + timedelta(hours=30), None)
    assert money(deal) == (PRICE, "0.00", "0.00")


@pytest.mark.parametrize(
    ("method", "step", "possible"),
    [
        ("license", Step.HAND_OVER, ["hand_over"]),
        ("license", Step.CONFIRM, ["hand_over", "confirm"]),
        ("license", Step.ACCEPTED, ["hand_over", "confirm"]),
        ("saas", Step.PROVIDE, ["submit", "review", "provide"]),
        ("saas", Step.ACCEPTED, ["submit", "review", "provide", "accept"]),
        ("hardware", Step.CONFIRM, ["ship", "confirm"]),
    ],
)
def test_a_flow_restarts_from_any_step_it_has_reached(method: str, step: Step, possible: list[str]) -> None:
    deal = supervised(method).to(step)
    assert deciding.steps_to_restart(deal.flow) == possible
    deal.appeal()
    with pytest.raises(Refused, match="restart_step"):
        deal.decide("restart", restart="completed")
    with pytest.raises(Refused, match="restart_step"):
        deal.decide("restart")
    deal.wait(hours=4).decide("restart", restart=possible[0])
    flow = deal.flow
    assert (flow.step, flow.step_since, flow.turn_since) == (possible[0], deal.at, deal.at)
    assert (flow.accepted_at, flow.completion_due_at, flow.delivered_at, flow.frozen_at) == (None, None, None, None)
    assert deal.to(Step.ACCEPTED).flow.accepted_at == deal.at


def test_a_milestone_flow_restarts_never_before_the_last_accepted_milestone() -> None:
    deal = supervised("professional_service", milestones=2)
    deal.to(Step.ACCEPT).accept()
    assert deciding.steps_to_restart(deal.flow) == [Step.PROVIDE]
    deal.deliver()
    assert deciding.steps_to_restart(deal.flow) == [Step.PROVIDE, Step.ACCEPT]
    deal.appeal()
    with pytest.raises(Refused, match="restart_step"):
        deal.decide("restart", restart="submit")
    deal.decide("restart", restart="provide")
    assert (deal.step, deal.flow.milestone) == (Step.PROVIDE, 2)
    deal.to(Step.ACCEPTED)
    assert deciding.steps_to_restart(deal.flow) == []


def term_start(deal: Deal) -> Any:
    return ResourceTerm.objects.get(line=deal.flow.line).start


@pytest.mark.parametrize("begins", ["enabling", "acceptance", "decision"])
def test_complete_and_settle_completes_at_once_and_starts_the_term(begins: str) -> None:
    deal = cheap("saas").to(Step.PROVIDE)
    enabled = deal.at + timedelta(days=1)
    deal.wait(days=2).deliver(**({"enabling_at": enabled} if begins == "enabling" else {}))
    accepted = deal.wait(days=2).at
    if begins != "decision":
        deal.accept()
    deal.wait(minutes=5).appeal()
    deal.wait(days=3).decide("complete")
    assert (deal.step, deal.flow.ended_at) == (Step.COMPLETED, deal.at)
    assert (deal.order.state, deal.order.completed_at) == (OrderState.COMPLETED, deal.at)
    assert deal.flow.line.resources.get().status == ResourceStatus.ENABLED
    assert money(deal) == ("0.00", "600.00", "0.00")
    moment = {"enabling": enabled, "acceptance": accepted, "decision": deal.at}[begins]
    assert term_start(deal) == moment.date()
    kinds = list(deal.flow.records.values_list("kind", flat=True))
    assert kinds[-2:] == [RecordKind.DECIDE, RecordKind.COMPLETE]


def test_a_refunded_part_goes_back_and_the_rest_stays_held_until_the_completion() -> None:
    deal = cheap().to(Step.CONFIRM)
    before = balance(deal.buyer.account.pk)  # type: ignore[union-attr]
    deal.appeal()
    deal.decide("refund_part", refund=usd("200.50"))
    assert (deal.step, money(deal)) == (Step.CONFIRM, ("399.50", "0.00", "200.50"))
    assert balance(deal.buyer.account.pk) == before + usd("200.50")  # type: ignore[union-attr]
    deal.appeal(by=deal.seller)
    deal.decide("complete")
    assert money(deal) == ("0.00", "399.50", "200.50")


def test_a_part_is_refunded_and_the_rest_earned_at_once() -> None:
    deal = cheap()
    deal.appeal()
    deal.decide("refund_part_complete", refund=usd("0.01"))
    assert (deal.order.state, money(deal)) == (OrderState.COMPLETED, ("0.00", "599.99", "0.01"))


def test_a_full_refund_cancels_the_order_and_closes_its_resource() -> None:
    deal = cheap().to(Step.ACCEPTED)
    deal.wait(hours=1).appeal()
    deal.decide("refund_all")
    assert (deal.step, deal.flow.completion_due_at) == (Step.CANCELED, None)
    assert deal.order.state == OrderState.CANCELED
    resource = deal.flow.line.resources.get()
    assert (resource.status, resource.closed_at) == (ResourceStatus.CLOSED, deal.at)
    assert money(deal) == ("0.00", "0.00", "600.00")
    for act in (deal.appeal, deal.remind, deal.deliver):
        with pytest.raises(Refused, match="flow_canceled"):
            act()


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (None, "refund_needed"),
        ("0", "amount_not_positive"),
        ("-5", "amount_not_positive"),
        ("600.00", "refund_part_too_much"),
        ("600.01", "refund_part_too_much"),
        ("0.001", "amount_not_whole"),
    ],
)
def test_a_part_is_more_than_nothing_and_less_than_all(amount: str | None, code: str) -> None:
    deal = cheap()
    deal.appeal()
    with pytest.raises(Refused, match=code):
        deal.decide("refund_part", refund=usd(amount) if amount else None)
    assert (deal.flow.appeals.get().state, money(deal)) == (AppealState.OPEN, ("600.00", "0.00", "0.00"))
    deal.decide("refund_part", refund=usd("599.99"))


# Orders without money, and of a reseller's customer


@pytest.mark.parametrize(("decision", "step"), [("complete", Step.COMPLETED), ("refund_all", Step.CANCELED)])
def test_an_order_that_cost_nothing_is_decided_without_money(decision: str, step: Step) -> None:
    free = supervised_product("license", plans=[catalog.plan(unit_price="0", term_unit="year", lengths=[1])])
    deal = supervised(product=free)
    deal.appeal()
    with pytest.raises(Refused, match="refund_part_too_much"):
        deal.decide("refund_part", refund=usd("1.00"))
    assert deal.decide(decision).state == AppealState.DECIDED
    assert deal.step == step
    assert not Refund.objects.exists()
    assert set(Message.objects.filter(kind__startswith="appeal_dec").values_list("kind", flat=True)) == {
        "appeal_decided"
    }


def test_a_resellers_customers_refund_lowers_what_the_reseller_owes(customer: Persona, reseller: Persona) -> None:
    deal = cheap(buyer=customer)
    assert Payment.objects.get().payer_id == reseller.user.account_id
    deal.appeal()
    deal.decide("refund_all")
    refund = Refund.objects.get()
    assert (refund.parts.get().destination, str(refund.money)) == ("reseller", "USD 600.00")
    assert (deal.order.state, money(deal)) == (OrderState.CANCELED, ("0.00", "0.00", "600.00"))


# Two signatures


@pytest.mark.parametrize(("amount", "state"), [("1000.00", AppealState.DECIDED), ("1000.01", AppealState.PROPOSED)])
def test_above_the_limit_a_second_manager_countersigns(amount: str, state: AppealState) -> None:
    deal = supervised("license")
    deal.appeal()
    assert deal.decide("refund_part", refund=usd(amount)).state == state
    assert money(deal)[2] == (amount if state is AppealState.DECIDED else "0.00")


def test_another_manager_countersigns_never_the_one_who_decided() -> None:
    deal, first = supervised("license"), make_operator(OperatorRole.APPEAL_OFFICER)
    deal.appeal()
    deal.decide("complete", by=first)
    assert (deal.step, deal.flow.is_frozen, money(deal)) == (Step.HAND_OVER, True, (PRICE, "0.00", "0.00"))
    with pytest.raises(Refused, match="countersign_own"):
        countersign(deal, first)
    with pytest.raises(Refused, match="countersign_own"):
        decline(deal, first)
    with pytest.raises(Refused, match="appeal_not_open"):
        deciding.decide(
            make_operator().call(at=deal.at, key=pages.new_key()),
            appeal=deal.flow.appeals.get().number,
            decision="continue",
            note="x",
        )
    second = make_operator(OperatorRole.APPEAL_OFFICER)
    signed = countersign(deal, second)
    assert (signed.proposed_by, signed.countersigned_by) == (first.user, second.user)
    assert (deal.step, money(deal)) == (Step.COMPLETED, ("0.00", PRICE, "0.00"))


def test_a_declined_decision_is_decided_again() -> None:
    deal, first = supervised("license"), make_operator()
    deal.appeal()
    deal.decide("refund_all", by=first)
    appeal = decline(deal, make_operator())
    assert (appeal.state, appeal.decision, appeal.effects) == (AppealState.OPEN, "", {})
    assert deal.decide("continue", by=first).state == AppealState.DECIDED
    kinds = list(deal.flow.records.values_list("kind", flat=True))
    assert kinds[-4:] == [RecordKind.APPEAL, RecordKind.PROPOSE, RecordKind.DECLINE, RecordKind.DECIDE]


def test_a_decision_is_refused_when_its_effects_are_no_longer_what_was_shown() -> None:
    deal = cheap()
    appeal = deal.appeal()
    shown = deciding.preview(appeal, decision=Decision.COMPLETE).to_json()
    assert shown == {"refunded": "0.00", "earned": "600.00", "held": "0.00", "currency": "USD"}
    with pytest.raises(Refused, match="effects_changed"):
        deal.decide("complete", previewed={**shown, "earned": "500.00"})
    assert deal.decide("complete", previewed=shown).state == AppealState.DECIDED


@pytest.mark.parametrize("role", [OperatorRole.SUPPORT, OperatorRole.FINANCE, OperatorRole.CATALOGUE_REVIEWER])
def test_only_appeal_officers_and_administrators_decide(role: OperatorRole) -> None:
    deal = cheap()
    deal.appeal()
    with pytest.raises(Refused, match="operator_role_not_allowed"):
        deal.decide("continue", by=make_operator(role))
    deal.decide("continue", by=make_operator(OperatorRole.APPEAL_OFFICER))


# What is told


def test_the_lists_of_both_sides_show_the_decision_with_the_manager_as_operator() -> None:
    deal, officer = cheap(), make_operator(OperatorRole.APPEAL_OFFICER)
    appeal = deal.appeal(by=deal.seller)
    deal.decide("refund_part", refund=usd("10.00"), by=officer)
    traces = Trace.objects.filter(trace_name="decideAppeal")
    assert {trace.account_id for trace in traces} == {deal.buyer.user.account_id, deal.seller.user.account_id}
    for trace in traces:
        assert (trace.user_name, trace.resource_id) == (officer.user.username, appeal.number)
        assert trace.response["refunded"] == "10.00"


@pytest.mark.parametrize(
    ("decision", "arguments", "words"),
    [
        ("continue", {}, "The service flow goes on exactly where it stood."),
        ("restart", {"restart": "hand_over"}, "from the step “Waiting for the seller to provide the service”."),
        ("complete", {}, "The service is completed, and what is held for it goes to the seller."),
        ("refund_part", {"refund": usd("10.00")}, "goes on where it stood. Refunded to the customer: USD 10.00."),
        ("refund_part_complete", {"refund": usd("10.00")}, "the rest goes to the seller. Refunded to the customer:"),
        ("refund_all", {}, "the order is canceled. Refunded to the customer: USD 600.00."),
    ],
)
def test_both_sides_get_a_message_that_says_what_was_decided(
    decision: str, arguments: dict[str, Any], words: str
) -> None:
    deal = cheap()
    deal.appeal()
    with translation.override("zh-hans"):
        deal.decide(decision, note="The log shows it.", **arguments)
    told = Message.objects.filter(kind__startswith="appeal_decided")
    assert {message.user_id for message in told} == {deal.buyer.user.pk, deal.seller.user.pk}
    body = rendering.body(told[0].kind, told[0].params)
    assert words in body
    assert body.endswith("Explanation: The log shows it.")
    assert deal.flow.product_name in body


def test_an_order_with_a_flow_is_not_canceled_beside_it() -> None:
    deal = supervised("license")
    call = make_operator().call(at=deal.at, key=pages.new_key())
    with pytest.raises(Refused, match="order_supervised"):
        cancelling.cancel_undeliverable(call, order=deal.flow.order_number, reason="no answer")
    assert deal.order.state == OrderState.PROCESSING
