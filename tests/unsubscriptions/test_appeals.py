"""An appeal freezes requests and reviews; its end lets an open request go on, or ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from audit.models import Trace
from billing.operations.checking import check_ledger
from billing.queries import order_money
from koogallery import clock
from koogallery.kernel import pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from orders.models import Order
from orders.states import OrderState, OrderType
from supervision.operations import deciding
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, reject, remind, withdraw
from tests.factories.supervision import Deal, supervised
from tests.personas import make_operator
from unsubscriptions.models import Request
from unsubscriptions.states import RequestState

pytestmark = pytest.mark.django_db


def refused(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


def run(name: str, deal: Deal) -> None:
    with clock.at(deal.at):
        sweeps[name].run(deal.at)


def stored(asked: Request) -> Request:
    return Request.objects.get(pk=asked.pk)


def decide(deal: Deal, decision: str, **arguments: Any) -> None:
    appeal = deal.decide(decision, **arguments)
    if appeal.state == "proposed":
        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
    deal.flow.refresh_from_db()


def test_while_frozen_nothing_is_asked_for_reviewed_or_reminded_of_but_taken_back() -> None:
    deal = supervised("license")
    asked = ask(deal)
    deal.appeal()
    for work in (agree, reject, remind):
        assert refused(lambda work=work: work(deal, asked)) == "flow_frozen"
    assert withdraw(deal, asked).state == RequestState.WITHDRAWN
    assert refused(lambda: ask(deal)) == "flow_frozen"
    assert deal.flow.frozen_at is not None and deal.flow.held_at is None


@pytest.mark.parametrize("ending", ["withdraw", "continue"])
def test_continued_the_request_waits_on_and_its_clocks_move(ending: str) -> None:
    deal = supervised("license")
    asked = ask(deal)
    remind(deal, asked)
    deal.wait(hours=1).appeal()
    deal.wait(hours=50)
    deal.withdraw() if ending == "withdraw" else decide(deal, "continue")
    again = stored(asked)
    assert again.is_open and again.turn_since == asked.turn_since + timedelta(hours=50)
    assert again.reminded_at == asked.requested_at + timedelta(hours=50)
    assert deal.flow.held_at is not None
    assert refused(lambda: remind(deal, asked)) == "reminder_cooldown"
    agree(deal, asked)
    assert order_money(deal.order.number).refunded == usd(100)


@pytest.mark.parametrize("decision", ["complete", "refund_all", "refund_part_complete"])
def test_an_order_that_a_decision_ends_takes_its_open_request_along(decision: str) -> None:
    deal = supervised("license")
    asked = ask(deal, "300.00")
    deal.appeal()
    deal.wait(hours=1)
    decide(deal, decision, **({"refund": usd(50)} if decision == "refund_part_complete" else {}))
    ended = stored(asked)
    assert (ended.state, ended.ended_by, ended.end_code) == (RequestState.REJECTED, "system", "unsub_decided")
    assert ended.why_ended and deal.flow.held_at is None
    assert Message.objects.filter(kind="unsubscription_ended").values("account_id").distinct().count() == 2
    assert Trace.objects.filter(trace_name="endUnsubscription").exists()
    assert not Order.objects.filter(type=OrderType.UNSUBSCRIBE).exists()
    expected = OrderState.CANCELED if decision == "refund_all" else OrderState.COMPLETED
    assert deal.order.state == expected
    assert check_ledger(system_call()).findings == []


def test_a_partial_refund_that_leaves_enough_leaves_the_request_open_and_both_are_refunded() -> None:
    deal = supervised("license")
    asked = ask(deal, "700.00")
    deal.appeal()
    decide(deal, "refund_part", refund=usd("500.00"))
    assert stored(asked).is_open
    agree(deal, asked)
    money = order_money(deal.order.number)
    assert (money.refunded, money.earned, money.held) == (usd(1200), usd(0), usd(0))
    assert check_ledger(system_call()).findings == []


def test_a_partial_refund_that_leaves_too_little_ends_the_request_and_less_may_be_asked_for() -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    asked = ask(deal, "700.01")
    deal.wait(hours=1).appeal()
    deal.wait(hours=9)
    decide(deal, "refund_part", refund=usd("500.00"))
    assert (stored(asked).state, stored(asked).end_code) == (RequestState.REJECTED, "unsub_left_short")
    assert deal.step == Step.ACCEPTED and deal.flow.held_at is None
    assert refused(lambda: ask(deal, "700.01")) == "unsub_exceeds"
    agree(deal, ask(deal, "700.00"))
    assert order_money(deal.order.number).refunded == usd(1200)
    assert check_ledger(system_call()).findings == []


def test_a_restart_leaves_the_request_open() -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    asked = ask(deal)
    deal.appeal()
    decide(deal, "restart", restart="hand_over")
    assert stored(asked).is_open and deal.step == Step.HAND_OVER
    deal.deliver()
    deal.accept()
    deal.wait(hours=4)
    run("completing-flows", deal)
    assert deal.step == Step.ACCEPTED
    reject(deal, asked)
    assert (deal.step, deal.order.completed_at) == (Step.COMPLETED, deal.at)


def test_taken_back_while_frozen_past_its_time_it_completes_when_the_flow_goes_on() -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    asked = ask(deal)
    deal.wait(hours=5).appeal()
    deal.wait(hours=5)
    withdraw(deal, asked)
    assert deal.step == Step.ACCEPTED
    deal.wait(hours=5)
    decide(deal, "continue")
    run("completing-flows", deal)
    assert (deal.step, deal.order.completed_at) == (Step.COMPLETED, deal.at)


def test_a_request_answered_after_an_appeal_of_the_seller_is_the_sellers_alone() -> None:
    deal = supervised("license")
    asked = ask(deal)
    deal.appeal(deal.seller)
    deal.withdraw(deal.seller)
    agree(deal, asked)
    assert deal.step == Step.UNSUBSCRIBED
    assert refused(lambda: deal.appeal()) == "flow_unsubscribed"
    assert refused(lambda: deal.deliver()) == "flow_unsubscribed"


@pytest.mark.parametrize(
    ("decision", "refund", "words"),
    [
        ("refund_part", "500.00", "waits on for the seller"),
        ("refund_part", "500.01", "ends; both sides are told"),
        ("continue", "", "waits on for the seller"),
        ("complete", "", "ends; both sides are told"),
        ("refund_all", "", "ends; both sides are told"),
    ],
)
def test_the_preview_of_a_decision_says_what_becomes_of_an_open_request(decision: str, refund: str, words: str) -> None:
    deal = supervised("license")
    asked = ask(deal, "700.00")
    appeal = deal.appeal()
    address = reverse("admin:supervision_appeal_operation", args=[appeal.pk, "decideAppeal"])
    chosen = {"decision": decision, "refund": refund, "restart": "", "note": "So it is."}
    with clock.at(deal.at):
        html = make_operator().client.post(address, chosen).content.decode()
    assert f"Request {asked.number} to unsubscribe for USD 700.00" in html and words in html
    decide(deal, decision, **({"refund": usd(refund)} if refund else {}))
    asked.refresh_from_db()
    assert asked.is_open is (words == "waits on for the seller")
