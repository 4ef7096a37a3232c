"""Several at once on milestone orders: each bill once, its money earned once, the credit never spent twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from audit.models import Trace
from billing.models import LedgerAccount, Milestone, MilestoneBill, Payment, Posting
from billing.operations import crediting, milestones
from billing.operations.checking import check_ledger
from billing.queries import credit, order_money
from billing.states import BillState, CreditKind
from koogallery import clock
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import SweepFailure
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from orders.models import Order
from orders.states import OrderState
from supervision.operations import accepting
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.offers import (
    bills_of,
    confirm,
    in_milestones,
    make_postpaid,
    one_time_product,
    order_by_offer,
    repay,
    sent_offer,
)
from tests.factories.supervision import AT, Deal
from tests.orders.test_races import at_once
from tests.personas import Persona, make_buyer, make_operator

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3


def race(*runners: Callable[[], Any]) -> Counter[str]:
    """Let all run together; how often each ended: `done`, or the code of its refusal."""

    def work(number: int) -> str:
        runners[number]()
        return "done"

    return Counter(str(answer) for answer in at_once(work, count=len(runners)))


def run(name: str, at: datetime) -> None:
    with clock.at(at):
        sweeps[name].run(at)


def accept(deal: Deal) -> None:
    accepting.accept(deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number)


def make_due(deal: Deal, position: int, *, at: datetime) -> None:
    """Let the bill of a milestone be due and unwritten, as after a restore, or where nobody was there to write it."""
    with guard.opened("test"):
        Milestone.objects.filter(line_number=deal.flow.number, position=position).update(bill_due_at=at)


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []
    for line in LedgerAccount.objects.filter(kind="receivable"):
        unpaid = MilestoneBill.objects.filter(account_id=int(line.owner), ended_at=None)
        assert line.balance == sum(unpaid.values_list("amount", flat=True))
        granted = credit(int(line.owner), CreditKind.MILESTONE)
        assert granted is not None and granted.owed.amount == line.balance
    assert not SweepFailure.objects.exists()


def each_bill_once(count: int) -> None:
    """Bill, booking, trace and message of each of so many bills, once."""
    assert MilestoneBill.objects.count() == count
    assert Posting.objects.filter(kind="bill").count() == count
    assert Trace.objects.filter(trace_name="generateMilestoneBill").values("resource_id").distinct().count() == count
    assert Trace.objects.filter(trace_name="generateMilestoneBill").count() == count
    assert Message.objects.filter(kind="milestone_bill").count() == count
    assert not Milestone.objects.filter(bill_due_at__isnull=False).exists()


def test_four_bill_runs_and_acceptances_at_the_same_moment_write_each_bill_once() -> None:
    buyer = make_buyer()
    deals = [in_milestones(buyer=buyer).to(Step.ACCEPT) for _ in range(4)]
    for deal in deals[:3]:
        make_due(deal, 2, at=AT)
    answers = race(*[lambda: run("milestone-bills", AT)] * 4, *(lambda deal=deal: accept(deal) for deal in deals))
    assert answers == {"done": 8}
    each_bill_once(8)
    for deal in deals:
        assert [bill.milestone.position for bill in bills_of(deal.order)] == [1, 2]
    run("milestone-bills", AT + timedelta(days=1))
    each_bill_once(8)
    in_sound_books()


def test_after_three_months_asleep_exactly_the_bills_that_should_exist_are_written() -> None:
    buyer = make_buyer()
    deals = [in_milestones(buyer=buyer) for _ in range(5)]
    for number, deal in enumerate(deals):
        make_due(deal, 2, at=AT + timedelta(days=20 * number))
    woken = AT + timedelta(days=79)
    race(*[lambda: run("milestone-bills", woken)] * 4)
    late = {bill.order_number: bill for bill in MilestoneBill.objects.filter(milestone__position=2)}
    assert set(late) == {deal.order.number for deal in deals[:4]}
    for number, deal in enumerate(deals[:4]):
        bill = late[deal.order.number]
        assert (bill.generated_at, bill.written_at) == (AT + timedelta(days=20 * number), woken)
        assert bill.due_at == clock.day_end(clock.platform_date(woken) + timedelta(days=30))
        assert bill.was_written_late
    assert Milestone.objects.filter(bill_due_at__isnull=False).count() == 1
    before = MilestoneBill.objects.count()
    race(*[lambda: run("milestone-bills", woken)] * 4)
    assert MilestoneBill.objects.count() == before
    run("milestone-bills", AT + timedelta(days=80))
    each_bill_once(10)
    in_sound_books()


@pytest.mark.parametrize("last", [False, True])
def test_whichever_comes_first_of_acceptance_and_repayment_the_money_is_earned_once(last: bool) -> None:
    for _ in range(ROUNDS):
        deal = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
        if last:
            deal.accept()
            deal.deliver()
        bill = bills_of(deal.order)[-1]
        part = f"{deal.flow.number}/m{2 if last else 1}"
        answers = race(lambda bill=bill, at=deal.at: repay(bill, at=at), lambda deal=deal: accept(deal))
        assert answers == {"done": 2}
        money = order_money(deal.order.number)
        if last:
            assert (money.held, money.earned) == (usd(700), usd(0))
            run("completing-flows", deal.at + timedelta(hours=3))
            money = order_money(deal.order.number)
        assert (money.held, money.earned) == (usd(0), bill.money)
        assert Posting.objects.filter(key=f"earn:{part}").count() == 1
    in_sound_books()


def test_a_repayment_while_the_order_completes_is_earned_once() -> None:
    for _ in range(ROUNDS):
        deal = in_milestones(shares=["30", "70"]).to(Step.ACCEPT)
        deal.accept()
        deal.to(Step.ACCEPTED).wait(hours=3)
        bills = bills_of(deal.order)
        race(
            lambda deal=deal: run("completing-flows", deal.at),
            *(lambda bill=bill, at=deal.at: repay(bill, at=at) for bill in bills),
        )
        money = order_money(deal.order.number)
        assert (deal.order.state, money.held, money.earned) == (OrderState.COMPLETED, usd(0), usd(1000))
    in_sound_books()


def test_one_bill_repaid_eight_times_at_once_is_paid_once() -> None:
    deal = in_milestones()
    bill = bills_of(deal.order)[0]
    answers = race(*[lambda: repay(bill, at=deal.at)] * 8)
    assert answers == {"done": 1, "bill_not_open": 7}
    assert Payment.objects.filter(purpose="bill").count() == 1
    in_sound_books()


def test_the_sweeps_of_overdue_bills_and_reminders_agree_with_a_repayment() -> None:
    for _ in range(ROUNDS):
        deal = in_milestones()
        deal.wait(days=31)
        bill = bills_of(deal.order)[0]
        answers = race(
            lambda bill=bill, at=deal.at: repay(bill, at=at),
            lambda at=deal.at: run("overdue-milestone-bills", at),
            lambda at=deal.at: run("milestone-bill-reminders", at),
            lambda at=deal.at: run("overdue-milestone-bills", at),
        )
        assert answers == {"done": 4}
        bill.refresh_from_db()
        assert (bill.state, bill.overdue_due_at, bill.remind_at) == (BillState.REPAID, None, None)
        marked = Trace.objects.filter(trace_name="markMilestoneBillOverdue", resource_id=bill.number).count()
        assert marked <= 1
    in_sound_books()


def test_repaying_while_operations_refund_all_leaves_nothing_behind() -> None:
    for _ in range(ROUNDS):
        deal = in_milestones(price="900.00")
        deal.appeal()
        bill = bills_of(deal.order)[0]
        officer = make_operator()
        answers = race(
            lambda bill=bill, at=deal.at: repay(bill, at=at),
            lambda deal=deal, officer=officer: deal.decide("refund_all", by=officer),
        )
        assert answers in ({"done": 2}, {"done": 1, "bill_not_open": 1})
        money = order_money(deal.order.number)
        assert (deal.order.state, money.held, money.earned) == (OrderState.CANCELED, usd(0), usd(0))
        assert money.refunded == money.paid
    in_sound_books()


def rich(limit: str) -> Persona:
    buyer = make_buyer()
    make_postpaid(buyer.account, milestone_credit=limit)
    return buyer


def test_two_orders_at_once_do_not_share_a_credit_that_covers_one() -> None:
    buyer = rich("1999.99")
    offers = [sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1") for _ in range(4)]
    answers = race(*(lambda offer=offer: order_by_offer(buyer, offer, at=AT) for offer in offers))
    assert answers == {"done": 1, "milestone_credit_short": 3}
    assert Order.objects.count() == 1
    in_sound_books()


def test_a_credit_lowered_while_ordering_covers_the_order_or_refuses_it() -> None:
    for _ in range(ROUNDS):
        buyer = rich("1000")
        offer = sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1")
        call = make_operator().call(at=AT, key=pages.new_key())
        answers = race(
            lambda buyer=buyer, offer=offer: order_by_offer(buyer, offer, at=AT),
            lambda buyer=buyer, call=call: crediting.grant_credit(
                call, account=buyer.account.number, kind=CreditKind.MILESTONE, limit=usd("999.99")
            ),
        )
        placed = Order.objects.filter(account=buyer.account).exists()
        assert answers == {"done": 1, "credit_reserved" if placed else "milestone_credit_short": 1}
        found = credit(buyer.account.pk, CreditKind.MILESTONE)
        assert found is not None and found.limit == usd("1000" if placed else "999.99")
    in_sound_books()


def test_twenty_at_once_on_an_offer_for_one_order_make_one_order() -> None:
    buyer = rich("100000")
    offer = sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1")
    answers = race(*[lambda: order_by_offer(buyer, offer, at=AT)] * 20)
    assert answers["done"] == 1
    assert Order.objects.count() == 1
    assert sum(answers.values()) == 20 and len(answers) == 2
    in_sound_books()


def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> list[threading.Thread]:
    """Let `work` happen in another process's place while a credit is being checked, after its balance was read."""
    begun: list[threading.Thread] = []
    sum_up = milestones.unbilled

    def after_the_balance(*arguments: Any, **named: Any) -> Decimal:
        if not begun:
            begun.append(threading.Thread(target=closing_connection, args=(work,)))
            begun[0].start()
            begun[0].join(1)
        return sum_up(*arguments, **named)

    monkeypatch.setattr(milestones, "unbilled", after_the_balance)
    return begun


