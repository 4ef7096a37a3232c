"""Paying at once: what moves, what is refused, and that two cannot spend the same money."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing import queries
from billing.models import Charge, LedgerAccount, Payment, Posting
from billing.operations import earning, ledger, paying
from billing.states import LedgerKind, PaymentState, PostingKind
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.identity import AccountFactory

pytestmark = pytest.mark.django_db


def pay(subject, amount, method="balance"):
    with transaction.atomic(), guard.opened("test"):
        return paying.pay(system_call(), subject=subject, amount=usd(amount), method=method)


def nothing_happened():
    return not Payment.objects.exists() and not Charge.objects.exists() and not Posting.objects.filter(kind="payment")


def test_paying_from_the_balance_moves_the_money_to_held():
    account = AccountFactory()
    money.fund(account, 150)
    subject = money.subject(account, project_code="p1", tags={"team": "a"}, explanation={"rule": "flat"})
    payment = pay(subject, 100)
    assert payment.state == PaymentState.SUCCEEDED
    assert queries.balance(account.pk) == usd(50)
    assert queries.order_money(subject.order_number) == queries.OrderMoney(
        paid=usd(100), held=usd(100), earned=usd(0), settled=usd(0), refunded=usd(0)
    )
    charge = queries.explained(Charge.objects.all()).get()
    assert (charge.number, charge.money, charge.account) == (payment.number, usd(100), account)
    assert (charge.project_code, charge.tags, charge.explanation) == ("p1", {"team": "a"}, {"rule": "flat"})


def test_paying_takes_few_queries(django_assert_num_queries):
    account = AccountFactory()
    money.fund(account, 150)
    call = system_call(account=account)
    with guard.opened("test"), django_assert_num_queries(3):
        paying.pay(call, subject=money.subject(account), amount=usd(100), method="balance")


def test_a_balance_that_is_too_low_is_refused_and_nothing_happens():
    account = AccountFactory()
    money.fund(account, "99.99")
    with pytest.raises(Refused) as refused:
        pay(money.subject(account), 100)
    assert refused.value.code == "balance_too_low"
    assert nothing_happened()
    assert queries.balance(account.pk) == usd("99.99")


def test_a_line_is_paid_once():
    account = AccountFactory()
    money.fund(account, 300)
    subject = money.subject(account)
    pay(subject, 100)
    with pytest.raises(Refused) as refused:
        pay(subject, 100)
    assert refused.value.code == "already_paid"
    assert queries.balance(account.pk) == usd(200)


def test_credit_is_spent_up_to_its_limit():
    account = AccountFactory(kind=AccountKind.POSTPAID)
    money.grant(account, 150)
    pay(money.subject(account), 100, "credit")
    credit = queries.credit(account.pk)
    assert (credit.limit, credit.available, credit.owed) == (usd(150), usd(50), usd(100))
    with pytest.raises(Refused) as refused:
        pay(money.subject(account), 51, "credit")
    assert refused.value.code == "credit_too_low"


def test_without_credit_there_is_none_to_spend():
    with pytest.raises(Refused) as refused:
        pay(money.subject(AccountFactory()), 1, "credit")
    assert refused.value.code == "credit_too_low"


def test_a_resellers_customer_charges_its_reseller():
    reseller = AccountFactory(is_reseller=True)
    customer = AccountFactory(kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller)
    payment = pay(money.subject(customer), 80, "reseller")
    assert (payment.account, payment.payer) == (customer, reseller)
    assert LedgerAccount.objects.get(kind="reseller_due", owner=str(reseller.pk)).money == usd(-80)
    charge = Charge.objects.get()
    assert (charge.account, charge.customer) == (reseller, customer)


@pytest.mark.parametrize("method", ["balance", "credit"])
def test_a_resellers_customer_pays_nothing_itself(method):
    customer = AccountFactory(kind=AccountKind.RESELLER_CUSTOMER, reseller=AccountFactory(is_reseller=True))
    money.fund(customer, 100)
    with pytest.raises(Refused) as refused:
        pay(money.subject(customer), 80, method)
    assert refused.value.code == "reseller_pays"
    assert nothing_happened()


def test_a_direct_account_has_no_reseller_to_charge():
    with pytest.raises(Refused) as refused:
        pay(money.subject(AccountFactory()), 80, "reseller")
    assert refused.value.code == "not_a_reseller_customer"


def test_a_frozen_account_pays_for_no_order():
    from koogallery import clock

    account = AccountFactory(frozen_at=clock.now(), frozen_by="operations")
    money.fund(account, 100)
    with pytest.raises(Refused) as refused:
        pay(money.subject(account), 80)
    assert refused.value.code == "account_frozen"


@pytest.mark.parametrize(
    ("amount", "code"), [("0", "amount_not_positive"), ("-1", "amount_not_positive"), ("0.001", "amount_not_whole")]
)
def test_only_positive_rounded_amounts_are_paid(amount, code):
    account = AccountFactory()
    money.fund(account, 100)
    with pytest.raises(Refused) as refused:
        pay(money.subject(account), amount)
    assert refused.value.code == code


def test_a_balance_of_another_currency_does_not_pay():
    account = AccountFactory()
    money.fund(account, 100)
    with pytest.raises(Refused), transaction.atomic(), guard.opened("test"):
        paying.pay(system_call(), subject=money.subject(account), amount=Money(Decimal(10), "EUR"), method="balance")


def test_earning_moves_all_that_is_held_once():
    account = AccountFactory()
    payment = money.paid(account, 100, seller_id=7)
    with guard.opened("test"):
        assert earning.earn(system_call(), line_number=payment.line_number, key="done") == usd(100)
        assert earning.earn(system_call(), line_number=payment.line_number, key="done") is None
    result = queries.order_money(payment.order_number)
    assert (result.held, result.earned, result.paid) == (usd(0), usd(100), usd(100))
    assert queries.seller_money(7) == queries.SellerMoney(held=usd(0), earned=usd(100), settled=usd(0))


def test_earning_an_unpaid_line_does_nothing():
    with guard.opened("test"):
        assert earning.earn(system_call(), line_number="CS1-000001", key="x") is None
    assert not Posting.objects.exists()


@pytest.mark.parametrize("count", [1, 5])
def test_many_lines_are_earned_in_one_statement(django_assert_num_queries, count):
    account = AccountFactory()
    payments = [money.paid(account, 10, seller_id=number % 2 + 1) for number in range(count)]
    with guard.opened("test"), django_assert_num_queries(1):
        earned = earning.earn_many(
            at=system_call().at, keys={payment.line_number: f"k{payment.pk}" for payment in payments}
        )
    assert earned == {payment.line_number: usd(10) for payment in payments}
    assert queries.seller_money(1).earned == usd(10 * ((count + 1) // 2))
    assert queries.seller_money(2).earned == usd(10 * (count // 2))


def test_each_line_is_earned_at_its_own_moment():
    account = AccountFactory()
    payments = [money.paid(account, 10, seller_id=1) for _ in range(3)]
    at = system_call().at
    due = {payment.line_number: at + timedelta(minutes=number) for number, payment in enumerate(payments)}
    with guard.opened("test"):
        earning.earn_many(at=due, keys={line: line for line in due})
    assert dict(Posting.objects.filter(kind=PostingKind.EARNING).values_list("about", "at")) == due


def test_the_platforms_own_sales_are_earned_without_a_seller():
    payment = money.paid(AccountFactory(), 10, seller_id=None)
    with guard.opened("test"):
        assert earning.earn(system_call(), line_number=payment.line_number, key="x") == usd(10)
    assert LedgerAccount.objects.get(kind=LedgerKind.EARNED).owner == ""


def test_a_key_earns_one_movement():
    account = AccountFactory()
    first, second = money.paid(account, 10, seller_id=1), money.paid(account, 10, seller_id=1)
    with guard.opened("test"):
        earning.earn(system_call(), line_number=first.line_number, key="x")
        with pytest.raises(ledger.OtherPosting):
            earning.earn(system_call(), line_number=second.line_number, key="x")


def test_money_held_without_a_payment_is_not_earned():
    with guard.opened("test"):
        ledger.post(
            key="odd",
            kind=PostingKind.FUNDS,
            at=system_call().at,
            about="",
            entries=[(ledger.funding(), -usd(5)), (ledger.held("CS1-000001"), usd(5))],
        )
        with pytest.raises(earning.Unpaid, match="CS1-000001"):
            earning.earn(system_call(), line_number="CS1-000001", key="x")


def test_payment_methods_say_what_is_possible_and_why_not():
    account = AccountFactory(kind=AccountKind.POSTPAID)
    money.fund(account, 50)
    money.grant(account, 200)
    card = money.card(account)
    methods = {method.value: method for method in queries.payment_methods(account, usd(100))}
    assert list(methods) == ["balance", f"card:{card.code}", "credit"]
    assert (methods["balance"].available, methods["balance"].reason_code) == (False, "balance_too_low")
    assert methods["credit"].available
    assert "4242" in methods[f"card:{card.code}"].label


def test_whether_an_account_can_pay_at_all():
    account = AccountFactory()
    assert not queries.has_payment_method(account)
    money.fund(account, 1)
    assert queries.has_payment_method(account)
    assert queries.has_payment_method(
        AccountFactory(kind=AccountKind.RESELLER_CUSTOMER, reseller=AccountFactory(is_reseller=True))
    )


@pytest.mark.django_db(transaction=True)
def test_of_twenty_parallel_payments_from_a_balance_for_one_only_one_succeeds():
    account = AccountFactory()
    money.fund(account, 100)
    outcomes: list[str] = []
    start = threading.Barrier(20)

    def work() -> None:
        subject = money.subject(account)
        start.wait()
        try:
            pay(subject, 100)
            outcomes.append("paid")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["balance_too_low"] * 19 + ["paid"]
    assert queries.balance(account.pk) == usd(0)
    assert Payment.objects.count() == 1
    assert Charge.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_parallel_payments_for_one_line_only_one_succeeds():
    account = AccountFactory()
    money.fund(account, 5000)
    subject = money.subject(account)
    outcomes: list[str] = []
    start = threading.Barrier(20)

    def work() -> None:
        start.wait()
        try:
            pay(subject, 100)
            outcomes.append("paid")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_paid"] * 19 + ["paid"]
    assert queries.balance(account.pk) == usd(4900)
