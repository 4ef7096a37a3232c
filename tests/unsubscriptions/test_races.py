"""Several at once: one outcome each, the rest refused with a reason, and never more given back than was paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from billing.models import CreditLine, LedgerAccount, Refund, RefundPart
from billing.operations import ledger
from billing.operations.checking import check_ledger
from billing.queries import order_money
from billing.states import BillState, CreditKind, LedgerKind, PostingKind
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.kernel import guard, operations, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.sweeps import sweeps
from orders.models import Order, OrderLine
from orders.states import OrderState, OrderType
from supervision.operations import accepting, deciding
from supervision.states import Step
from tests.factories import billing
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import ask, paid_by, specially
from tests.factories.supervision import Deal, supervised
from tests.orders.test_races import at_once
from tests.personas import make_operator
from unsubscriptions.models import Payout, Request, SpecialAgreement
from unsubscriptions.operations import requesting, reviewing
from unsubscriptions.states import RequestState

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3


def race(*runners: Callable[[], Any]) -> Counter[str]:
    """Let all run together; how often each ended: `done`, or the code of its refusal."""

    def work(number: int) -> str:
        runners[number]()
        return "done"

    return Counter(str(answer) for answer in at_once(work, count=len(runners)))


def asking(deal: Deal, amount: str = "700.00") -> Callable[[], Any]:
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    return lambda: requesting.request(call, line=deal.flow.number, amount=usd(amount), reason="by_mistake")


def agreeing(deal: Deal, asked: Request) -> Callable[[], Any]:
    call = deal.seller.call(at=deal.at, key=pages.new_key())
    return lambda: reviewing.agree(call, request=asked.number)


def rejecting(deal: Deal, asked: Request) -> Callable[[], Any]:
    call = deal.seller.call(at=deal.at, key=pages.new_key())
    return lambda: reviewing.reject(call, request=asked.number)


def withdrawing(deal: Deal, asked: Request) -> Callable[[], Any]:
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    return lambda: requesting.withdraw(call, request=asked.number)


def running(name: str, deal: Deal) -> Callable[[], Any]:
    def run() -> None:
        with clock.at(deal.at):
            sweeps[name].run(deal.at)

    return run


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []
    for order in Order.objects.exclude(type=OrderType.UNSUBSCRIBE):
        money = order_money(order.number)
        assert money.held + money.earned + money.settled + money.refunded == money.paid
        asked = Request.objects.filter(order_number=order.number, state=RequestState.REQUESTED)
        open_sum = sum((each.money for each in asked), usd(0))
        if not order.line.milestones:
            assert money.refunded + open_sum <= money.paid


def test_twenty_requests_at_once_make_one() -> None:
    deal = supervised("license")
    assert race(*(asking(deal) for _ in range(20))) == {"done": 1, "unsub_open": 19}
    assert Request.objects.count() == 1
    in_sound_books()


def test_two_tabs_agree_and_one_refund_is_made() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        asked = ask(deal, "700.00")
        assert race(agreeing(deal, asked), agreeing(deal, asked)) == {"done": 1, "unsub_not_open": 1}
        assert Refund.objects.filter(order_number=deal.order.number).count() == 1
        assert OrderLine.objects.filter(reverses=deal.flow.line).count() == 1
    in_sound_books()


def test_the_seller_agrees_while_the_buyer_withdraws() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        asked = ask(deal, "700.00")
        answers = race(agreeing(deal, asked), withdrawing(deal, asked), rejecting(deal, asked))
        assert answers == {"done": 1, "unsub_not_open": 2}
        ended = Request.objects.get(pk=asked.pk)
        refunded = order_money(deal.order.number).refunded
        assert refunded == (usd(700) if ended.state == RequestState.AGREED else usd(0))
        assert (deal.order.state == OrderState.COMPLETED) is (ended.state == RequestState.AGREED)
    in_sound_books()


def test_the_buyer_accepts_the_delivery_while_the_seller_agrees() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        deal.deliver()
        asked = ask(deal, "700.00")
        call = deal.buyer.call(at=deal.at, key=pages.new_key())
        answers = race(
            agreeing(deal, asked), lambda call=call, deal=deal: accepting.accept(call, flow=deal.flow.number)
        )
        assert answers in ({"done": 2}, {"done": 1, "flow_unsubscribed": 1})
        assert (deal.step, deal.order.state) == (Step.UNSUBSCRIBED, OrderState.COMPLETED)
        assert order_money(deal.order.number).earned == usd(500)
    in_sound_books()


def test_asking_while_the_order_completes_does_one_of_both() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        deal.deliver()
        deal.accept()
        before, after = Deal(**vars(deal)), Deal(**vars(deal))
        before.wait(hours=2, minutes=59)
        after.wait(hours=3)
        answers = race(asking(before), running("completing-flows", after))
        held = Request.objects.filter(line=deal.flow.line).exists()
        assert answers == ({"done": 2} if held else {"done": 1, "unsub_completed": 1})
        assert (deal.order.state == OrderState.PROCESSING) is held
    in_sound_books()


def test_rejecting_past_the_three_hours_while_the_sweep_runs_completes_once() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        deal.deliver()
        deal.accept()
        asked = ask(deal)
        deal.wait(hours=4)
        answers = race(rejecting(deal, asked), *[running("completing-flows", deal)] * 3)
        assert answers == {"done": 4}
        assert (deal.step, deal.order.completed_at) == (Step.COMPLETED, deal.at)
        assert order_money(deal.order.number).earned == usd(1200)
    in_sound_books()


def test_an_appeal_refunds_a_part_while_somebody_asks_and_agrees() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        deal.appeal()
        officer = make_operator()
        appeal = deal.flow.appeals.get()
        deciding_call = officer.call(at=deal.at, key=pages.new_key())
        answers = race(
            lambda call=deciding_call, appeal=appeal: deciding.decide(
                call, appeal=appeal.number, decision="refund_part", note="Half of it.", refund=usd(600)
            ),
            asking(deal, "700.00"),
            asking(deal, "600.00"),
        )
        assert answers["done"] >= 1 and set(answers) <= {"done", "flow_frozen", "unsub_exceeds", "unsub_open"}
        asked = Request.objects.filter(line=deal.flow.line, state=RequestState.REQUESTED).first()
        assert asked is None or asked.money == usd(600)
        if asked is not None:
            assert race(agreeing(deal, asked), agreeing(deal, asked)) == {"done": 1, "unsub_not_open": 1}
    in_sound_books()


def test_a_decision_while_the_request_waits_leaves_nothing_beyond_the_payment() -> None:
    for _ in range(ROUNDS):
        deal = supervised("license")
        asked = ask(deal, "700.00")
        deal.appeal()
        appeal = deal.flow.appeals.get()
        call = make_operator().call(at=deal.at, key=pages.new_key())
        answers = race(
            lambda call=call, appeal=appeal: deciding.decide(
                call, appeal=appeal.number, decision="refund_part", note="Half of it.", refund=usd(600)
            ),
            agreeing(deal, asked),
            withdrawing(deal, asked),
        )
        assert answers["done"] >= 1 and set(answers) <= {"done", "flow_frozen", "unsub_not_open", "unsub_exceeds_now"}
        money = order_money(deal.order.number)
        assert money.refunded in (usd(600), usd(700))
        assert not Request.objects.filter(line=deal.flow.line, state=RequestState.REQUESTED).exists()
    in_sound_books()


def test_repaying_a_bill_while_the_seller_agrees_never_gives_back_what_was_not_paid() -> None:
    for _ in range(ROUNDS):
        deal = in_milestones(shares=["30", "70"])
        bill = bills_of(deal.order)[0]
        asked = ask(deal, "200.00")
        answers = race(agreeing(deal, asked), lambda bill=bill, deal=deal: repay(bill, at=deal.at))
        assert answers == {"done": 2}
        money = order_money(deal.order.number)
        payout = Payout.objects.get(request=asked)
        after = bills_of(deal.order)[0]
        repaid_first = payout.lowered == 0
        assert (payout.amount, payout.lowered) == ((200, 0) if repaid_first else (0, 200))
        assert (after.state, after.amount, after.lowered) == (
            (BillState.REPAID, 300, 0) if repaid_first else (BillState.REPAID, 100, 200)
        )
        assert (money.paid, money.refunded) == ((usd(300), usd(200)) if repaid_first else (usd(100), usd(0)))
        assert money.earned == usd(100)
    in_sound_books()


def test_the_gateway_answers_while_the_payout_is_reported_late() -> None:
    for _ in range(ROUNDS):
        deal = paid_by("card")
        asked = ask(deal, "400.00")
        agreeing(deal, asked)()
        deal.wait(hours=4)
        answers = race(*[running("card-refunds", deal)] * 3, *[running("late-payouts", deal)] * 3)
        assert answers == {"done": 6}
        payout = Payout.objects.get(request=asked)
        assert payout.state == "done" and payout.breached_at == payout.began_at + timedelta(hours=3)
        assert payout.order.state == OrderState.COMPLETED
    in_sound_books()


def test_two_operations_managers_agree_specially_and_one_agreement_is_live() -> None:
    deal = supervised("license")
    officers = [make_operator() for _ in range(4)]
    answers = race(*(lambda by=by: specially(deal.flow.number, at=deal.at, by=by) for by in officers))
    assert answers == {"done": 4}
    assert SpecialAgreement.objects.filter(ended_at__isnull=True).count() == 1


def test_two_workers_settle_both_card_parts_of_a_payout_without_a_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repeated: list[Any] = []
    monkeypatch.setattr(operations.logger, "warning", lambda *said, **more: repeated.append((said, more)))
    for _ in range(ROUNDS):
        deal = in_milestones(shares=["50", "50"]).to(Step.ACCEPT)
        card = billing.card(deal.buyer.account)
        repay(bills_of(deal.order)[0], at=deal.at, method=f"card:{card.code}")
        deal.accept()
        repay(bills_of(deal.order)[1], at=deal.at, method=f"card:{card.code}")
        asked = ask(deal, "1000.00")
        agreeing(deal, asked)()
        assert RefundPart.objects.filter(refund__order_number=deal.order.number, finished_at=None).count() == 2
        assert race(running("card-refunds", deal), running("card-refunds", deal)) == {"done": 2}
        payout = Payout.objects.get(request=asked)
        assert (payout.state, payout.order.state) == ("done", OrderState.COMPLETED)
    assert repeated == []
    in_sound_books()


def test_two_orders_go_on_at_once_and_the_credit_for_one_bill_is_taken_once() -> None:
    for _ in range(ROUNDS):
        first = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
        deals = [first, in_milestones(shares=["30", "70"], buyer=first.buyer).to(Step.ACCEPT)]
        asked = [ask(deal) for deal in deals]
        for deal in deals:
            deal.accept()
        _leave_credit(first.buyer.account, usd(700))
        answers = race(*(rejecting(deal, each) for deal, each in zip(deals, asked, strict=True)))
        assert answers == {"done": 2}
        assert sorted(len(bills_of(deal.order)) for deal in deals) == [1, 2]
    in_sound_books()


def _leave_credit(account: Account, left: Money) -> None:
    """Take all but `left` of an account's free milestone credit away."""
    free = LedgerAccount.objects.get(kind=LedgerKind.MILESTONE_CREDIT, owner=str(account.pk)).money
    off = free - left
    with transaction.atomic(), guard.opened("test"):
        CreditLine.objects.filter(account=account, kind=CreditKind.MILESTONE).update(limit=F("limit") - off.amount)
        ledger.post(
            key=f"test-less-credit:{account.pk}",
            kind=PostingKind.CREDIT,
            at=clock.now(),
            about=account.number[:40],
            entries=[(ledger.milestone_credit(account.pk), -off), (ledger.credit_granted(account.pk), off)],
        )
