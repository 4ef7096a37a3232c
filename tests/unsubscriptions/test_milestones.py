"""Orders in milestones: what can be given back is what was billed; bills wait, are lowered, withdrawn, or lapse."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import LedgerAccount, Milestone, MilestoneBill
from billing.operations.checking import check_ledger
from billing.queries import credit, order_money
from billing.states import BillState, CreditKind
from koogallery import clock
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from orders.models import OrderEvent
from orders.states import OrderState, OrderStep
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import agree, ask, reject, withdraw
from tests.factories.supervision import Deal
from unsubscriptions.models import Payout, Request
from unsubscriptions.states import PayoutState, Status

pytestmark = pytest.mark.django_db


def refused(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


def run(name: str, at: Any) -> None:
    with clock.at(at):
        sweeps[name].run(at)


def in_sound_books(deal: Deal) -> None:
    assert check_ledger(system_call()).findings == []
    found = credit(deal.buyer.account.pk, CreditKind.MILESTONE)
    owed = sum(MilestoneBill.objects.filter(account=deal.buyer.account, ended_at=None).values_list("amount", flat=True))
    assert found is not None and found.owed == usd(owed)


def test_the_limit_is_what_was_billed_so_far() -> None:
    deal = in_milestones(shares=["30", "30", "40"])
    assert refused(lambda: ask(deal, "300.01")) == "unsub_exceeds"
    asked = ask(deal, "300.00")
    withdraw(deal, asked)
    deal.to(Step.ACCEPT)
    deal.accept()
    assert refused(lambda: ask(deal, "600.01")) == "unsub_exceeds"
    assert ask(deal, "600.00").limit == usd(600)


def test_a_bill_waits_for_the_answer_and_is_dated_at_the_acceptance() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    asked = ask(deal)
    deal.wait(hours=1)
    deal.accept()
    accepted_at = deal.at
    run("milestone-bills", deal.at)
    assert len(bills_of(deal.order)) == 1
    deal.wait(hours=20)
    reject(deal, asked)
    bill = bills_of(deal.order)[1]
    assert (bill.generated_at, bill.written_at, bill.amount) == (accepted_at, deal.at, Decimal(300))
    assert not Milestone.objects.filter(held_at__isnull=False).exists()
    in_sound_books(deal)


def test_a_bill_that_waited_more_than_a_day_counts_from_its_writing() -> None:
    deal = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
    asked = ask(deal)
    deal.accept()
    deal.wait(days=3)
    withdraw(deal, asked)
    bill = bills_of(deal.order)[1]
    assert bill.was_written_late and bill.due_at == clock.day_end(clock.platform_date(deal.at) + timedelta(days=30))


def test_agreed_unpaid_bills_are_lowered_the_last_one_first_and_nothing_is_paid_out() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    deal.accept()
    asked = ask(deal, "400.00")
    agree(deal, asked)
    first, second = bills_of(deal.order)
    assert (second.state, first.state, first.amount, first.lowered) == (
        BillState.WITHDRAWN,
        BillState.OPEN,
        Decimal(200),
        Decimal(100),
    )
    payout = Payout.objects.get()
    assert (payout.state, payout.amount, payout.lowered) == (PayoutState.DONE, Decimal(0), Decimal(400))
    assert Request.objects.get().status is Status.REFUNDED
    assert order_money(deal.order.number).refunded == usd(0)
    repay(first, at=deal.at)
    money = order_money(deal.order.number)
    assert (money.paid, money.earned, money.held) == (usd(200), usd(200), usd(0))
    assert (deal.order.state, Milestone.objects.get(position=3).lapsed_at) == (OrderState.COMPLETED, deal.at)
    in_sound_books(deal)


def test_agreed_what_is_owed_is_lowered_before_anything_that_was_paid_goes_back() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    repay(bills_of(deal.order)[0], at=deal.at)
    deal.accept()
    assert order_money(deal.order.number).earned == usd(300)
    asked = ask(deal, "450.00")
    agree(deal, asked)
    money = order_money(deal.order.number)
    assert (money.paid, money.refunded, money.earned, money.held) == (usd(300), usd(150), usd(150), usd(0))
    payout = Payout.objects.get()
    assert (payout.amount, payout.lowered, payout.state) == (Decimal(150), Decimal(300), PayoutState.DONE)
    assert [bill.state for bill in bills_of(deal.order)] == [BillState.REPAID, BillState.WITHDRAWN]
    told = OrderEvent.objects.get(order=deal.order, step=OrderStep.REFUNDED)
    assert told.note == str(usd(150))
    in_sound_books(deal)


def test_what_was_repaid_and_not_accepted_is_the_sellers_but_for_the_refund() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    deal.accept()
    for bill in bills_of(deal.order):
        repay(bill, at=deal.at)
    asked = ask(deal, "0.01")
    agree(deal, asked)
    money = order_money(deal.order.number)
    assert (money.paid, money.refunded, money.earned, money.held) == (usd(600), usd("0.01"), usd("599.99"), usd(0))
    assert not LedgerAccount.objects.filter(kind="held", balance__gt=0).exists()
    run("milestone-bills", deal.at + timedelta(days=90))
    assert len(bills_of(deal.order)) == 2
    in_sound_books(deal)


def test_accepting_the_last_milestone_while_asked_for_completes_only_after_the_answer() -> None:
    deal = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
    deal.accept()
    deal.deliver()
    asked = ask(deal)
    deal.accept()
    deal.wait(hours=4)
    run("completing-flows", deal.at)
    assert deal.step == Step.ACCEPTED
    reject(deal, asked)
    assert (deal.step, deal.order.completed_at) == (Step.COMPLETED, deal.at)
    in_sound_books(deal)


def test_after_an_appeal_refunded_part_of_what_was_paid_the_limit_is_what_is_left() -> None:
    deal = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
    repay(bills_of(deal.order)[0], at=deal.at)
    deal.appeal()
    deal.decide("refund_part", refund=usd(100))
    assert refused(lambda: ask(deal, "200.01")) == "unsub_exceeds"
    agree(deal, ask(deal, "200.00"))
    assert order_money(deal.order.number).refunded == usd(300)
    in_sound_books(deal)


def test_a_lowered_bill_says_so_on_its_page_and_in_its_file() -> None:
    deal = in_milestones(shares=["30", "70"])
    with clock.at(deal.at):
        agree(deal, ask(deal, "100.00"))
        bill = bills_of(deal.order)[0]
        text = deal.buyer.client.get(bill.get_absolute_url()).content.decode()
        assert "USD 200.00" in text and "USD 100.00" in text and "taken off because the order was unsubscribed" in text
        answer = deal.buyer.client.get(f"{bill.get_absolute_url()}pdf/")
        assert answer.status_code == 200 and answer.content.startswith(b"%PDF")
