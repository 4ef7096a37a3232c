"""Cards: two phases, answers that get lost, processes that die, refunds that a card refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from billing import queries
from billing.events import CardPaymentSettled
from billing.models import Charge, LedgerAccount, Payment, SandboxCharge
from billing.operations import paying, refunding, settling_cards
from billing.states import PaymentState, RefundDestination, RefundState
from koogallery import clock
from koogallery.kernel import events, guard
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.identity import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return AccountFactory()


@pytest.fixture
def heard(monkeypatch):
    """What billing publishes upwards."""
    said: list = []
    monkeypatch.setitem(events._handlers, CardPaymentSettled, [said.append])
    return said


def start(account, token="sandbox-approved", amount=100, **fields):
    card = money.card(account, token=token)
    with transaction.atomic(), guard.opened("test"):
        return paying.start_card(
            system_call(), subject=money.subject(account, **fields), amount=usd(amount), card=card.code
        )


def finish(payment):
    with transaction.atomic(), guard.opened("test"):
        return paying.finish_card(system_call(), payment)


def paid_by_card(account, token="sandbox-approved", **fields):
    return finish(paying.ask_gateway(start(account, token, **fields)))


def clearing():
    return LedgerAccount.objects.get(kind="card_clearing").money


def test_an_approved_card_pays_for_the_order(account):
    payment = start(account)
    assert payment.state == PaymentState.PENDING
    assert not SandboxCharge.objects.exists()
    payment = finish(paying.ask_gateway(payment))
    assert payment.state == PaymentState.SUCCEEDED
    assert queries.order_money(payment.order_number).held == usd(100)
    assert clearing() == usd(-100)
    assert Charge.objects.get().number == payment.number


def test_a_declined_card_moves_nothing_and_another_try_is_possible(account):
    payment = paid_by_card(account, "sandbox-declined", order_number="CS260101000000001")
    assert (payment.state, payment.failure) == (PaymentState.FAILED, "card_declined")
    assert not LedgerAccount.objects.exists()
    assert not Charge.objects.exists()
    assert paid_by_card(account, order_number="CS260101000000001").state == PaymentState.SUCCEEDED


def test_while_a_card_payment_is_under_way_the_line_is_not_paid_otherwise(account):
    money.fund(account, 100)
    start(account, order_number="CS260101000000001")
    with pytest.raises(Refused) as refused, transaction.atomic(), guard.opened("test"):
        paying.pay(
            system_call(),
            subject=money.subject(account, order_number="CS260101000000001"),
            amount=usd(100),
            method="balance",
        )
    assert refused.value.code == "already_paid"


@pytest.mark.parametrize("whose", ["stranger", "removed", "invented"])
def test_only_the_accounts_own_cards_pay(account, whose):
    code = {
        "stranger": lambda: money.card(AccountFactory()).code,
        "removed": lambda: money.card(account, removed_at=clock.now()).code,
        "invented": lambda: "x" * 32,
    }[whose]()
    with pytest.raises(Refused) as refused, transaction.atomic(), guard.opened("test"):
        paying.start_card(system_call(), subject=money.subject(account), amount=usd(1), card=code)
    assert refused.value.code == "card_unknown"


def test_a_lost_answer_is_asked_for_again_and_charged_once(account, heard):
    payment = finish(paying.ask_gateway(start(account, "sandbox-timeout")))
    assert (payment.state, payment.attempts) == (PaymentState.PENDING, 1)
    due = settling_cards.next_payment()
    assert due == payment.next_try_at
    assert settling_cards.settle_payments(due) == 1
    payment.refresh_from_db()
    assert (payment.state, payment.finished_at) == (PaymentState.SUCCEEDED, due)
    assert SandboxCharge.objects.count() == 1
    assert clearing() == usd(-100)
    assert [(each.order_number, each.succeeded) for each in heard] == [(payment.order_number, True)]
    assert settling_cards.next_payment() is None


def test_garbage_is_not_taken_for_an_approval(account, heard):
    payment = start(account, "sandbox-garbage")
    at = clock.now()
    for _ in range(3):
        at += timedelta(hours=2)
        settling_cards.settle_payments(at)
    payment.refresh_from_db()
    assert payment.state == PaymentState.FAILED
    assert [each.succeeded for each in heard] == [False]
    assert not LedgerAccount.objects.exists()


@pytest.mark.parametrize("crash", ["before asking", "after asking"])
def test_a_process_that_dies_between_the_phases_loses_and_doubles_nothing(account, heard, crash):
    payment = start(account)
    if crash == "after asking":
        paying.ask_gateway(payment)
    later = clock.now() + timedelta(minutes=5)
    assert settling_cards.settle_payments(later) == 1
    assert settling_cards.settle_payments(later + timedelta(hours=1)) == 0
    payment.refresh_from_db()
    assert payment.state == PaymentState.SUCCEEDED
    assert SandboxCharge.objects.get().asked == 1
    assert clearing() == usd(-100)
    assert len(heard) == 1
    assert finish(payment).state == PaymentState.SUCCEEDED
    assert clearing() == usd(-100)


def test_a_gateway_that_never_answers_is_parked_for_operations(account, settings, heard):
    payment = start(account)
    settings.SANDBOX_GATEWAY_ALLOWED = False
    at = clock.now()
    for _ in range(paying.MAX_ATTEMPTS + 3):
        at += timedelta(hours=2)
        settling_cards.settle_payments(at)
    payment.refresh_from_db()
    assert (payment.state, payment.next_try_at, payment.attempts) == (PaymentState.PENDING, None, paying.MAX_ATTEMPTS)
    assert payment.parked_at is not None
    assert heard == []


def test_a_clear_answer_is_never_replaced(account):
    payment = paying.ask_gateway(start(account))
    again = paying.record_answer(
        system_call(), payment=payment.number, outcome="declined", reference="", failure="late"
    )
    assert again.outcome == "approved"


@pytest.mark.django_db(transaction=True)
def test_the_gateway_is_not_asked_inside_a_transaction(account):
    payment = start(account)
    with pytest.raises(RuntimeError), transaction.atomic():
        paying.ask_gateway(payment)
    assert not SandboxCharge.objects.exists()


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


def test_a_refund_goes_back_to_the_card(account):
    payment = paid_by_card(account)
    given = refund(payment, 40)
    part = given.parts.get()
    assert (part.state, part.destination) == (RefundState.PENDING, RefundDestination.CARD)
    assert settling_cards.settle_refunds(clock.now() + timedelta(minutes=1)) == 1
    part.refresh_from_db()
    assert part.state == RefundState.DONE
    assert SandboxCharge.objects.get().refunded == 40
    assert clearing() == usd(-60)
    assert LedgerAccount.objects.get(kind="refunds").money == usd(0)
    assert settling_cards.next_refund() is None


def test_a_refund_that_the_card_refuses_goes_to_the_balance(account):
    payment = paid_by_card(account, "sandbox-no-refund")
    given = refund(payment, 40)
    settling_cards.settle_refunds(clock.now() + timedelta(minutes=1))
    part = given.parts.get()
    assert (part.state, part.destination) == (RefundState.DONE, RefundDestination.BALANCE)
    assert queries.balance(account.pk) == usd(40)
    assert clearing() == usd(-100)
    assert Payment.objects.get(pk=payment.pk).refunded == 40