def closing_connection(work: Callable[[], Any]) -> None:
    try:
        work()
    finally:
        connection.close()


@pytest.mark.parametrize("moment", ["confirmed", "accepted"])
def test_a_bill_written_while_a_credit_is_checked_counts_once(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    buyer = rich("1999.99")
    first = sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1")
    second = sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1")
    if moment == "confirmed":
        order = order_by_offer(buyer, first, at=AT)
        begun = meanwhile(monkeypatch, lambda: confirm(buyer, order, at=AT))
    else:
        deal = in_milestones(buyer=buyer, shares=["50", "50"]).to(Step.ACCEPT)
        begun = meanwhile(monkeypatch, lambda: accept(deal))
    with pytest.raises(Refused) as refused:
        order_by_offer(buyer, second, at=AT)
    begun[0].join(20)
    assert refused.value.code == "milestone_credit_short"
    assert MilestoneBill.objects.count() == (1 if moment == "confirmed" else 2)
    in_sound_books()


@pytest.mark.parametrize("moment", ["confirmed", "accepted"])
def test_ordering_while_another_order_is_billed_never_promises_more_than_the_credit(moment: str) -> None:
    for _ in range(ROUNDS):
        buyer = rich("1999.99")
        if moment == "confirmed":
            order = order_by_offer(
                buyer, sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1"), at=AT
            )
            billed: Callable[[], Any] = lambda buyer=buyer, order=order: confirm(buyer, order, at=AT)  # noqa: E731
        else:
            deal = in_milestones(buyer=buyer, shares=["50", "50"]).to(Step.ACCEPT)
            billed = lambda deal=deal: accept(deal)  # noqa: E731
        offers = [sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1") for _ in "ab"]
        answers = race(
            billed, *(lambda buyer=buyer, offer=offer: order_by_offer(buyer, offer, at=AT) for offer in offers)
        )
        assert answers == {"done": 1, "milestone_credit_short": 2}
    in_sound_books()
