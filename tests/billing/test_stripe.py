"""Stripe through its library, against a server that speaks its protocol."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from billing import queries
from billing.gateways import Unclear
from billing.gateways.stripe import StripeGateway, minor_units
from billing.models import Card
from billing.operations import settling_cards, topping_up
from billing.states import PaymentState
from koogallery.kernel.money import Money
from tests.billing.stripe_stand_in import StripeStandIn
from tests.factories import billing as money
from tests.factories.billing import usd


@pytest.fixture
def stripe_server(settings):
    server = StripeStandIn()
    settings.CARD_GATEWAY = "stripe"
    settings.STRIPE_API_KEY = "sk_test_stand_in"
    settings.STRIPE_ADDRESS = server.address
    yield server
    server.shutdown()
    server.server_close()


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
def test_an_answer_that_gets_lost_is_unclear_and_asking_again_charges_once(stripe_server, misbehave):
    stripe_server.misbehave = misbehave
    with pytest.raises(Unclear):
        charge()
    stripe_server.misbehave = ""
    assert charge().approved
    assert stripe_server.charged == 1234


def test_a_payment_under_way_at_the_bank_is_unclear(stripe_server):
    with pytest.raises(Unclear):
        charge("pm_slow")


def test_refunds_are_partial_and_may_be_refused(stripe_server):
    gateway = StripeGateway()
    assert gateway.refund(key="RF1", reference="pi_1", amount=usd(5)).approved
    assert not gateway.refund(key="RF2", reference="pi_gone", amount=usd(5)).approved
    assert stripe_server.refunded == 500


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
