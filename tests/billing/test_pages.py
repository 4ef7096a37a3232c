"""The Billing Center's pages, as a buyer, a denied clerk, a stranger and a reseller's customer meet them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import queries
from billing.models import Card, Payment
from billing.states import PaymentState
from koogallery import clock
from koogallery.kernel import guard
from koogallery.kernel.pages import new_key
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.identity import deny

pytestmark = pytest.mark.django_db

PAGES = ["overview", "top_up", "statements", "cards", "sandbox_card", "bills"]


def text_of(response):
    return response.content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_for_an_account_without_anything(buyer, name):
    response = buyer.client.get(reverse(f"billing:{name}"))
    assert response.status_code == 200
    assert "<h1" in text_of(response)


@pytest.mark.parametrize("name", PAGES)
def test_nobody_sees_a_page_without_signing_in(client, db, name):
    response = client.get(reverse(f"billing:{name}"))
    assert response.status_code == 302
    assert "/sign-in/" in response["Location"]


def test_the_overview_shows_what_there_is(buyer):
    money.fund(buyer.account, 500)
    payment = money.paid(buyer.account, 120, description="Harbor ERP")
    card = money.card(buyer.account, is_default=True)
    page = text_of(buyer.client.get(reverse("billing:overview")))
    assert "USD 500.00" in page.replace("\xa0", " ")
    assert "USD 120.00" in page.replace("\xa0", " ")
    assert "Harbor ERP" in page
    assert payment.number in page
    assert card.last_digits in page


def test_a_card_is_added_through_the_sandbox_and_tops_up(buyer):
    response = buyer.client.post(reverse("billing:add_card"), {"next": reverse("billing:top_up")})
    assert response["Location"].startswith(reverse("billing:sandbox_card"))
    response = buyer.client.post(response["Location"], {"reference": "sandbox-approved"})
    assert response["Location"] == reverse("billing:top_up")
    card = Card.objects.get()
    assert (card.account, card.is_default, card.last_digits) == (buyer.account, True, "4242")
    form = {"amount": "250.00", "card": card.code, "idempotency_key": new_key()}
    for _ in range(2):
        response = buyer.client.post(reverse("billing:top_up"), form)
        assert response.status_code == 302
    assert queries.balance(buyer.account.pk) == usd(250)
    assert Payment.objects.count() == 1
    assert "USD 250.00" in text_of(buyer.client.get(reverse("billing:top_up"))).replace("\xa0", " ")


def test_a_page_elsewhere_is_no_place_to_go_on_to(buyer):
    buyer.client.post(reverse("billing:add_card"), {"next": "https://elsewhere.example/"})
    response = buyer.client.post(reverse("billing:sandbox_card"), {"reference": "sandbox-approved"})
    assert response["Location"] == reverse("billing:cards")


def test_a_declined_card_says_so_and_nothing_is_added(buyer):
    card = money.card(buyer.account, token="sandbox-declined")
    form = {"amount": "250", "card": card.code, "idempotency_key": new_key()}
    response = buyer.client.post(reverse("billing:top_up"), form, follow=True)
    assert "The card was declined" in text_of(response)
    assert queries.balance(buyer.account.pk) == usd(0)
    assert Payment.objects.get().state == PaymentState.FAILED


@pytest.mark.parametrize(
    ("amount", "sentence"), [("0", "greater than"), ("0.001", "more digits than USD"), ("1000001", "at most USD")]
)
def test_an_amount_that_cannot_be_topped_up_is_said_at_the_field(buyer, amount, sentence):
    card = money.card(buyer.account)
    response = buyer.client.post(reverse("billing:top_up"), {"amount": amount, "card": card.code})
    assert response.status_code == 200
    assert sentence in text_of(response)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("amount", ["0.01", "8.50", "50", "250"])
def test_a_browser_takes_every_amount_that_the_currency_has(buyer, amount):
    money.card(buyer.account)
    field = re.search(r'<input[^>]*name="amount"[^>]*>', text_of(buyer.client.get(reverse("billing:top_up"))))
    given = dict(re.findall(r'(\w+)="([^"]*)"', field.group()))
    assert Decimal(amount) >= Decimal(given["min"])
    assert (Decimal(amount) - Decimal(given["min"])) % Decimal(given["step"]) == 0  # how HTML counts steps


def test_a_strangers_card_cannot_be_used_or_removed(buyer, stranger):
    card = money.card(buyer.account)
    response = stranger.client.post(reverse("billing:top_up"), {"amount": "5", "card": card.code})
    assert response.status_code == 200
    for name in ("remove_card", "set_default_card"):
        assert stranger.client.post(reverse(f"billing:{name}", args=[card.code])).status_code == 404
    card.refresh_from_db()
    assert card.removed_at is None


def test_removing_the_default_card_passes_the_default_on(buyer):
    first, second = money.card(buyer.account, is_default=True), money.card(buyer.account)
    buyer.client.post(reverse("billing:remove_card", args=[first.code]))
    second.refresh_from_db()
    assert [card.code for card in queries.cards(buyer.account.pk)] == [second.code]
    assert second.is_default
    buyer.client.post(reverse("billing:set_default_card", args=[second.code]))
    assert queries.cards(buyer.account.pk)[0].is_default


def test_bills_list_charges_and_refunds_and_export_them(buyer):
    payment = money.paid(
        buyer.account, 120, description="=Harbor ERP", project_code="", tags={"team": "a", "cost": "7"}
    )
    money.refunded(payment, 20)
    page = text_of(buyer.client.get(reverse("billing:bills"))).replace("\xa0", " ")
    assert "USD 120.00" in page
    assert "USD -20.00" in page
    export = b"".join(buyer.client.get(reverse("billing:bills"), {"export": "csv"})).decode()
    assert payment.number in export
    assert "cost=7, team=a" in export
    assert ",=Harbor" not in export


def test_bills_take_the_same_queries_for_one_and_for_thirty(buyer):
    money.paid(buyer.account, 1)
    buyer.client.get(reverse("billing:bills"))
    counts = []
    for more in (0, 29):
        for _ in range(more):
            money.paid(buyer.account, 1)
        with CaptureQueriesContext(connection) as queries_run:
            buyer.client.get(reverse("billing:bills"))
        counts.append(len([query for query in queries_run if "SAVEPOINT" not in query["sql"]]))
    assert counts[0] == counts[1]
    assert counts[1] <= 8


def test_a_bill_shows_to_its_account_alone(buyer, stranger):
    payment = money.paid(buyer.account, 120, description="Harbor ERP")
    address = reverse("billing:bill", args=[payment.number])
    assert "Harbor ERP" in text_of(buyer.client.get(address))
    assert stranger.client.get(address).status_code == 404


def test_a_denied_clerk_is_told_why(buyer, clerk):
    deny(clerk.user, "marketplace:bill:list", name="no-bills")
    response = clerk.client.get(reverse("billing:bills"))
    assert response.status_code == 403
    assert "no-bills" in text_of(response)


def test_an_iam_user_needs_an_allow_to_top_up(colleague):
    card = money.card(colleague.account)
    response = colleague.client.post(reverse("billing:top_up"), {"amount": "5", "card": card.code})
    assert "No policy allows" in text_of(response)
    assert not Payment.objects.exists()


def test_a_months_statement_adds_up(buyer):
    money.fund(buyer.account, 100)
    payment = money.paid(buyer.account, 60, description="Harbor ERP")
    money.refunded(payment, 10)
    today = clock.platform_date(clock.now())
    found = queries.month_statement(buyer.account, year=today.year, month=today.month)
    assert (found.opening, found.closing, found.total) == (usd(0), usd(110), usd(50))
    assert found.by_product == [("Harbor ERP", usd(50))]
    response = buyer.client.get(reverse("billing:statement", args=[today.year, today.month]))
    assert "USD 110.00" in text_of(response).replace("\xa0", " ")
    assert buyer.client.get(reverse("billing:statement", args=[2019, 13])).status_code == 404


def test_a_frozen_account_tops_up_and_reads(buyer):
    with guard.opened("test"):
        buyer.account.frozen_at, buyer.account.frozen_by = clock.now(), "operations"
        buyer.account.save()
    card = money.card(buyer.account)
    buyer.client.post(reverse("billing:top_up"), {"amount": "5", "card": card.code, "idempotency_key": new_key()})
    assert queries.balance(buyer.account.pk) == usd(5)
    assert buyer.client.get(reverse("billing:bills")).status_code == 200


def test_a_resellers_customer_is_told_who_pays(customer):
    assert "Your reseller pays" in text_of(customer.client.get(reverse("billing:overview")))
    money.card(customer.account)
    response = customer.client.post(
        reverse("billing:top_up"), {"amount": "5", "card": Card.objects.get().code, "idempotency_key": new_key()}
    )
    assert response.status_code == 200
    assert not Payment.objects.exists()
