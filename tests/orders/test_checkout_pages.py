"""The pages from the configured product to the result, as a browser without JavaScript walks them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from koogallery import clock
from koogallery.kernel import guard
from orders.models import Order
from orders.states import OrderState
from tests.factories import billing, catalog, identity, orders
from tests.personas import Persona

pytestmark = pytest.mark.django_db


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


def confirmation(client: Client, **data: str) -> str:
    response = client.get("/console/checkout/", data)
    assert response.status_code == 200, response.content.decode()[:2000]
    return response.content.decode()


def submit(client: Client, html: str, **fields: object) -> object:
    data = {"quote": hidden(html, "quote"), "idempotency_key": hidden(html, "idempotency_key"), **fields}
    return client.post("/console/checkout/", data)


def test_a_posted_configuration_comes_back_as_an_address_that_can_be_reloaded(rich: Persona) -> None:
    product = catalog.saas_product()
    posted = {
        "product": product.code,
        "attr_users": "7",
        "term": "1-year",
        "plan": "PERIOD",
        "idempotency_key": "x" * 20,
    }
    response = rich.client.post("/console/checkout/", posted)
    assert response.status_code == 302
    assert response["Location"] == f"/console/checkout/?product={product.code}&attr_users=7&term=1-year&plan=PERIOD"
    assert "USD 700.00" in rich.client.get(response["Location"]).content.decode()


def test_the_whole_way_from_configuration_to_result(rich: Persona) -> None:
    product = catalog.saas_product()
    html = confirmation(rich.client, product=product.code, attr_users="7")
    assert "USD 70.00" in html and "How is this calculated?" in html
    assert 'name="terms" id="id_terms">' in html
    response = submit(rich.client, html, terms="on")
    order = Order.objects.get()
    assert response["Location"] == f"/console/orders/{order.number}/pay/"
    page = rich.client.get(response["Location"]).content.decode()
    assert "Account balance (USD 10,000.00)" in page and "Confirm" in page
    response = rich.client.post(
        response["Location"], {"method": "balance", "idempotency_key": hidden(page, "idempotency_key")}
    )
    assert response["Location"] == f"/console/orders/{order.number}/result/"
    result = rich.client.get(response["Location"]).content.decode()
    assert order.number in result and "Back to KooGallery Console" in result
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING


def test_a_missing_tick_keeps_the_form_and_names_the_field(rich: Persona) -> None:
    product = catalog.saas_product(contact_data="email")
    html = confirmation(rich.client, product=product.code)
    assert rich.user.email in html
    response = submit(rich.client, html, consent="on")
    page = response.content.decode()
    assert response.status_code == 200
    assert 'href="#id_terms"' in page and "Accept the Terms and Conditions first." in page
    assert 'id="id_consent" checked' in page
    assert hidden(page, "quote").split(".")[0] == hidden(html, "quote").split(".")[0]
    assert not Order.objects.exists()


def test_a_changed_price_shows_old_and_new_side_by_side_and_the_new_one_goes_on(rich: Persona) -> None:
    product = catalog.saas_product()
    html = confirmation(rich.client, product=product.code)
    with guard.opened("test"):
        for sku in product.skus.all():
            for plan in sku.plans.all():
                plan.prices.update(unit_price=Decimal("11.00"))
    with clock.at(clock.now() + timedelta(minutes=31)):
        page = submit(rich.client, html, terms="on").content.decode()
        assert "USD 10.00" in page and "USD 11.00" in page and "The price has changed" in page
        assert submit(rich.client, page, terms="on").status_code == 302
    assert Order.objects.get().amount == Decimal("11.00")


def test_a_denied_clerk_sees_the_button_disabled_with_the_policy(rich: Persona, clerk: Persona) -> None:
    html = confirmation(clerk.client, product=catalog.saas_product().code)
    assert "no-orders" in html
    assert re.search(r'aria-disabled="true"[^>]*>Pay Now', html)
    assert "denies marketplace:order:create" in submit(clerk.client, html, terms="on").content.decode()
    assert not Order.objects.exists()


def test_a_resellers_customer_reads_that_the_amount_is_for_reference(customer: Persona) -> None:
    html = confirmation(customer.client, product=catalog.content_product().code)
    assert "for reference only; confirm the amount with your reseller" in html
    response = submit(customer.client, html, terms="on")
    assert response["Location"].endswith("/result/")


def test_without_a_payment_method_the_page_says_so_before_and_after(buyer: Persona) -> None:
    html = confirmation(buyer.client, product=catalog.saas_product().code)
    assert "No payment method yet" in html
    assert "Add a payment method first" in submit(buyer.client, html, terms="on").content.decode()


def test_tags_are_added_without_javascript_for_pay_per_use(rich: Persona) -> None:
    identity.TagFactory(account=rich.account, key="team", value="blue")
    html = confirmation(rich.client, product=catalog.pay_per_use_product().code)
    assert "Enable Now" in html
    page = submit(rich.client, html, add_tag="1", terms="on").content.decode()
    assert 'name="tag_key" value=""' in page and '<option value="team">' in page
    assert 'id="id_terms" checked' in page
    page = submit(rich.client, page, tag_key="bad key", tag_value="x", terms="on").content.decode()
    assert 'name="tag_key" value="bad key"' in page and 'href="#id_tags"' in page
    assert submit(rich.client, page, tag_key="team", tag_value="blue", terms="on").status_code == 302
    assert Order.objects.get().tags == {"team": "blue"}


def test_a_project_is_chosen_with_default_first(rich: Persona) -> None:
    project = identity.ProjectFactory(account=rich.account, name="research")
    html = confirmation(rich.client, product=catalog.saas_product().code)
    assert html.index(">default<") < html.index(">research<")
    submit(rich.client, html, terms="on", project=project.code)
    assert Order.objects.get().project_code == project.code


def test_a_tampered_quote_is_refused_with_its_reason(rich: Persona) -> None:
    html = confirmation(rich.client, product=catalog.saas_product().code)
    response = rich.client.post("/console/checkout/", {"quote": hidden(html, "quote") + "A", "terms": "on"})
    assert response.status_code == 409
    assert "quote_invalid" in response.content.decode()


def test_a_configuration_that_is_not_sold_says_why(rich: Persona) -> None:
    response = rich.client.get("/console/checkout/", {"product": catalog.saas_product().code, "term": "7-month"})
    assert response.status_code == 409
    assert "term_not_sold" in response.content.decode()


def test_an_unknown_product_and_one_off_sale_are_not_found(rich: Persona) -> None:
    assert rich.client.get("/console/checkout/", {"product": "nothing"}).status_code == 404
    assert rich.client.get("/console/checkout/").status_code == 404
    hidden_product = catalog.saas_product(state="hidden")
    assert rich.client.get("/console/checkout/", {"product": hidden_product.code}).status_code == 404


def test_a_visitor_signs_in_first_and_comes_back_to_the_configuration(client: Client) -> None:
    response = client.get("/console/checkout/", {"product": "anything", "attr_users": "7"})
    assert response.status_code == 302
    assert "attr_users%3D7" in response["Location"]


def test_a_declined_card_stays_on_the_page_with_the_reason(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    card = billing.card(rich.account, token="sandbox-declined")
    response = rich.client.post(f"/console/orders/{order.number}/pay/", {"method": f"card:{card.code}"})
    assert response.status_code == 200
    assert "The card was declined" in response.content.decode()


def test_a_card_without_an_answer_shows_a_page_that_asks_again(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    card = billing.card(rich.account, token="sandbox-timeout")
    address = f"/console/orders/{order.number}/pay/"
    response = rich.client.post(address, {"method": f"card:{card.code}"})
    result = rich.client.get(response["Location"])
    assert "The card payment is being checked" in result.content.decode()
    fragment = rich.client.get(response["Location"], headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div class="panel" id="outcome"')


def test_the_payment_page_of_a_paid_order_leads_to_its_result(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product())
    assert rich.client.get(f"/console/orders/{order.number}/pay/")["Location"].endswith("/result/")


def test_a_late_order_cannot_be_paid_and_offers_the_same_again(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product(), quantity="7")
    with clock.at(clock.now() + timedelta(hours=25)):
        page = rich.client.get(f"/console/orders/{order.number}/pay/").content.decode()
    assert "can no longer be paid" in page and "attr_users=7" in unescape(page)


@pytest.mark.parametrize("page", ["", "pay/", "result/", "cancel/"])
def test_a_stranger_finds_nothing(rich: Persona, stranger: Persona, page: str) -> None:
    order = orders.place(rich, catalog.saas_product())
    assert stranger.client.get(f"/console/orders/{order.number}/{page}").status_code == 404
    assert stranger.client.post(f"/console/orders/{order.number}/{page}").status_code in (404, 405)
