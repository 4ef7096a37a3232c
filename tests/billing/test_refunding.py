"""Refunds: to where the money came from, in the proportion paid, never more than was paid."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Trace
from billing import queries
from billing.models import Charge, LedgerAccount, Payment, Posting, Refund
from billing.operations import checking, crediting, earning, ledger, paying, refunding, statements
from billing.states import PostingKind, RefundDestination, RefundState
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import operation, registry
from koogallery.kernel.reasons import Refused
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.identity import AccountFactory
from tests.personas import make_buyer

pytestmark = pytest.mark.django_db


def refund(payment, amount, key="r1"):
    with transaction.atomic(), guard.opened("test"):
        return refunding.refund(
            system_call(),
            order_number=payment.order_number,
            line_number=payment.line_number,
            amount=usd(amount),
            reason="test",
            key=key,
        )


def test_a_refund_of_held_money_goes_back_to_the_balance():
    account = AccountFactory()
    payment = money.paid(account, 100)
    given_back = refund(payment, "30.50")
    assert queries.balance(account.pk) == usd("30.50")
    result = queries.order_money(payment.order_number)
    assert (result.paid, result.held, result.refunded) == (usd(100), usd("69.50"), usd("30.50"))
    part = given_back.parts.get()
    assert (part.destination, part.state) == (RefundDestination.BALANCE, RefundState.DONE)
    charge = Charge.objects.get(kind="refund")
    assert (charge.number, charge.money) == (given_back.number, usd("-30.50"))


def test_a_refund_of_earned_money_is_taken_from_the_seller():
    account = AccountFactory()
    payment = money.paid(account, 100, seller_id=7)
    with guard.opened("test"):
        earning.earn(system_call(), line_number=payment.line_number, key="e")
    refund(payment, 100)
    assert queries.balance(account.pk) == usd(100)
    result = queries.order_money(payment.order_number)
    assert (result.held, result.earned, result.refunded) == (usd(0), usd(0), usd(100))
    assert queries.seller_money(7).earned == usd(0)


def test_the_same_key_refunds_once():
    account = AccountFactory()
    payment = money.paid(account, 100)
    assert refund(payment, 30) == refund(payment, 30)
    assert queries.balance(account.pk) == usd(30)
    assert Posting.objects.filter(kind="refund").count() == 1


def test_the_same_key_for_another_amount_is_an_error():
    payment = money.paid(AccountFactory(), 100)
    refund(payment, 30)
    with pytest.raises(refunding.OtherRefund):
        refund(payment, 31)


def test_no_more_is_refunded_than_was_paid():
    account = AccountFactory()
    payment = money.paid(account, 100)
    refund(payment, 80)
    with pytest.raises(Refused) as refused:
        refund(payment, "20.01", key="r2")
    assert refused.value.code == "refund_exceeds_paid"
    assert "USD 20.00" in refused.value.sentence
    assert Refund.objects.count() == 1
    assert queries.balance(account.pk) == usd(80)


def test_nothing_paid_is_nothing_to_refund():
    with pytest.raises(Refused) as refused, transaction.atomic(), guard.opened("test"):
        refunding.refund(
            system_call(),
            order_number="CS1",
            line_number="CS1-000001",
            amount=usd(1),
            reason="",
            key="x",
        )
    assert refused.value.code == "refund_exceeds_paid"


@pytest.mark.parametrize(("repaid", "balance"), [(100, 40), (80, 20), (60, 0)])
def test_a_refund_of_credit_that_was_repaid_lowers_what_is_owed_and_the_rest_goes_to_the_balance(repaid, balance):
    buyer = make_buyer(kind=AccountKind.POSTPAID)
    money.grant(buyer.account, 500)
    payment = money.paid(buyer.account, 100, method="credit")
    money.fund(buyer.account, repaid)
    crediting.repay(buyer.call(), amount=usd(repaid), method="balance")
    given_back = refund(payment, 40)
    parts = {part.destination: part.money for part in given_back.parts.all()}
    expected = {RefundDestination.CREDIT: usd(40 - balance), RefundDestination.BALANCE: usd(balance)}
    assert parts == {place: part for place, part in expected.items() if part}
    credit = queries.credit(buyer.account.pk)
    assert (credit.available, credit.owed) == (usd(400 + repaid + 40 - balance), usd(100 - repaid - 40 + balance))
    assert queries.balance(buyer.account.pk) == usd(balance)
    assert checking.check_ledger(system_call()).findings == []


def test_nothing_is_lowered_when_the_credit_was_overpaid(monkeypatch):
    buyer = make_buyer(kind=AccountKind.POSTPAID)
    money.grant(buyer.account, 500)
    monkeypatch.setattr(statements, "_owed", lambda line: usd(-5))
    with transaction.atomic(), guard.opened("test"):
        assert statements.lower(account_id=buyer.account.pk, amount=usd(10), at=clock.now()) == usd(0)


def test_a_refund_of_credit_lowers_what_is_owed():
    account = AccountFactory(kind=AccountKind.POSTPAID)
    money.grant(account, 500)
    payment = money.paid(account, 100, method="credit")
    refund(payment, 40)
    assert queries.credit(account.pk).owed == usd(60)
    assert queries.balance(account.pk) == usd(0)


def test_a_refund_of_a_resellers_customer_goes_to_the_reseller():
    reseller = AccountFactory(is_reseller=True)
    customer = AccountFactory(kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller)
    payment = money.paid(customer, 100, method="reseller")
    refund(payment, 40)
    assert LedgerAccount.objects.get(kind="reseller_due", owner=str(reseller.pk)).money == usd(-60)
    assert Charge.objects.get(kind="refund").account == reseller
    assert queries.balance(customer.pk) == usd(0)


def test_a_line_paid_by_two_methods_is_refunded_in_their_proportion():
    account = AccountFactory(kind=AccountKind.POSTPAID)
    money.grant(account, 500)
    order = "CS260101000000009"
    money.paid(account, 75, order_number=order, part="1")
    payment = money.paid(account, 25, order_number=order, part="2", method="credit")
    refund(payment, 10)
    assert queries.balance(account.pk) == usd("7.50")
    assert queries.credit(account.pk).owed == usd("22.50")
    assert [part.amount for part in Refund.objects.get().parts.order_by("pk")] == [Decimal("7.50"), Decimal("2.50")]


def test_a_whole_order_is_refunded_once():
    account = AccountFactory()
    payment = money.paid(account, 100)
    refund(payment, 30)
    for _ in range(2):
        with transaction.atomic(), guard.opened("test"):
            refunds = refunding.refund_all(
                system_call(), order_number=payment.order_number, reason="canceled", key="all"
            )
        assert [each.money for each in refunds] == [usd(70)]
    assert queries.balance(account.pk) == usd(100)


def test_the_order_of_another_number_is_not_touched():
    account = AccountFactory()
    money.paid(account, 10, order_number="CS2601010000AAAAA")
    other = money.paid(account, 20, order_number="CS2601010000AAAAB")
    assert queries.order_money("CS2601010000AAAAA").held == usd(10)
    refund(other, 20)
    assert queries.order_money("CS2601010000AAAAA").refunded == usd(0)


@pytest.mark.django_db(transaction=True)
def test_parallel_refunds_never_exceed_what_was_paid():
    account = AccountFactory()
    payment = money.paid(account, 100)
    outcomes: list[str] = []

    def work(number: int) -> None:
        try:
            refund(payment, 30, key=f"k{number}")
            outcomes.append("refunded")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refund_exceeds_paid"] * 5 + ["refunded"] * 3
    assert queries.balance(account.pk) == usd(90)


@pytest.mark.django_db(transaction=True)
def test_one_refund_asked_for_in_parallel_is_given_once():
    account = AccountFactory()
    payment = money.paid(account, 100)
    numbers: list[str] = []

    def work() -> None:
        try:
            numbers.append(refund(payment, 30).number)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 8
    assert len(set(numbers)) == 1
    assert queries.balance(account.pk) == usd(30)


@given(
    paid=st.lists(st.tuples(st.integers(1, 100_000), st.integers(0, 100_000)), min_size=1, max_size=6),
    share=st.integers(1, 1000),
)
def test_shares_of_a_refund_sum_to_it_and_stay_within_each_payment(paid, share):
    payments = [
        Payment(
            amount=Decimal(max(total, back + 1)) / 100,
            refunded=Decimal(min(total, back)) / 100,
            currency="USD",
        )
        for total, back in paid
    ]
    left = sum((payment.refundable for payment in payments), usd(0))
    amount = Money(max(left.amount * share / 1000, Decimal("0.01")), "USD").rounded()
    shares = refunding.proportions(amount, payments)
    assert sum(shares, usd(0)) == amount
    assert all(usd(0) <= part <= payment.refundable for part, payment in zip(shares, payments, strict=True))


@pytest.mark.django_db(transaction=True)
def test_paying_and_earning_beside_a_refund_of_earned_money_ends_well_on_both_sides():
    """The seller's *earned* is older than the buyer's *cash*: the refund locks it first, the payment last."""
    with transaction.atomic(), guard.opened("test"):
        ledger.post(
            key="older",
            kind=PostingKind.FUNDS,
            at=clock.now(),
            about="",
            entries=[(ledger.funding(), usd(-1)), (ledger.earned(7), usd(1))],
        )
    account = AccountFactory()
    first = money.paid(account, 100, seller_id=7)
    with transaction.atomic(), guard.opened("test"):
        earning.earn(system_call(), line_number=first.line_number, key="e1")
    money.fund(account, 50)
    subject = money.subject(account, seller_id=7)
    paid, tries, faults = threading.Event(), [], []

    def buy(call):
        tries.append("buy")
        paying.pay(call, subject=subject, amount=usd(50), method="balance")
        paid.set()
        time.sleep(0.5)
        earning.earn(call, line_number=subject.line_number, key="e2")

    def give_back(call):
        tries.append("give back")
        paid.wait(5)
        refunding.refund(
            call,
            order_number=first.order_number,
            line_number=first.line_number,
            amount=usd(100),
            reason="test",
            key="r",
        )

    def work(name):
        try:
            doing[name](system_call())
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    names = {"testBuying": buy, "testGivingBack": give_back}
    doing = {name: operation(name, resource_type="Order", roles={Role.SYSTEM})(each) for name, each in names.items()}
    try:
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        [thread.start() for thread in threads]
        [thread.join(20) for thread in threads]
    finally:
        for name in names:
            del registry[name]
    assert (faults, len(tries)) == ([], 3), "one side was done twice"
    assert queries.balance(account.pk) == usd(100)
    assert queries.seller_money(7).earned == usd(51)
    assert Trace.objects.filter(trace_name__in=names).count() == 2
