"""Appeals: who may file one when, what stands meanwhile, how one ends without a decision (supervision.md, Appeals)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from audit.models import Trace
from koogallery.kernel import holidays, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.states import OrderState
from supervision.models import Appeal
from supervision.operations import appealing, reminding
from supervision.rules import appealing as rules
from supervision.states import Actor, AppealState, RecordKind, Step
from tests.factories import identity
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

GATED: dict[str, Any] = {"pack": "2024"}
CLOSING: dict[str, Any] = {"pack": "2024", "overrides": {"flow.auto_close_days": 365}}
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def may(deal: Deal, party: Actor, moment: datetime | None = None) -> str:
    """The code of the refusal, or nothing."""
    deal.flow.refresh_from_db()
    refused = appealing.why_not(deal.flow, party=party, at=moment or deal.at)
    return refused.code if refused else ""


# When one is possible


@pytest.mark.parametrize("step", [Step.SUBMIT, Step.REVIEW, Step.PROVIDE, Step.ACCEPT, Step.ACCEPTED])
def test_by_the_2025_rules_either_side_appeals_whenever_the_flow_is_not_complete(step: Step) -> None:
    deal = supervised("saas").to(step)
    assert may(deal, Actor.BUYER) == may(deal, Actor.SELLER) == ""
    appeal = deal.appeal(by=deal.seller)
    assert (appeal.filed_by, appeal.state, deal.flow.frozen_at) == (Actor.SELLER, AppealState.OPEN, deal.at)
    assert may(deal, Actor.BUYER) == "flow_frozen"


def test_a_second_appeal_is_refused_while_one_is_undecided_and_possible_afterwards() -> None:
    deal = supervised("license")
    deal.appeal()
    with pytest.raises(Refused, match="flow_frozen"):
        deal.appeal(by=deal.seller)
    assert Appeal.objects.count() == 1
    deal.withdraw()
    deal.appeal(by=deal.seller)
    assert Appeal.objects.count() == 2


def test_the_appeal_is_possible_until_the_second_before_the_completion_is_due() -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    due = deal.flow.completion_due_at
    assert due is not None
    assert may(deal, Actor.BUYER, due - SECOND) == ""
    assert may(deal, Actor.BUYER, due) == "flow_completed"
    deal.at = due
    with pytest.raises(Refused, match="flow_completed"):
        deal.appeal()
    assert not Appeal.objects.exists()


@pytest.mark.parametrize("reason", ["", "   \n ", "x" * 1001])
def test_the_reason_has_1_to_1000_characters(reason: str) -> None:
    deal = supervised("license")
    with pytest.raises(Refused, match=r"text_required|text_too_long"):
        deal.appeal(reason=reason)
    assert deal.step == Step.HAND_OVER
    assert not deal.flow.is_frozen
    deal.appeal(reason="x" * 1000)


def test_ten_proof_files_go_with_an_appeal_and_no_eleventh() -> None:
    deal = supervised("license")
    with pytest.raises(Refused, match="too_many_files"):
        deal.appeal(uploads=[upload(f"{number}.pdf", bytes([number])) for number in range(11)])
    assert not deal.flow.files.exists()
    deal.appeal(uploads=[upload(f"{number}.pdf", bytes([number])) for number in range(10)])
    assert deal.flow.files.count() == 10


def test_the_page_recommends_an_appeal_after_more_than_five_days_of_silence() -> None:
    deal = supervised("license")
    since, policies = deal.flow.turn_since, deal.flow.policies

    def recommended(party: Actor, hours: int, more: timedelta) -> bool:
        moment = since + timedelta(hours=hours) + more
        return rules.is_recommended(appealing.standing_of(deal.flow), party=party, policies=policies, at=moment)

    assert not recommended(Actor.BUYER, 120, timedelta(0))
    assert recommended(Actor.BUYER, 120, SECOND)
    assert not recommended(Actor.SELLER, 120, SECOND)


# The gate of 2024


@pytest.mark.parametrize(("method", "needed"), [("license", 2), ("hardware", 3), ("saas", 3)])
def test_enough_rejected_deliveries_open_the_gate_to_both_sides(method: str, needed: int) -> None:
    deal = supervised(method, policy=GATED)
    for count in range(1, needed + 1):
        deal.to(Step.ACCEPT if method == "saas" else Step.CONFIRM).reject()
        expected = "appeal_gate" if count < needed else ""
        assert (may(deal, Actor.BUYER), may(deal, Actor.SELLER)) == (expected, expected)


def test_three_rejected_requests_open_the_gate_to_the_buyer_alone() -> None:
    deal = supervised("saas", policy=GATED)
    for count in range(1, 4):
        deal.submit()
        deal.reject_request()
        assert may(deal, Actor.BUYER) == ("appeal_gate" if count < 3 else "")
        assert may(deal, Actor.SELLER) == "appeal_gate"


def test_a_refused_appeal_is_traced_and_freezes_nothing() -> None:
    deal = supervised("license", policy=GATED)
    with pytest.raises(Refused, match="appeal_gate"):
        deal.appeal()
    assert Trace.objects.get(trace_name="initiateAppeal").code == "appeal_gate"
    assert not deal.flow.is_frozen


def test_silence_opens_the_gate_after_more_than_120_hours_and_never_in_ones_own_turn() -> None:
    deal = supervised("license", policy=GATED)
    silent = deal.flow.turn_since + timedelta(hours=120)
    assert may(deal, Actor.BUYER, silent - SECOND) == may(deal, Actor.BUYER, silent) == "appeal_gate"
    assert may(deal, Actor.BUYER, silent + SECOND) == ""
    assert may(deal, Actor.SELLER, silent + timedelta(days=99)) == "appeal_gate"
    deal.wait(hours=119).deliver()
    silent = deal.at + timedelta(hours=120)
    assert may(deal, Actor.SELLER, silent) == "appeal_gate"
    assert may(deal, Actor.SELLER, silent + SECOND) == ""
    assert may(deal, Actor.BUYER, silent + SECOND) == "appeal_gate"


def test_frozen_time_is_no_silence() -> None:
    deal = supervised("license", policy=GATED)
    since = deal.at
    deal.wait(hours=121).appeal()
    deal.wait(hours=500).decide("continue")
    assert deal.flow.turn_since == since + timedelta(hours=500)
    assert may(deal, Actor.BUYER) == ""
    deal.to(Step.CONFIRM).reject()
    assert may(deal, Actor.BUYER) == "appeal_gate"


def test_appeals_keep_the_counts_and_an_accepted_milestone_starts_them_anew() -> None:
    deal = supervised("professional_service", milestones=2, policy=GATED)
    for _round in range(3):
        deal.to(Step.ACCEPT).reject()
    deal.appeal()
    deal.decide("restart", restart="submit")
    assert (deal.flow.customer_rejects, may(deal, Actor.SELLER)) == (3, "")
    deal.to(Step.ACCEPT).accept()
    assert (deal.flow.milestone, deal.flow.customer_rejects, may(deal, Actor.BUYER)) == (2, 0, "appeal_gate")


def test_no_appeal_from_midnight_fifteen_days_before_the_closing_date() -> None:
    deal = supervised("license", at=at("2026-03-05T10:00:00"), policy=CLOSING)
    begins = at("2027-02-18T00:00:00")
    assert may(deal, Actor.BUYER, begins - SECOND) == ""
    assert may(deal, Actor.BUYER, begins) == may(deal, Actor.BUYER, begins + SECOND) == "appeal_blackout"
    refused = appealing.why_not(deal.flow, party=Actor.BUYER, at=begins)
    assert refused is not None
    assert "Mar 05, 2027" in refused.sentence


# When it is to be decided


@pytest.mark.parametrize(
    ("filed", "due"),
    [
        ("2026-03-10T10:00:00", "2026-03-13T23:59:59"),
        ("2026-03-12T23:59:59", "2026-03-17T23:59:59"),
        ("2026-03-13T00:00:00", "2026-03-18T23:59:59"),
        ("2026-03-14T12:00:00", "2026-03-18T23:59:59"),
        ("2026-04-02T09:00:00", "2026-04-08T23:59:59"),
        ("2026-04-06T09:00:00", "2026-04-09T23:59:59"),
    ],
)
def test_operations_decide_within_three_working_days_without_weekends_and_holidays(filed: str, due: str) -> None:
    holidays.add(system_call(), day=at("2026-04-06T00:00:00").date(), name="Easter Monday")
    deal = supervised("license", at=at("2026-03-02T10:00:00"))
    deal.at = at(filed)
    assert deal.appeal().decision_due_at.astimezone(deal.at.tzinfo) == at(due)


# Meanwhile


def test_nothing_moves_while_frozen_but_messages_and_files_do() -> None:
    deal = supervised("license").to(Step.CONFIRM)
    deal.appeal(by=deal.seller)
    for act in (deal.accept, deal.reject, deal.deliver, deal.remind, deal.appeal):
        with pytest.raises(Refused, match="flow_frozen"):
            act()
    for who in (deal.buyer, deal.seller, make_operator()):
        reminding.send_message(
            who.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, text="See the file.", uploads=[upload()]
        )
    assert deal.flow.messages.count() == deal.flow.files.filter(message__isnull=False).count() == 3
    assert deal.step == Step.CONFIRM
    assert deal.order.state == OrderState.PROCESSING


def test_a_passed_completion_does_not_act_while_frozen() -> None:
    deal = supervised("license").to(Step.ACCEPTED)
    deal.wait(hours=2, minutes=59, seconds=59).appeal()
    deal.wait(days=30)
    assert deal.flow.shown_step(deal.at) == Step.ACCEPTED
    deal.withdraw()
    assert deal.flow.completion_due_at == deal.at + SECOND


def test_the_cooldown_of_reminders_and_the_closing_date_move_by_the_frozen_time() -> None:
    deal = supervised("license", policy={"overrides": {"flow.auto_close_days": 365}})
    closes, due = deal.flow.auto_close_due_at, deal.flow.delivery_due_at
    assert closes is not None
    assert due is not None
    deal.remind()
    deal.wait(hours=23).appeal()
    deal.wait(hours=70).withdraw()
    stood = timedelta(hours=70)
    assert (deal.flow.auto_close_due_at, deal.flow.delivery_due_at) == (closes + stood, due + stood)
    deal.wait(minutes=59, seconds=59)
    with pytest.raises(Refused, match="reminder_cooldown"):
        deal.remind()
    deal.wait(seconds=1).remind()


# Taking it back


def test_only_the_side_that_filed_withdraws_and_only_an_undecided_one() -> None:
    deal = supervised("license")
    with pytest.raises(Refused, match="appeal_none"):
        deal.withdraw()
    deal.appeal()
    with pytest.raises(Refused, match="appeal_not_yours"):
        deal.withdraw(by=deal.seller)
    deal.decide("continue")
    with pytest.raises(Refused, match="appeal_none"):
        deal.withdraw()


def test_an_appeal_is_withdrawn_though_a_decision_waits_for_its_second_signature() -> None:
    deal = supervised("license")
    deal.appeal()
    assert deal.decide("refund_all").state == AppealState.PROPOSED
    appeal = deal.withdraw()
    assert (appeal.state, appeal.decision, appeal.proposed_by, appeal.effects) == (AppealState.WITHDRAWN, "", None, {})
    assert deal.step == Step.HAND_OVER
    assert not deal.flow.is_frozen


def test_both_sides_read_of_an_appeal_and_so_does_the_user_who_filed_it() -> None:
    deal = supervised("license")
    clerk = Persona(identity.UserFactory(account=deal.buyer.account, is_root=False, username="clerk"), deal.buyer.role)
    deal.appeal(by=clerk)
    deal.withdraw(by=clerk)
    for kind in ("appeal_filed", "appeal_withdrawn"):
        readers = set(Message.objects.filter(kind=kind).values_list("user_id", flat=True))
        assert readers == {deal.buyer.user.pk, deal.seller.user.pk, clerk.user.pk}
    kinds = [RecordKind(kind) for kind in deal.flow.records.values_list("kind", flat=True)]
    assert kinds[-2:] == [RecordKind.APPEAL, RecordKind.WITHDRAW]


def test_the_seller_appeals_in_its_own_trace_list() -> None:
    deal = supervised("license")
    deal.appeal(by=deal.seller)
    trace = Trace.objects.get(trace_name="initiateAppeal")
    assert (trace.account_id, trace.resource_id) == (deal.seller.user.account_id, deal.flow.order_number)
