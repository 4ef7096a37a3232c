"""Stripe through its library, against a server that speaks its protocol."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.urls import reverse

from audit.models import Trace
from billing import queries
from billing.gateways import Stuck, Unclear, UnderWay
from billing.gateways.stripe import StripeGateway, minor_units
from billing.models import Card, Payment
from billing.operations import checking, closing, paying, settling_cards, topping_up
from billing.states import PaymentState, RefundDestination, RefundState
from koogallery import clock
from koogallery.identity.states import OperatorRole
from koogallery.kernel import guard
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from tests.billing.stripe_stand_in import StripeStandIn
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.personas import make_operator


@pytest.fixture
def stripe_server(settings):
    server = StripeStandIn()
    settings.CARD_GATEWAY = "stripe"
    settings.STRIPE_API_KEY = "sk_test_stand_in"
    settings.STRIPE_ADDRESS = server.address
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def finance(db):
    return make_operator(OperatorRole.FINANCE)


def charge(token="pm_good", key="PY1", amount=usd("12.34")):
    return StripeGateway().charge(key=key, token=token, customer_token="cus_1", amount=amount, description="Harbor")


def test_a_charge_is_a_confirmed_payment_intent_under_the_payments_number(stripe_server):
    answer = charge()
    assert (answer.approved, answer.reference) == (True, "pi_1")
    path, form, key = stripe_server.requests[0]
    assert (path, key) == ("/v1/payment_intents", "PY1")
    assert (form["amount"], form["currency"], form["confirm"]) == ("1234", "usd", "true")
    assert (form["customer"], form["payment_method"]) == ("cus_1", "pm_good")


@pytest.mark.parametrize(
    ("amount", "currency", "units"), [("12.34", "USD", 1234), ("500", "JPY", 500), ("1.234", "KWD", 1234)]
)
def test_amounts_are_sent_in_the_smallest_unit(amount, currency, units):
    assert minor_units(Money(Decimal(amount), currency)) == units


@pytest.mark.parametrize(("token", "failure"), [("pm_bad", "card_declined"), ("pm_present", "requires_action")])
def test_a_card_that_does_not_pay_at_once_is_declined(stripe_server, token, failure):
    answer = charge(token)
    assert (answer.approved, answer.failure) == (False, failure)
    assert stripe_server.charged == 0


@pytest.mark.parametrize("misbehave", ["500", "drop"])
@pytest.mark.parametrize("customer", ["cus_1", ""])
def test_a_charge_whose_answer_got_lost_is_found_by_the_payments_number(stripe_server, misbehave, customer):
    charge(key="PY0")
    stripe_server.misbehave = misbehave
    with pytest.raises(Unclear):
        StripeGateway().charge(
            key="PY1", token="pm_good", customer_token=customer, amount=usd("12.34"), description="Harbor"
        )
    stripe_server.misbehave = ""
    found = StripeGateway().find_charge(key="PY1", reference="", customer_token=customer)
    assert (found.approved, found.reference) == (True, "pi_2")
    assert StripeGateway().find_charge(key="PY2", reference="", customer_token=customer) is None


def test_a_payment_under_way_at_the_bank_is_retrieved_by_its_reference(stripe_server):
    with pytest.raises(UnderWay) as unclear:
        charge("pm_slow")
    assert unclear.value.reference == "pi_1"
    stripe_server.intents[0]["status"] = "succeeded"
    found = StripeGateway().find_charge(key="PY1", reference="pi_1", customer_token="cus_1")
    assert (found.approved, found.reference) == (True, "pi_1")


def test_a_lost_refusal_is_found_as_a_refusal(stripe_server):
    stripe_server.misbehave = "500"
    with pytest.raises(Unclear):
        charge("pm_bad")
    stripe_server.misbehave = ""
    assert not StripeGateway().find_charge(key="PY1", reference="", customer_token="cus_1").approved


def test_refunds_are_partial_and_found_by_their_number(stripe_server):
    gateway = StripeGateway()
    assert gateway.find_refund(key="RF1", charge_reference="pi_1", reference="") is None
    assert gateway.refund(key="RF1", reference="pi_1", amount=usd(5)).approved
    stripe_server.all_refunds[0]["status"] = "failed"
    found = gateway.find_refund(key="RF1", charge_reference="pi_1", reference="")
    assert (found.approved, found.reference, found.failure) == (False, "re_1", "failed")
    assert gateway.find_refund(key="RF1", charge_reference="pi_2", reference="") is None


def test_what_was_refunded_already_is_for_a_person_to_look_at(stripe_server):
    with pytest.raises(Stuck, match="charge_already_refunded"):
        StripeGateway().refund(key="RF2", reference="pi_gone", amount=usd(5))


@pytest.mark.django_db
def test_a_card_is_entered_at_stripe_and_pays(stripe_server, buyer):
    stripe_server.account = buyer.account.number
    page = buyer.client.post(reverse("billing:add_card"), {"next": reverse("billing:top_up")})
    assert f'href="{stripe_server.address}/pay"' in page.content.decode()
    response = buyer.client.get(reverse("billing:card_entered"), {"reference": "cs_done"})
    assert response["Location"] == reverse("billing:top_up")
    card = Card.objects.get()
    assert (card.gateway, card.token, card.customer_token) == ("stripe", "pm_new", "cus_1")
    assert (str(card), card.expires) == ("Visa •••• 4242", "04/2031")


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["not entered", "another account"])
def test_a_card_that_was_not_entered_for_this_account_is_not_added(stripe_server, buyer, fault):
    stripe_server.account = buyer.account.number if fault == "not entered" else "someone-else"
    reference = "cs_open" if fault == "not entered" else "cs_done"
    buyer.client.get(reverse("billing:card_entered"), {"reference": reference})
    assert not Card.objects.exists()


@pytest.mark.django_db
def test_a_top_up_whose_answer_got_lost_is_booked_once_by_the_sweep(stripe_server, buyer):
    card = money.card(buyer.account, gateway="stripe", token="pm_good")
    stripe_server.misbehave = "drop"
    payment = topping_up.top_up(buyer.call(), amount=usd(20), card=card.code)
    assert payment.state == PaymentState.PENDING
    stripe_server.misbehave = ""
    settling_cards.settle_payments(payment.next_try_at)
    payment.refresh_from_db()
    assert payment.state == PaymentState.SUCCEEDED
    assert queries.balance(buyer.account.pk) == usd(20)
    assert stripe_server.charged == 2000


def slow_top_up(buyer, **fields):
    """A top-up that the bank has not decided on."""
    card = money.card(buyer.account, gateway="stripe", token="pm_slow", **fields)
    payment = topping_up.top_up(buyer.call(), amount=usd(20), card=card.code)
    assert (payment.state, payment.gateway_reference) == (PaymentState.PENDING, "pi_1")
    return payment


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, 1, 3])
def test_the_outcome_of_a_payment_under_way_is_learned_however_late_and_it_is_charged_once(stripe_server, buyer, days):
    payment = slow_top_up(buyer)
    for _ in range(15):
        payment.refresh_from_db()
        settling_cards.settle_payments(payment.next_try_at)
    payment.refresh_from_db()
    assert (payment.state, payment.parked_at) == (PaymentState.PENDING, None)
    stripe_server.forget_keys()
    stripe_server.intents[0]["status"] = "succeeded"
    settling_cards.settle_payments(payment.next_try_at + timedelta(days=days))
    payment.refresh_from_db()
    assert (payment.state, queries.balance(buyer.account.pk)) == (PaymentState.SUCCEEDED, usd(20))
    assert (len(stripe_server.intents), stripe_server.charged) == (1, 2000)


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "charged"), [(22, 2000), (23, 0)])
def test_a_payment_whose_key_may_be_forgotten_is_not_charged_but_parked(stripe_server, buyer, finance, hours, charged):
    card = money.card(buyer.account, gateway="stripe", token="pm_good")
    payment = topping_up.start_top_up(buyer.call(), amount=usd(20), card=card.code)
    settling_cards.settle_payments(payment.created_at + timedelta(hours=hours))
    payment.refresh_from_db()
    assert stripe_server.charged == charged
    assert (payment.parked_at is None, payment.state == PaymentState.SUCCEEDED) == (bool(charged), bool(charged))
    if not charged:
        closing.retry_payment(finance.call(at=payment.created_at + timedelta(hours=30)), payment=payment.number)
        settling_cards.settle_payments(payment.created_at + timedelta(hours=30))
        assert stripe_server.intents == []


@pytest.mark.django_db
@pytest.mark.parametrize("ends", ["succeeded", "failed"])
def test_a_refund_under_way_is_asked_about_until_it_has_ended(stripe_server, buyer, ends):
    part = card_refund(stripe_server, buyer, status="pending")
    for _ in range(15):
        settling_cards.settle_refunds(part.next_try_at)
        part.refresh_from_db()
    assert (part.state, part.gateway_reference, part.parked_at) == (RefundState.PENDING, "re_1", None)
    stripe_server.all_refunds[0]["status"] = ends
    stripe_server.forget_keys()
    settling_cards.settle_refunds(part.next_try_at)
    part.refresh_from_db()
    expected = RefundDestination.CARD if ends == "succeeded" else RefundDestination.BALANCE
    assert (part.state, part.destination) == (RefundState.DONE, expected)
    assert queries.balance(buyer.account.pk) == usd(0 if ends == "succeeded" else 5)
    assert len(stripe_server.all_refunds) == 1


@pytest.mark.django_db
def test_a_refund_whose_answer_got_lost_is_made_once_even_after_a_day(stripe_server, buyer):
    part = card_refund(stripe_server, buyer)
    stripe_server.misbehave = "drop"
    refund_key = f"{part.refund.number}-{part.pk}"
    with pytest.raises(Unclear):
        StripeGateway().refund(key=refund_key, reference=part.payment.gateway_reference, amount=part.money)
    stripe_server.misbehave = ""
    stripe_server.forget_keys()
    settling_cards.settle_refunds(part.next_try_at + timedelta(days=2))
    part.refresh_from_db()
    assert (part.state, part.gateway_reference, stripe_server.refunded) == (RefundState.DONE, "re_1", 500)


@pytest.mark.django_db
def test_a_refund_of_what_was_refunded_by_hand_is_parked_and_pays_nothing_out_twice(stripe_server, buyer):
    part = card_refund(stripe_server, buyer, reference="pi_gone")
    settling_cards.settle_refunds(part.next_try_at)
    part.refresh_from_db()
    assert (part.state, part.next_try_at) == (RefundState.PENDING, None)
    assert part.parked_at is not None
    assert queries.balance(buyer.account.pk) == usd(0)


def card_refund(stripe_server, buyer, *, status="succeeded", reference=""):
    """A refund of 5 of an order that was paid by card, due to be made."""
    card = money.card(buyer.account, gateway="stripe", token="pm_good")
    with transaction.atomic(), guard.opened("test"):
        payment = paying.start_card(system_call(), subject=money.subject(buyer.account), amount=usd(20), card=card.code)
    payment = paying.ask_gateway(payment)
    with transaction.atomic(), guard.opened("test"):
        payment = paying.finish_card(system_call(), payment)
        if reference:
            Payment.objects.filter(pk=payment.pk).update(gateway_reference=reference)
    stripe_server.refund_status = status
    return money.refunded(payment, 5).parts.get()


# What operations close


@pytest.mark.django_db
def test_a_payment_is_not_closed_while_it_is_under_way(stripe_server, buyer, finance):
    payment = slow_top_up(buyer)
    with pytest.raises(Refused) as refused:
        closing.close_payment(finance.call(), payment=payment.number)
    assert refused.value.code == "payment_in_progress"
    stripe_server.intents[0]["status"] = "canceled"
    with_answer = closing.close_payment(finance.call(), payment=payment.number)
    assert with_answer.state == PaymentState.FAILED


@pytest.mark.django_db
def test_closing_looks_once_more_and_never_charges(stripe_server, buyer, finance, support):
    card = money.card(buyer.account, gateway="stripe", token="pm_good")
    untouched = topping_up.start_top_up(buyer.call(), amount=usd(20), card=card.code)
    with pytest.raises(Refused):
        closing.close_payment(support.call(), payment=untouched.number)
    untouched.refresh_from_db()
    assert (untouched.parked_at, stripe_server.requests) == (None, [])
    closing.close_payment(finance.call(), payment=untouched.number)
    assert stripe_server.intents == []
    stripe_server.misbehave = "drop"
    lost = topping_up.top_up(buyer.call(), amount=usd(20), card=card.code)
    stripe_server.misbehave = ""
    with pytest.raises(Refused) as refused:
        closing.close_payment(finance.call(), payment=lost.number)
    assert refused.value.code == "payment_finished"
    settling_cards.settle_payments(clock.now() + timedelta(minutes=5))
    assert queries.balance(buyer.account.pk) == usd(20)


@pytest.mark.django_db
def test_money_that_was_taken_while_operations_closed_goes_to_the_balance_and_is_an_incident(
    stripe_server, buyer, finance, monkeypatch
):
    card = money.card(buyer.account, gateway="stripe", token="pm_good")
    payment = topping_up.start_top_up(buyer.call(), amount=usd(20), card=card.code)
    charge_card = StripeGateway.charge

    def close_meanwhile(self, **asked):
        closing.book_as_failed(finance.call(), payment=payment.number)
        return charge_card(self, **asked)

    monkeypatch.setattr(StripeGateway, "charge", close_meanwhile)
    for _ in range(2):
        paying.ask_gateway(payment)
    topping_up.finish(buyer.call(), payment)
    payment.refresh_from_db()
    assert (payment.state, payment.failure) == (PaymentState.FAILED, "approved_after_closing")
    assert queries.balance(buyer.account.pk) == usd(20)
    arrived = Payment.objects.exclude(pk=payment.pk).get()
    assert (arrived.state, arrived.note, arrived.gateway_reference) == (PaymentState.SUCCEEDED, payment.number, "pi_1")
    incident = Trace.objects.get(trace_rating="incident")
    assert (incident.resource_id, incident.account_id) == (payment.number, buyer.account.pk)
    assert checking.check_ledger(system_call()).findings == []
