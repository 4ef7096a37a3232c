"""Paying: at once, by card in two phases, too late, twice; and what payment starts."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from audit.models import Trace
from billing.models import Charge, Payment, Refund, SandboxCharge
from billing.operations import paying as billing_paying
from billing.operations import settling_cards
from billing.operations.checking import check_ledger
from billing.queries import balance, explained, order_money
from koogallery.kernel import pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from orders.models import Order
from orders.operations import cancelling, card_paying, paying
from orders.states import OrderState, PaidBy
from tests.factories import billing, catalog, identity, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
DUE = AT + timedelta(hours=24)

pytestmark = pytest.mark.django_db


def books_are_right() -> bool:
    return check_ledger(system_call()).clean_run


@pytest.fixture
def order(rich: Persona) -> Order:
    """An order for USD 70.00 that waits for payment."""
    return orders.place(rich, catalog.saas_product(), at=AT, quantity="7")


def refusal(code: str, persona: Persona, order: Order, **fields: object) -> Refused:
    with pytest.raises(Refused) as caught:
        orders.pay(persona, order, **fields)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value


def test_payment_from_balance_holds_the_money_and_starts_delivery(rich: Persona, order: Order) -> None:
    orders.pay(rich, order, at=AT + timedelta(minutes=5))
    order.refresh_from_db()
    assert (order.state, order.paid_by, order.paid_at) == (
        OrderState.PROCESSING,
        PaidBy.BALANCE,
        AT + timedelta(minutes=5),
    )
    money = order_money(order.number)
    assert str(money.paid) == str(money.held) == "USD 70.00"
    assert str(balance(rich.account.pk)) == "USD 9,930.00"
    assert orders.steps(order) == ["placed", "paid", "delivery_started"]
    charge = explained(Charge.objects.all()).get()
    assert (charge.amount, charge.explanation) == (Decimal("70.0000"), order.lines.get().explanation)
    told = Message.objects.get(kind="order_paid")
    assert told.account_id == rich.account.pk and "USD 70.00" in told.body
    assert Message.objects.get(kind="order_received").account_id == order.seller.account_id
    assert Trace.objects.filter(trace_name="payOrder", resource_id=order.number).count() == 1
    assert books_are_right()


def test_a_second_click_and_a_second_tab_pay_once(rich: Persona, order: Order) -> None:
    orders.pay(rich, order, at=AT, key="form-key-0001")
    assert orders.pay(rich, order, at=AT, key="form-key-0001").pk == order.pk
    refusal("order_already_paid", rich, order, at=AT)
    assert Payment.objects.count() == 1


def test_the_last_second_of_the_window_pays_and_the_next_does_not(rich: Persona) -> None:
    first = orders.place(rich, catalog.saas_product(), at=AT)
    second = orders.place(rich, catalog.saas_product(), at=AT)
    orders.pay(rich, first, at=DUE - timedelta(seconds=1))
    refused = refusal("order_not_payable", rich, second, at=DUE)
    assert refused.params["state"] == "Canceled"
    assert Payment.objects.count() == 1


def test_credit_pays_within_its_limit(rich: Persona, order: Order) -> None:
    billing.grant(rich.account, 70)
    orders.pay(rich, order, at=AT, method="credit")
    order.refresh_from_db()
    assert order.paid_by == PaidBy.CREDIT
    more = orders.place(rich, catalog.saas_product(), at=AT)
    refusal("credit_too_low", rich, more, at=AT, method="credit")
    more.refresh_from_db()
    assert more.state == OrderState.PENDING_PAYMENT


def test_a_balance_that_does_not_cover_is_refused_and_changes_nothing(buyer: Persona) -> None:
    billing.fund(buyer.account, "69.99")
    order = orders.place(buyer, catalog.saas_product(), at=AT, quantity="7")
    refusal("balance_too_low", buyer, order, at=AT)
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT
    assert not Payment.objects.exists()


@pytest.mark.parametrize("method", ["card", "reseller", "nothing", ""])
def test_only_balance_and_credit_pay_at_once(rich: Persona, order: Order, method: str) -> None:
    refusal("payment_method_unknown", rich, order, at=AT, method=method)


def test_a_stranger_does_not_learn_that_the_order_exists(stranger: Persona, order: Order) -> None:
    with pytest.raises(Missing):
        orders.pay(stranger, order, at=AT)


def test_a_denied_clerk_may_not_pay(rich: Persona, clerk: Persona, order: Order) -> None:
    assert refusal("iam_denied", clerk, order, at=AT).params["policy"] == "no-orders"


def test_a_canceled_order_is_never_paid(rich: Persona, order: Order) -> None:
    cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=order.number)
    refusal("order_not_payable", rich, order, at=AT)


def test_content_is_completed_and_earned_at_once(rich: Persona) -> None:
    order = orders.bought(rich, catalog.content_product(), at=AT)
    assert order.state == OrderState.COMPLETED
    money = order_money(order.number)
    assert (str(money.held), str(money.earned)) == ("USD 0.00", "USD 300.00")


# By card


def by_card(persona: Persona, order: Order, token: str = "sandbox-approved", *, at: datetime = AT) -> Payment:
    card = billing.card(persona.account, token=token)
    return card_paying.pay_by_card(persona.call(at=at, key=pages.new_key()), order_number=order.number, card=card.code)


def test_an_approved_card_pays(rich: Persona, order: Order) -> None:
    assert by_card(rich, order).state == "succeeded"
    order.refresh_from_db()
    assert (order.state, order.paid_by) == (OrderState.PROCESSING, PaidBy.CARD)
    assert orders.steps(order) == ["placed", "payment_started", "paid", "delivery_started"]
    assert str(order_money(order.number).held) == "USD 70.00"


def test_a_declined_card_leaves_the_order_to_be_paid_otherwise(rich: Persona, order: Order) -> None:
    assert by_card(rich, order, "sandbox-declined").state == "failed"
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT
    assert orders.steps(order) == ["placed", "payment_started", "payment_failed"]
    orders.pay(rich, order, at=AT)
    assert str(order_money(order.number).paid) == "USD 70.00"


def test_while_the_card_is_being_checked_nothing_else_pays(rich: Persona, order: Order) -> None:
    assert by_card(rich, order, "sandbox-timeout").state == "pending"
    refusal("payment_in_progress", rich, order, at=AT)
    settling_cards.settle_payments(AT + timedelta(hours=1))
    order.refresh_from_db()
    assert (order.state, order.paid_by) == (OrderState.PROCESSING, PaidBy.CARD)
    assert SandboxCharge.objects.count() == 1


@pytest.mark.parametrize("asked", [False, True])
def test_a_process_that_dies_between_the_phases_loses_and_doubles_nothing(
    rich: Persona, order: Order, asked: bool
) -> None:
    card = billing.card(rich.account)
    payment = card_paying.start_card_payment(rich.call(at=AT, key=pages.new_key()), order=order.number, card=card.code)
    if asked:
        billing_paying.ask_gateway(payment, at=AT)
    # The process died here; the sweep comes along, twice.
    settling_cards.settle_payments(AT + timedelta(hours=1))
    settling_cards.settle_payments(AT + timedelta(hours=2))
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    assert SandboxCharge.objects.count() == Charge.objects.count() == 1
    assert card_paying.confirm_card_payment(system_call(at=AT), payment=payment.number).state == "succeeded"
    assert books_are_right()


def test_money_that_arrives_for_a_canceled_order_is_refunded_and_traced(rich: Persona, order: Order) -> None:
    by_card(rich, order, "sandbox-timeout")
    cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=order.number)
    settling_cards.settle_payments(AT + timedelta(hours=1))
    settling_cards.settle_payments(AT + timedelta(hours=2))
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert Refund.objects.get().amount == Decimal("70.00")
    assert Trace.objects.filter(trace_name="refundLatePayment", account_id=rich.account.pk).count() == 1
    assert Message.objects.get(kind="order_paid_too_late").account_id == rich.account.pk
    assert books_are_right()


def test_only_the_platform_confirms_a_payment(rich: Persona, order: Order) -> None:
    payment = by_card(rich, order, "sandbox-timeout")
    with pytest.raises(Refused) as caught:
        card_paying.confirm_card_payment(rich.call(at=AT), payment=payment.number)
    assert caught.value.code == "role_not_allowed"


def test_what_a_card_has_paid_is_booked_even_for_who_lost_the_right_meanwhile(
    rich: Persona, colleague: Persona, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = billing_paying.ask_gateway

    def ask_and_deny(payment: Payment, **fields: object) -> Payment:
        identity.deny(call.user, "marketplace:order:create")
        return ask(payment, **fields)  # type: ignore[arg-type]

    card = billing.card(rich.account)
    call = colleague.call(at=AT, key=pages.new_key())
    monkeypatch.setattr(billing_paying, "ask_gateway", ask_and_deny)
    assert card_paying.pay_by_card(call, order_number=order.number, card=card.code).state == "succeeded"
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    trace = Trace.objects.get(trace_name="confirmCardPayment")
    assert (trace.trace_type, trace.user_name, trace.account_id) == ("SystemAction", "colleague", rich.account.pk)


def test_nothing_due_is_never_charged(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product(trial_days=7), at=AT, trial="1")
    with pytest.raises(Refused) as caught:
        paying.pay_order(rich.call(at=AT, key=pages.new_key()), order=order.number, method="balance")
    assert caught.value.code == "order_already_paid"
    assert not Charge.objects.exists()
