"""Funds, credit, repayments, statements: what operations and customers do to an account's money."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from audit.models import Trace
from billing import queries
from billing.models import CreditChange, CreditStatement, LedgerAccount, Payment
from billing.operations import closing, crediting, paying, statements, topping_up
from billing.rules import terms
from billing.states import CreditKind, PaymentState, StatementState
from koogallery import clock
from koogallery.identity.states import AccountKind, OperatorRole
from koogallery.kernel import guard
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.pages import new_key
from koogallery.kernel.reasons import Missing, Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from tests.factories import billing as money
from tests.factories import identity
from tests.factories.billing import usd
from tests.personas import Persona, make_buyer, make_operator

pytestmark = pytest.mark.django_db


def at(day, hour=10):
    return datetime.fromisoformat(f"{day}T{hour:02d}:00:00+08:00")


@pytest.fixture
def postpaid(db):
    return make_buyer(kind=AccountKind.POSTPAID)


@pytest.fixture
def finance(db):
    return make_operator(OperatorRole.FINANCE)


def test_finance_adds_funds_once_per_key(finance, buyer):
    call = finance.call(key=new_key())
    for _ in range(2):
        topping_up.add_funds(call, account=buyer.account.number, amount=usd(50), note="start")
    assert queries.balance(buyer.account.pk) == usd(50)
    trace = Trace.objects.get(trace_name="addFunds")
    assert trace.account_id == buyer.account.pk


def test_support_adds_no_funds(support, buyer):
    with pytest.raises(Refused):
        topping_up.add_funds(support.call(), account=buyer.account.number, amount=usd(50))
    assert queries.balance(buyer.account.pk) == usd(0)


def test_funds_for_an_account_that_is_not_there(finance):
    with pytest.raises(Missing):
        topping_up.add_funds(finance.call(), account="nobody", amount=usd(50))


def test_funds_come_in_the_accounts_currency(finance, buyer):
    with pytest.raises(Refused):
        topping_up.add_funds(finance.call(), account=buyer.account.number, amount=Money(Decimal(5), "EUR"))


def test_a_bank_transfer_is_booked_with_its_reference(finance, buyer):
    topping_up.book_bank_transfer(finance.call(), account=buyer.account.number, amount=usd(75), note="REF 17")
    payment = queries.top_ups_of(buyer.account.pk).get()
    assert (payment.method, payment.note, payment.money) == ("bank_transfer", "REF 17", usd(75))
    assert LedgerAccount.objects.get(kind="funding").money == usd(-75)


def test_credit_is_granted_and_changed_with_history(finance, postpaid):
    for limit in (1000, 400):
        crediting.grant_credit(
            finance.call(),
            account=postpaid.account.number,
            kind=CreditKind.PLATFORM,
            limit=usd(limit),
            reason=f"to {limit}",
        )
    credit = queries.credit(postpaid.account.pk)
    assert (credit.limit, credit.available, credit.owed) == (usd(400), usd(400), usd(0))
    changes = list(CreditChange.objects.order_by("pk").values_list("before", "after", "reason", "changed_by"))
    name = finance.user.sign_in_name
    assert changes == [(0, 1000, "to 1000", name), (1000, 400, "to 400", name)]


def test_the_two_credits_are_apart(finance, postpaid):
    for kind, limit in ((CreditKind.PLATFORM, 100), (CreditKind.MILESTONE, 300)):
        crediting.grant_credit(finance.call(), account=postpaid.account.number, kind=kind, limit=usd(limit))
    assert [credit.limit for credit in queries.credits(postpaid.account.pk)] == [usd(300), usd(100)]


def test_a_limit_never_goes_below_what_is_used(finance, postpaid):
    money.grant(postpaid.account, 500)
    money.paid(postpaid.account, 300, method="credit")
    grant = {"account": postpaid.account.number, "kind": CreditKind.PLATFORM}
    with pytest.raises(Refused) as refused:
        crediting.grant_credit(finance.call(), limit=usd("299.99"), **grant)
    assert refused.value.code == "credit_in_use"
    crediting.grant_credit(finance.call(), limit=usd(300), **grant)
    assert queries.credit(postpaid.account.pk).available == usd(0)


def test_only_postpaid_accounts_have_credit(finance, buyer):
    with pytest.raises(Refused) as refused:
        crediting.grant_credit(finance.call(), account=buyer.account.number, kind=CreditKind.PLATFORM, limit=usd(1))
    assert refused.value.code == "not_postpaid"


def owing(postpaid, amount=300, when=None):
    money.grant(postpaid.account, 1000)
    with clock.at(when or clock.now()):
        return money.paid(postpaid.account, amount, method="credit")


def test_credit_is_repaid_from_the_balance(postpaid):
    owing(postpaid)
    money.fund(postpaid.account, 500)
    crediting.repay(postpaid.call(), amount=usd(120), method="balance")
    assert queries.credit(postpaid.account.pk).owed == usd(180)
    assert queries.balance(postpaid.account.pk) == usd(380)


def test_credit_is_repaid_by_card(postpaid):
    owing(postpaid)
    card = money.card(postpaid.account)
    payment = crediting.repay(postpaid.call(), amount=usd(120), method=f"card:{card.code}")
    assert payment.state == PaymentState.SUCCEEDED
    assert queries.credit(postpaid.account.pk).owed == usd(180)


@pytest.mark.parametrize(
    ("amount", "code"), [(301, "repayment_exceeds_owed"), (200, "balance_too_low"), (0, "amount_not_positive")]
)
def test_a_repayment_that_does_not_fit_is_refused(postpaid, amount, code):
    owing(postpaid)
    money.fund(postpaid.account, 100)
    with pytest.raises(Refused) as refused:
        crediting.repay(postpaid.call(), amount=usd(amount), method="balance")
    assert refused.value.code == code
    assert queries.credit(postpaid.account.pk).owed == usd(300)


def test_nothing_owed_is_nothing_to_repay(postpaid):
    money.grant(postpaid.account, 1000)
    money.fund(postpaid.account, 100)
    with pytest.raises(Refused) as refused:
        crediting.repay(postpaid.call(), amount=usd(1), method="balance")
    assert refused.value.code == "nothing_owed"


def test_a_repayment_that_comes_too_late_goes_to_the_balance(postpaid):
    owing(postpaid, 100)
    money.fund(postpaid.account, 100)
    card = money.card(postpaid.account)
    late = crediting.start_repayment(postpaid.call(), amount=usd(100), card=card.code)
    crediting.repay(postpaid.call(), amount=usd(100), method="balance")
    paying.ask_gateway(late)
    topping_up.finish(postpaid.call(), late)
    credit = queries.credit(postpaid.account.pk)
    assert (credit.owed, credit.available) == (usd(0), usd(1000))
    assert queries.balance(postpaid.account.pk) == usd(100)


# Statements


def test_a_statement_is_made_on_the_3rd_for_what_was_used_before_the_month(postpaid):
    owing(postpaid, 300, at("2026-02-20"))
    with clock.at(at("2026-03-01")):
        money.paid(postpaid.account, 50, method="credit")
    assert statements.generate(at("2026-03-02", 23)) == 0
    assert statements.generate(at("2026-03-03", 0)) == 1
    assert statements.generate(at("2026-03-03", 0)) == 0
    statement = CreditStatement.objects.get()
    assert (statement.month, statement.money) == (date(2026, 2, 1), usd(300))
    assert statement.due_at == datetime.fromisoformat("2026-04-02T23:59:59+08:00")
    statements.generate(at("2026-04-03", 0))
    assert [each.money for each in queries.open_statements(postpaid.account.pk)] == [usd(300), usd(50)]


@pytest.mark.parametrize(
    ("woken", "months"),
    [
        ("2026-03-05", ["2025-11 USD 300.00", "2026-01 USD 50.00", "2026-02 USD 25.00"]),
        ("2026-03-02", ["2025-11 USD 300.00", "2026-01 USD 50.00"]),
        ("2026-02-02", ["2025-11 USD 300.00"]),
    ],
)
def test_after_months_asleep_each_month_whose_3rd_has_passed_has_its_statement(postpaid, woken, months):
    owing(postpaid, 300, at("2025-11-20"))
    for day, amount in (("2026-01-31", 50), ("2026-02-01", 25)):
        if day < woken:
            with clock.at(at(day, 23)):
                money.paid(postpaid.account, amount, method="credit")
    assert statements.generate(at(woken)) == len(months)
    assert statements.generate(at(woken)) == 0
    stated = CreditStatement.objects.order_by("month")
    assert [f"{each.month:%Y-%m} {each.money}" for each in stated] == months
    assert {each.due_at for each in stated} == {terms.due_within(generated_at=at(woken), days=30)}


def test_what_was_charged_late_for_a_stated_month_stands_in_the_next_statement(postpaid):
    owing(postpaid, 300, at("2026-01-20"))
    statements.generate(at("2026-02-03"))
    with clock.at(at("2026-01-31")):
        money.paid(postpaid.account, 40, method="credit")
    assert statements.generate(at("2026-03-03")) == 1
    assert [str(each.money) for each in CreditStatement.objects.order_by("month")] == ["USD 300.00", "USD 40.00"]


@pytest.mark.parametrize("work", ["statement", "reminder"])
def test_one_bad_account_keeps_no_other_from_its_statements_and_reminders(postpaid, monkeypatch, work):
    others = [make_buyer(kind=AccountKind.POSTPAID) for _ in range(2)]
    owing(others[0], 100, at("2026-02-19"))
    owing(postpaid, 300, at("2026-02-20"))
    owing(others[1], 200, at("2026-02-21"))
    notify = statements.notify
    bad = postpaid.account.pk

    def failing(**arguments):
        if arguments["account_id"] == bad:
            raise RuntimeError("bad account")
        notify(**arguments)

    if work == "reminder":
        statements.generate(at("2026-03-03", 0))
    monkeypatch.setattr(statements, "notify", failing)
    if work == "reminder":
        sweeps["credit-reminders"].run(at("2026-03-26", 12))
        told = Message.objects.filter(kind="credit_statement_due")
    else:
        with pytest.raises(ExceptionGroup) as failed:
            statements.generate(at("2026-03-03", 0))
        assert [str(each) for each in failed.value.exceptions] == ["bad account"]
        told = Message.objects.filter(kind="credit_statement")
    assert set(told.values_list("account_id", flat=True)) == {other.account.pk for other in others}
    monkeypatch.setattr(statements, "notify", notify)
    if work == "statement":
        assert statements.generate(at("2026-03-03", 0)) == 1


def test_nothing_used_is_nothing_stated(postpaid):
    money.grant(postpaid.account, 1000)
    assert statements.generate(at("2026-03-03")) == 0
    assert not CreditStatement.objects.exists()


def test_repayments_and_refunds_lower_the_oldest_statement_first(postpaid):
    owing(postpaid, 300, at("2026-01-20"))
    statements.generate(at("2026-02-03"))
    with clock.at(at("2026-02-20")):
        second = money.paid(postpaid.account, 200, method="credit")
    statements.generate(at("2026-03-03"))
    money.fund(postpaid.account, 350)
    crediting.repay(postpaid.call(), amount=usd(350), method="balance")
    oldest, newest = CreditStatement.objects.order_by("month")
    assert oldest.repaid_at is not None
    assert newest.outstanding == usd(150)
    money.refunded(second, 150)
    newest.refresh_from_db()
    assert newest.state_at(at("2027-01-01")) == StatementState.REPAID
    assert queries.credit(postpaid.account.pk).owed == usd(0)


def test_overdue_refuses_new_orders_on_credit_until_repaid(postpaid):
    owing(postpaid, 300, at("2026-02-20"))
    statements.generate(at("2026-03-03", 0))

    def order(moment):
        with transaction.atomic(), guard.opened("test"):
            return paying.pay(
                system_call(at=moment),
                subject=money.subject(postpaid.account),
                amount=usd(10),
                method="credit",
            )

    due = datetime.fromisoformat("2026-04-02T23:59:59+08:00")
    for moment in (due, due + timedelta(milliseconds=500)):
        assert order(moment).state == PaymentState.SUCCEEDED
        assert CreditStatement.objects.get().state_at(moment) == StatementState.OPEN
        assert not queries.is_credit_overdue(postpaid.account.pk, at=moment)
    with pytest.raises(Refused) as refused:
        order(due + timedelta(seconds=1))
    assert refused.value.code == "credit_overdue"
    money.fund(postpaid.account, 300)
    crediting.repay(postpaid.call(), amount=usd(300), method="balance")
    assert order(due + timedelta(days=1)).state == PaymentState.SUCCEEDED


def test_reminders_go_out_seven_and_one_days_before_and_after(postpaid):
    owing(postpaid, 300, at("2026-02-20"))
    statements.generate(at("2026-03-03", 0))
    sent = []
    reminders = sweeps["credit-reminders"]
    while (moment := reminders.next_due()) is not None:
        assert (reminders.run(moment), reminders.run(moment)) == (1, 0)
        sent.append(clock.platform_date(moment).isoformat())
    assert sent == ["2026-03-26", "2026-04-01", "2026-04-03", "2026-04-09"]
    assert Trace.objects.filter(trace_name="remindOfCreditStatement").count() == 4


def test_a_repaid_statement_reminds_of_nothing(postpaid):
    owing(postpaid, 300, at("2026-02-20"))
    statements.generate(at("2026-03-03", 0))
    money.fund(postpaid.account, 300)
    crediting.repay(postpaid.call(), amount=usd(300), method="balance")
    assert sweeps["credit-reminders"].next_due() is None


# What operations do with card payments that stay unclear


def pending(buyer):
    card = money.card(buyer.account, token="sandbox-garbage")
    payment = topping_up.start_top_up(buyer.call(), amount=usd(10), card=card.code)
    return paying.ask_gateway(payment)


def test_operations_book_an_unclear_payment_as_failed(finance, buyer):
    payment = pending(buyer)
    closing.close_payment(finance.call(), payment=payment.number)
    payment.refresh_from_db()
    assert (payment.state, payment.next_try_at) == (PaymentState.FAILED, None)
    with pytest.raises(Refused):
        closing.close_payment(finance.call(), payment=payment.number)


def test_operations_let_the_gateway_be_asked_again(finance, buyer):
    payment = pending(buyer)
    call = finance.call()
    closing.retry_payment(call, payment=payment.number)
    payment.refresh_from_db()
    assert (payment.state, payment.next_try_at, payment.attempts) == (PaymentState.PENDING, call.at, 0)


def test_an_approved_payment_is_not_booked_as_failed(finance, buyer):
    card = money.card(buyer.account)
    payment = paying.ask_gateway(topping_up.start_top_up(buyer.call(), amount=usd(10), card=card.code))
    with pytest.raises(Refused):
        closing.close_payment(finance.call(), payment=payment.number)


def test_a_strangers_payment_cannot_be_finished(buyer, stranger):
    payment = pending(buyer)
    with pytest.raises(Missing):
        topping_up.finish(stranger.call(), payment)
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("change", ["none", "frozen", "denied"])
def test_money_that_was_taken_is_booked_whatever_becomes_of_the_permission(postpaid, monkeypatch, change):
    """The user is allowed to begin and nothing else, and while the gateway is asked that changes."""
    account, asked = postpaid.account, paying.ask_gateway
    clerk = Persona(identity.UserFactory(account=account, is_root=False, username="payer"), Role.BUYER)
    identity.allow(clerk.user, "marketplace:payment:topUp", "marketplace:payment:startRepayment")
    card = money.card(account)
    money.grant(account, 1000)
    money.paid(account, 300, method="credit")

    def ask(payment, **rest):
        answered = asked(payment, **rest)
        if change == "frozen":
            with guard.opened("test"):
                type(account).objects.filter(pk=account.pk).update(frozen_at=call.at, frozen_by="operations")
        if change == "denied":
            identity.deny(clerk.user, "marketplace:*:*")
        return answered

    call = clerk.call()
    monkeypatch.setattr(paying, "ask_gateway", ask)
    topped_up = topping_up.top_up(call, amount=usd(10), card=card.code)
    assert (topped_up.state, queries.balance(account.pk)) == (PaymentState.SUCCEEDED, usd(10))
    trace = Trace.objects.get(trace_name="finishTopUp")
    assert (trace.account_id, trace.user_name) == (account.pk, clerk.user.sign_in_name)
    if change == "none":
        repaid = crediting.repay(clerk.call(), amount=usd(300), method=f"card:{card.code}")
        assert (repaid.state, queries.credit(account.pk).owed) == (PaymentState.SUCCEEDED, usd(0))
