"""Repaying milestone bills: once and in full, from the balance, by card, by bank transfer; who is told of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing import queries
from billing.models import Charge, Milestone, MilestoneBill, Payment, Posting
from billing.operations import checking, closing, refunding, repaying, settling_cards
from billing.states import BillState, CreditKind, PaymentState, PayMethod
from koogallery.identity.states import AccountKind, OperatorRole
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones
from tests.factories.supervision import Deal
from tests.personas import make_buyer, make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def deal(db: None) -> Deal:
    """The first of three milestones is billed: USD 300.00."""
    return in_milestones(shares=["30", "30", "40"])


def bill_of(deal: Deal) -> MilestoneBill:
    return bills_of(deal.order)[0]


def repay(deal: Deal, method: str = "balance", *, key: str = "") -> Payment:
    call = deal.buyer.call(at=deal.at, key=key or pages.new_key())
    return repaying.repay(call, bill=bill_of(deal).number, method=method)


def refusal(deal: Deal, method: str = "balance") -> str:
    with pytest.raises(Refused) as refused:
        repay(deal, method)
    return refused.value.code


def credit_of(deal: Deal) -> queries.Credit:
    found = queries.credit(deal.buyer.account.pk, CreditKind.MILESTONE)
    assert found is not None
    return found


def sound() -> bool:
    return checking.check_ledger(system_call()).findings == []


def test_a_bill_is_repaid_from_the_balance_and_its_credit_is_free(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    assert (credit_of(deal).owed, credit_of(deal).reserved) == (usd(300), usd(700))
    payment = repay(deal)
    bill = bill_of(deal)
    assert (bill.state, bill.ended_at, bill.payment_number) == (BillState.REPAID, deal.at, payment.number)
    assert (bill.overdue_due_at, bill.remind_at) == (None, None)
    assert queries.balance(deal.buyer.account.pk) == usd(200)
    assert (credit_of(deal).owed, credit_of(deal).available, credit_of(deal).reserved) == (
        usd(0),
        usd(10_000),
        usd(700),
    )
    first = queries.milestones_of(deal.order.number)[0]
    assert (first.paid, first.held, first.earned) == (usd(300), usd(300), usd(0))
    assert sound()


def test_the_line_of_bills_names_the_milestone_and_explains_its_share(deal: Deal) -> None:
    money.fund(deal.buyer.account, 300)
    payment = repay(deal)
    charge = queries.explained(Charge.objects.all()).get(order_number=deal.order.number)
    assert charge.number == payment.number
    assert charge.description.endswith(" · 1/3 Part 1")
    assert charge.explanation == Milestone.objects.get(position=1).explanation
    assert (charge.money, charge.line_number) == (usd(300), deal.order.line.number)


@pytest.mark.parametrize(("amount", "names_milestone"), [(100, True), (500, False)])
def test_the_line_of_a_refund_names_the_milestone_only_when_there_is_one(amount: int, names_milestone: bool) -> None:
    deal = in_milestones(shares=["30", "30", "40"])
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.accept()
    money.fund(deal.buyer.account, 600)
    for bill in bills_of(deal.order):
        repaying.repay(deal.buyer.call(at=deal.at, key=pages.new_key()), bill=bill.number, method="balance")
    line = deal.order.line.number
    with guard.opened("test"):
        refunding.refund(
            system_call(at=deal.at),
            order_number=deal.order.number,
            line_number=line,
            amount=usd(amount),
            reason="test",
            key="test",
        )
    charge = Charge.objects.get(kind="refund")
    product = Milestone.objects.filter(line_number=line)[0].description
    assert charge.description == (f"{product} · 2/3 Part 2" if names_milestone else product)
    assert sound()


def test_both_sides_are_told_once(deal: Deal) -> None:
    money.fund(deal.buyer.account, 300)
    repay(deal)
    told = Message.objects.filter(kind__in=["milestone_bill_repaid", "milestone_repaid_seller"])
    assert set(told.values_list("kind", "account_id")) == {
        ("milestone_bill_repaid", deal.buyer.account.pk),
        ("milestone_repaid_seller", deal.seller.account.pk),
    }
    assert told.count() == 2
    links = dict(told.values_list("kind", "link"))
    assert links["milestone_bill_repaid"] == bill_of(deal).get_absolute_url()
    assert links["milestone_repaid_seller"] == f"/seller/orders/{deal.order.number}/"


def test_what_was_accepted_before_is_earned_by_the_repayment(deal: Deal) -> None:
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.accept()
    money.fund(deal.buyer.account, 600)
    deal.wait(hours=1)
    repay(deal)
    first, second, _third = queries.milestones_of(deal.order.number)
    assert (first.held, first.earned) == (usd(0), usd(300))
    assert second.paid == usd(0)
    assert Posting.objects.get(kind="earning").at == deal.at
    assert sound()


def test_a_balance_that_is_one_cent_short_repays_nothing(deal: Deal) -> None:
    money.fund(deal.buyer.account, "299.99")
    assert refusal(deal) == "balance_too_low"
    assert bill_of(deal).state == BillState.OPEN
    assert not Payment.objects.exists()
    assert sound()


@pytest.mark.parametrize("method", ["credit", "reseller", "bank_transfer", "funds", "", "card:", "cheque"])
def test_another_method_is_refused(deal: Deal, method: str) -> None:
    money.fund(deal.buyer.account, 500)
    money.grant(deal.buyer.account, 5000)
    assert refusal(deal, method) == "payment_method_unknown"
    assert not Payment.objects.exists()


def test_a_bill_is_repaid_once_whatever_tab_asks(deal: Deal) -> None:
    money.fund(deal.buyer.account, 1000)
    money.card(deal.buyer.account)
    key = pages.new_key()
    assert repay(deal, key=key) == repay(deal, key=key)
    assert refusal(deal) == "bill_not_open"
    assert refusal(deal, f"card:{queries.cards(deal.buyer.account.pk)[0].code}") == "bill_not_open"
    assert queries.balance(deal.buyer.account.pk) == usd(700)
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_the_same_moment_repay_once() -> None:
    deal = in_milestones()
    money.fund(deal.buyer.account, 1000)
    number, barrier, said = bill_of(deal).number, threading.Barrier(2), []

    def tab() -> None:
        call = deal.buyer.call(at=deal.at, key=pages.new_key())
        barrier.wait()
        try:
            repaying.repay(call, bill=number, method="balance")
            said.append("repaid")
        except Refused as refused:
            said.append(refused.code)
        finally:
            connection.close()

    tabs = [threading.Thread(target=tab) for _each in range(2)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join()
    assert sorted(said) == ["bill_not_open", "repaid"]
    assert queries.balance(deal.buyer.account.pk) == usd(700)
    assert sound()


def test_a_frozen_account_may_repay(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    card = money.card(deal.buyer.account)
    with guard.opened("test"):
        deal.buyer.account.frozen_at, deal.buyer.account.frozen_by = deal.at, "operations"
        deal.buyer.account.save(update_fields=["frozen_at", "frozen_by"])
    assert repay(deal, f"card:{card.code}").state == PaymentState.SUCCEEDED
    assert bill_of(deal).state == BillState.REPAID


def test_an_overdue_bill_can_be_repaid(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    deal.wait(days=100)
    assert bill_of(deal).shown_state(deal.at) == BillState.OVERDUE
    repay(deal)
    assert bill_of(deal).state == BillState.REPAID


def test_nobody_repays_a_stranger_s_bill(deal: Deal) -> None:
    stranger = make_buyer(kind=AccountKind.POSTPAID)
    money.fund(stranger.account, 500)
    with pytest.raises(Missing):
        repaying.repay(stranger.call(key=pages.new_key()), bill=bill_of(deal).number, method="balance")
    assert bill_of(deal).state == BillState.OPEN


def test_a_reseller_s_customer_has_no_bill_and_could_repay_none(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    with guard.opened("test"):
        deal.buyer.account.kind = AccountKind.RESELLER_CUSTOMER
        deal.buyer.account.reseller = make_buyer(is_reseller=True).account
        deal.buyer.account.save(update_fields=["kind", "reseller"])
    assert refusal(deal) == "reseller_pays"


# By card


def test_a_card_repays_a_bill(deal: Deal) -> None:
    card = money.card(deal.buyer.account)
    payment = repay(deal, f"card:{card.code}")
    assert (payment.state, payment.part, payment.purpose) == (PaymentState.SUCCEEDED, "m1", "bill")
    assert bill_of(deal).state == BillState.REPAID
    assert sound()


def test_a_declined_card_repays_nothing_and_another_way_is_open(deal: Deal) -> None:
    card = money.card(deal.buyer.account, token="sandbox-declined")
    payment = repay(deal, f"card:{card.code}")
    assert payment.state == PaymentState.FAILED
    assert bill_of(deal).state == BillState.OPEN
    money.fund(deal.buyer.account, 300)
    repay(deal)
    assert bill_of(deal).state == BillState.REPAID
    assert sound()


def test_a_card_that_is_not_the_account_s_is_refused(deal: Deal) -> None:
    strange = money.card(make_buyer().account)
    assert refusal(deal, f"card:{strange.code}") == "card_unknown"


def test_a_late_answer_is_booked_once_and_until_then_nothing_else_is_taken(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    card = money.card(deal.buyer.account, token="sandbox-timeout")
    payment = repay(deal, f"card:{card.code}")
    assert payment.state == PaymentState.PENDING
    assert bill_of(deal).state == BillState.OPEN
    assert refusal(deal) == "payment_in_progress"
    later = deal.at + timedelta(hours=1)
    settling_cards.settle_payments(later)
    settling_cards.settle_payments(later + timedelta(days=1))
    payment.refresh_from_db()
    bill = bill_of(deal)
    assert (payment.state, bill.state) == (PaymentState.SUCCEEDED, BillState.REPAID)
    assert bill.ended_at == payment.finished_at
    assert Message.objects.filter(kind="milestone_repaid_seller").count() == 1
    assert sound()


def test_a_parked_repayment_that_operations_close_leaves_the_bill_open(deal: Deal) -> None:
    card = money.card(deal.buyer.account)
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    payment = repaying.start_by_card(call, bill=bill_of(deal).number, card=card.code)
    closing.close_payment(make_operator().call(at=deal.at), payment=payment.number)
    assert bill_of(deal).state == BillState.OPEN
    money.fund(deal.buyer.account, 300)
    repay(deal)
    assert sound()


def test_money_that_arrives_for_a_withdrawn_bill_goes_back(deal: Deal) -> None:
    from billing.operations import milestones

    card = money.card(deal.buyer.account)
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    payment = repaying.start_by_card(call, bill=bill_of(deal).number, card=card.code)
    with guard.opened("test"):
        milestones.lapse(call, line_number=deal.order.line.number)
    settling_cards.settle_payments(deal.at + timedelta(minutes=5))
    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == (PaymentState.SUCCEEDED, Decimal(300))
    assert bill_of(deal).state == BillState.WITHDRAWN
    assert sound()


# By bank transfer


def transfer(deal: Deal, amount: str, reference: str = "BANK 4711", *, key: str = "") -> Payment:
    finance = make_operator(OperatorRole.FINANCE)
    call = finance.call(at=deal.at, key=key or pages.new_key())
    return repaying.book_transfer(call, bill=bill_of(deal).number, amount=usd(amount), reference=reference)


def test_operations_book_a_bank_transfer_of_exactly_the_bill(deal: Deal) -> None:
    payment = transfer(deal, "300.00")
    assert (payment.method, payment.note) == (PayMethod.BANK_TRANSFER, "BANK 4711")
    assert bill_of(deal).state == BillState.REPAID
    assert Charge.objects.get(number=payment.number).method == PayMethod.BANK_TRANSFER
    assert sound()


@pytest.mark.parametrize(
    ("amount", "reference", "code"),
    [
        ("299.99", "R", "transfer_differs"),
        ("300.01", "R", "transfer_differs"),
        ("300.00", "  ", "bank_reference_missing"),
    ],
)
def test_another_transfer_is_refused(deal: Deal, amount: str, reference: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        transfer(deal, amount, reference)
    assert refused.value.code == code
    assert bill_of(deal).state == BillState.OPEN
    assert not Payment.objects.exists()


def test_a_transfer_is_booked_once(deal: Deal) -> None:
    transfer(deal, "300.00")
    with pytest.raises(Refused) as refused:
        transfer(deal, "300.00")
    assert refused.value.code == "bill_not_open"


def test_a_transfer_in_another_currency_is_refused(deal: Deal) -> None:
    call = make_operator().call(at=deal.at, key=pages.new_key())
    with pytest.raises(Refused) as refused:
        repaying.book_transfer(call, bill=bill_of(deal).number, amount=Money(Decimal(300), "EUR"), reference="R")
    assert refused.value.code == "transfer_differs"


def test_a_buyer_books_no_transfer(deal: Deal) -> None:
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    with pytest.raises(Refused) as refused:
        repaying.book_transfer(call, bill=bill_of(deal).number, amount=usd(300), reference="R")
    assert refused.value.code == "role_not_allowed"
