"""Several at once on one flow: one outcome, and the others are refused with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from billing.operations.checking import check_ledger
from koogallery import clock
from koogallery.kernel import pages, sweeps
from koogallery.kernel.calls import system_call
from orders.states import OrderState
from supervision.models import Appeal
from supervision.operations import accepting, appealing, deciding, delivering
from supervision.operations.delivering import Delivery
from supervision.states import RecordKind, Step
from tests.factories.supervision import Deal, supervised
from tests.orders.test_races import at_once
from tests.personas import make_operator

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4


def race(*runners: Callable[[], Any], times: int = 1) -> Counter[str]:
    """Let all run together; how often each ended: `done`, or the code of its refusal."""

    def work(number: int) -> str:
        runners[number % len(runners)]()
        return "done"

    return Counter(str(answer) for answer in at_once(work, count=len(runners) * times))


def accept(deal: Deal) -> None:
    accepting.accept(deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number)


def reject(deal: Deal) -> None:
    accepting.reject(deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, reason="No.")


def deliver(deal: Deal) -> None:
    delivering.deliver(
        deal.seller.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, delivery=Delivery(comment="Again")
    )


def appeal(deal: Deal, by_seller: bool = False) -> None:
    who = deal.seller if by_seller else deal.buyer
    appealing.initiate(who.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, reason="Stop.")


def sweep(deal: Deal) -> None:
    with clock.at(deal.at):
        sweeps.sweeps["completing-flows"].run(deal.at)


def test_two_tabs_accept_once() -> None:
    deal = supervised("license").to(Step.CONFIRM)
    answers = race(lambda: accept(deal), times=8)
    assert answers == {"done": 1, "flow_step": 7}
    assert deal.flow.records.filter(kind=RecordKind.ACCEPT).count() == 1


def test_one_form_sent_eight_times_gets_one_answer() -> None:
    deal = supervised("license").to(Step.CONFIRM)
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    answers = race(lambda: accepting.accept(call, flow=deal.flow.number), times=8)
    assert answers == {"done": 8}
    assert deal.flow.records.filter(kind=RecordKind.ACCEPT).count() == 1


def test_the_seller_delivers_while_the_buyer_rejects() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license", policy={"pack": "2025", "overrides": {"flow.proof_required": "never"}})
        deal.to(Step.CONFIRM)
        answers = race(lambda deal=deal: reject(deal), lambda deal=deal: deliver(deal))
        kinds = list(deal.flow.records.values_list("kind", flat=True))
        if answers["done"] == 2:
            assert kinds[-2:] == ["reject", "deliver"]
            assert deal.step == Step.CONFIRM
        else:
            assert answers == {"done": 1, "flow_step": 1}
            assert (kinds[-1], deal.step) == ("reject", Step.HAND_OVER)


def test_accepting_and_rejecting_at_once_has_one_outcome() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license").to(Step.CONFIRM)
        answers = race(lambda deal=deal: accept(deal), lambda deal=deal: reject(deal))
        assert answers == {"done": 1, "flow_step": 1}
        assert deal.step in (Step.ACCEPTED, Step.HAND_OVER)


def test_an_appeal_while_accepting_freezes_what_it_finds() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license").to(Step.CONFIRM)
        answers = race(lambda deal=deal: accept(deal), lambda deal=deal: appeal(deal))
        deal.flow.refresh_from_db()
        assert deal.flow.is_frozen
        if answers["done"] == 2:
            assert deal.step == Step.ACCEPTED, "first accepted, then frozen: the completion waits"
        else:
            assert answers == {"done": 1, "flow_frozen": 1}
            assert deal.step == Step.CONFIRM


def test_both_sides_appeal_and_one_appeal_stands() -> None:
    deal = supervised("license").to(Step.CONFIRM)
    answers = race(lambda: appeal(deal), lambda: appeal(deal, by_seller=True), times=4)
    assert answers == {"done": 1, "flow_frozen": 7}
    assert Appeal.objects.count() == 1


def test_the_sweep_and_an_appeal_of_the_last_second_agree() -> None:
    """The appeal came one second before the due time, the worker with it: frozen or completed, never both."""
    for _ in range(ROUNDS):
        deal = supervised("license").to(Step.ACCEPTED)
        early = Deal(deal.flow, deal.buyer, deal.seller, deal.at)
        early.wait(seconds=3 * 3600 - 1)
        deal.wait(hours=3)
        answers = race(lambda deal=deal: sweep(deal), lambda early=early: appeal(early))
        deal.flow.refresh_from_db()
        if deal.flow.is_frozen:
            assert (deal.step, deal.order.state) == (Step.ACCEPTED, OrderState.PROCESSING)
            assert answers == {"done": 2}
        else:
            assert (deal.step, deal.order.state) == (Step.COMPLETED, OrderState.COMPLETED)
            assert answers == {"done": 1, "flow_completed": 1}
    assert check_ledger(system_call()).findings == []


def test_four_workers_complete_each_flow_once() -> None:
    deals = [supervised("license").to(Step.ACCEPTED).wait(hours=3) for _ in range(6)]
    race(lambda: sweep(deals[0]), times=4)
    for deal in deals:
        assert deal.step == Step.COMPLETED
        assert deal.flow.records.filter(kind=RecordKind.COMPLETE).count() == 1
    assert check_ledger(system_call()).findings == []


def test_two_officers_decide_and_one_decision_counts() -> None:
    deal = supervised("license").to(Step.CONFIRM)
    deal.appeal()
    number = Appeal.objects.get().number
    officers = [make_operator() for _ in range(4)]

    def decide(number_of: int) -> str:
        call = officers[number_of].call(at=deal.at, key=pages.new_key())
        deciding.decide(call, appeal=number, decision="continue", note="Read.")
        return "done"

    answers = Counter(str(answer) for answer in at_once(decide, count=4))
    assert answers == {"done": 1, "appeal_not_open": 3}
    assert deal.flow.records.filter(kind=RecordKind.DECIDE).count() == 1
