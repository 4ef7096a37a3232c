"""Exclusive Offers, its details, and the Pricing tab with an offer: what is shown, to whom, and at what cost."""

from __future__ import annotations

import csv
import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from catalog.models import PrivateOffer, Product
from catalog.operations import offers as offering
from koogallery import clock
from koogallery.kernel import guard, pagecache, pages
from tests.factories import billing, catalog, identity, orders
from tests.factories.offers import (
    draft_offer,
    make_postpaid,
    one_time_product,
    order_by_offer,
    sent_offer,
)
from tests.factories.supervision import seller_of
from tests.personas import Persona
from tests.queries import own_queries

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
FORM = {"attr_users": "10", "term": "1-year", "plan": "PERIOD"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(db: None) -> Product:
    """SaaS at USD 10.00 a user and month, USD 100.00 a user and year."""
    return catalog.saas_product(name="Nimbus Wiki", trial_days=7)


@pytest.fixture
def offer(buyer: Persona, product: Product) -> PrivateOffer:
    """10 % off ten users for a year."""
    billing.fund(buyer.account, 10_000)
    return sent_offer(buyer.account, product, at=AT, form=FORM, name="Spring deal", note="As we agreed\nby telephone")


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ").split())


def shown(persona: Persona, address: str, *, at: datetime = AT, **query: str) -> str:
    with clock.at(at):
        response = persona.client.get(address, query)
    assert response.status_code == 200, response.content.decode()[:500]
    return str(response.content.decode())


def pricing(persona: Persona, offer: PrivateOffer, *, at: datetime = AT, **query: str) -> str:
    address = offer.product.get_absolute_url()
    return shown(persona, address, at=at, tab="pricing", offer=offer.number, **query)


# The list


def each_state(buyer: Persona, product: Product) -> dict[str, PrivateOffer]:
    """An offer in each state that its buyer can see, and a draft that it cannot."""
    vendor = seller_of(product)
    made = {
        name: sent_offer(buyer.account, product, at=AT, form=FORM, name=f"{name} offer", **fields)
        for name, fields in {
            "in_effect": {},
            "scheduled": {"valid_from": "2026-05-20", "valid_to": "2026-05-25"},
            "reserved": {},
            "used": {},
            "expired": {"valid_to": "2026-03-12"},
            "withdrawn": {},
        }.items()
    }
    draft_offer(buyer.account, product, at=AT, form=FORM, name="draft offer")
    order_by_offer(buyer, made["reserved"], at=LATER - timedelta(hours=1))
    orders.pay(buyer, order_by_offer(buyer, made["used"], at=AT), at=AT)
    offering.withdraw(vendor.call(at=AT, key=pages.new_key()), offer=made["withdrawn"].number)
    return made


LATER = datetime.fromisoformat("2026-03-13T00:00:00+08:00")


def test_tabs_show_offers_by_the_state_of_the_moment_with_counts(
    buyer: Persona, product: Product, stranger: Persona
) -> None:
    billing.fund(buyer.account, 10_000)
    made = each_state(buyer, product)
    sent_offer(stranger.account, product, at=AT, form=FORM, name="foreign offer")
    everything = shown(buyer, "/console/offers/", at=LATER)
    assert "draft offer" not in everything and "foreign offer" not in everything
    for label in ("In effect", "Scheduled", "Reserved", "Used", "Expired", "Withdrawn"):
        assert f'{label} <span class="tab-count">1</span>' in everything
    for name in made:
        page = shown(buyer, "/console/offers/", at=LATER, tab=name)
        assert [other for other in made if f"{other} offer" in page] == [name]


def test_a_row_offers_use_now_only_while_it_can_be_used_and_leads_to_its_order(
    buyer: Persona, product: Product
) -> None:
    billing.fund(buyer.account, 10_000)
    made = each_state(buyer, product)
    use = f"/products/{product.slug}/?tab=pricing&amp;offer={made['in_effect'].number}"
    assert use in shown(buyer, "/console/offers/", tab="in_effect")
    scheduled = shown(buyer, "/console/offers/", tab="scheduled")
    assert "takes effect on May 20, 2026" in scheduled and "offer=PO" not in scheduled
    for name in ("reserved", "used"):
        [use_of] = made[name].orders.all()
        page = shown(buyer, "/console/offers/", tab=name)
        assert f'href="/console/orders/{use_of.order_number}/"' in page and "Use Now" not in page
    for name in ("expired", "withdrawn"):
        assert "Use Now" not in shown(buyer, "/console/offers/", at=LATER, tab=name)


def test_a_clerk_who_may_not_order_sees_why_use_now_is_disabled(clerk: Persona, offer: PrivateOffer) -> None:
    page = shown(clerk, "/console/offers/")
    assert "no-orders" in page and f"offer={offer.number}" not in page
    assert "no-orders" in shown(clerk, offer.get_absolute_url())


def test_the_list_is_searched_filtered_and_exported(buyer: Persona, offer: PrivateOffer) -> None:
    make_postpaid(buyer.account)
    other = sent_offer(buyer.account, one_time_product(name="Migration"), at=AT, shares=["50", "50"], name="=Deal")
    for query, found in (
        ({"q": "nimbus"}, offer),
        ({"q": offer.number}, offer),
        ({"q": "migration"}, other),
        ({"payment": "milestones"}, other),
        ({"payment": "once"}, offer),
    ):
        page = shown(buyer, "/console/offers/", **query)
        missing = other if found is offer else offer
        assert found.number in page and missing.number not in page
    with clock.at(AT):
        response = buyer.client.get("/console/offers/?export=csv&sort=name")
        rows = list(csv.reader(b"".join(response.streaming_content).decode("utf-8-sig").splitlines()))
    assert len(rows) == 3
    assert any("USD 900.00" in row for row in rows) and "'=Deal" in rows[1]


def test_both_empty_states(buyer: Persona, offer: PrivateOffer, stranger: Persona) -> None:
    assert "No exclusive offers yet" in shown(stranger, "/console/offers/")
    assert "Clear filters" in shown(buyer, "/console/offers/", q="nothing like it")


def queries(persona: Persona, address: str) -> int:
    with clock.at(AT):
        persona.client.get(address)
        with CaptureQueriesContext(connection) as caught:
            assert persona.client.get(address).status_code == 200
    return len(own_queries(caught))


def test_a_list_costs_the_same_for_one_offer_and_for_thirty(
    buyer: Persona, product: Product, offer: PrivateOffer
) -> None:
    one = queries(buyer, "/console/offers/")
    for _ in range(29):
        sent_offer(buyer.account, product, at=AT, form=FORM)
    assert queries(buyer, "/console/offers/?size=50") == one <= 8


def test_list_and_details_are_traced_reads_and_the_first_look_is_kept(buyer: Persona, offer: PrivateOffer) -> None:
    shown(buyer, "/console/offers/")
    offer.refresh_from_db()
    assert offer.opened_at is None
    shown(buyer, offer.get_absolute_url())
    shown(buyer, offer.get_absolute_url(), at=AT + timedelta(hours=1))
    assert Trace.objects.filter(trace_name="queryPrivateOfferList", read_only=True).count() == 1
    details = Trace.objects.filter(trace_name="queryPrivateOfferDetail", read_only=True)
    assert {trace.resource_id for trace in details} == {offer.number} and details.count() == 2
    offer.refresh_from_db()
    assert offer.opened_at == AT


def test_the_navigation_groups_discounts(buyer: Persona, offer: PrivateOffer) -> None:
    html = shown(buyer, "/console/offers/")
    text = text_of(html)
    assert "Discounts Exclusive Offers" in text and "Exclusive Offers 1" in text
    assert re.search(r'aria-current="page"[^>]*>.{0,400}Exclusive Offers', html, re.DOTALL)


# The details


def test_the_details_show_every_term(buyer: Persona, offer: PrivateOffer) -> None:
    text = text_of(shown(buyer, offer.get_absolute_url()))
    for part in (
        "Spring deal", offer.number, "In effect", "Nimbus Wiki", offer.seller.name, "10 users", "1 year", "10 % off",
        "USD 1,000.00", "− USD 100.00", "USD 900.00", "Mar 10, 2026 00:00:00 GMT+08:00",
        "Apr 09, 2026 23:59:59 GMT+08:00", "0 of 1", "As we agreed", "by telephone", "Use Now",
        f"http://testserver{offer.get_link()}",
    ):  # fmt: skip
        assert part in text, part


def test_the_details_show_the_milestones(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    offer = sent_offer(buyer.account, one_time_product(), at=AT, share="1", shares=["33.33", "33.33", "33.34"])
    text = text_of(shown(buyer, offer.get_absolute_url()))
    for part in (
        "Paid in 3 milestones",
        "33.33 %",
        "USD 333.30",
        "33.34 %",
        "USD 333.40",
        "when you accept milestone 2",
    ):
        assert part in text


def test_a_used_offer_leads_from_its_details_to_the_order(buyer: Persona, offer: PrivateOffer) -> None:
    order = orders.pay(buyer, order_by_offer(buyer, offer, at=AT), at=AT)
    html = shown(buyer, offer.get_absolute_url())
    assert order.get_absolute_url() in html and "The offer has been used." in html
    assert offer.get_link() not in html


def test_nobody_else_finds_the_details(stranger: Persona, offer: PrivateOffer) -> None:
    assert stranger.client.get(offer.get_absolute_url()).status_code == 404
    assert seller_of(offer.product).client.get(offer.get_absolute_url()).status_code == 404


# The Pricing tab


def test_use_now_names_each_difference_and_shows_no_discount(buyer: Persona, offer: PrivateOffer) -> None:
    html = pricing(buyer, offer, attr_users="9", term="1-month")
    text = text_of(html)
    assert "Users is 9, the offer needs 10" in text
    assert "Required Duration is 1 month, the offer needs 1 year" in text
    assert "USD 90.00" in text and "Private offer" not in text and "USD 900.00" not in text


def test_one_button_applies_the_offer_s_values_without_javascript(buyer: Persona, offer: PrivateOffer) -> None:
    html = pricing(buyer, offer, attr_users="9")
    form = next(each for each in re.findall(r"<form.*?</form>", html, re.DOTALL) if "Use the offer" in each)
    values = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    assert values.pop("tab") == "pricing" and values.pop("offer") == offer.number
    text = text_of(pricing(buyer, offer, **values))
    assert "Your exclusive offer is linked" in text and "the offer needs" not in text
    assert "USD 1,000.00" in text and "USD 900.00" in text and "Private offer" in text


def test_continue_to_submit_carries_the_offer_to_the_confirmation_page(buyer: Persona, offer: PrivateOffer) -> None:
    html = pricing(buyer, offer, **FORM)
    start = html.index('id="configurator"')
    assert f'name="offer" value="{offer.number}"' in html[start : html.index("</form>", start)]
    text = text_of(shown(buyer, "/console/checkout/", product=offer.product.code, offer=offer.number, **FORM))
    assert "Private offer: Spring deal" in text and "USD 900.00" in text
    text = text_of(
        shown(
            buyer, "/console/checkout/", product=offer.product.code, offer=offer.number, **{**FORM, "attr_users": "8"}
        )
    )
    assert "Spring deal" not in text and "USD 800.00" in text and "Private offer" not in text


def test_the_live_price_keeps_the_offer(buyer: Persona, offer: PrivateOffer) -> None:
    address = f"/products/{offer.product.slug}/price/"
    with clock.at(AT):
        plain = buyer.client.get(address, {"offer": offer.number, **FORM})
        live = buyer.client.get(address, {"offer": offer.number, **FORM}, headers={"HX-Request": "true"})
    assert f"offer={offer.number}" in plain["Location"]
    assert "Your exclusive offer is linked" in live.content.decode()
    assert "no-store" in live["Cache-Control"]


def test_a_faulty_quantity_keeps_the_button(buyer: Persona, offer: PrivateOffer) -> None:
    html = pricing(buyer, offer, attr_users="9999999")
    assert "This configuration is not the offer" in html and "Use the offer's values" in html


def test_a_lower_standing_discount_is_named_and_the_offer_left(buyer: Persona, offer: PrivateOffer) -> None:
    catalog.standing_discount(buyer.account, offer.product, share="0.80", valid_from=AT)
    text = text_of(pricing(buyer, offer, **FORM))
    assert "Another discount counts, since the offer gives no lower total." in text
    assert "USD 800.00" in text and "Standing discount: you pay 80%" in text


def test_an_offer_that_cannot_be_used_says_why_and_changes_no_price(buyer: Persona, offer: PrivateOffer) -> None:
    order_by_offer(buyer, offer, at=AT)
    text = text_of(pricing(buyer, offer, **FORM))
    assert "An order that is not paid yet holds the offer." in text and "USD 900.00" not in text
    text = text_of(pricing(buyer, sent_offer(buyer.account, offer.product, at=AT, form=FORM), at=LATER + timedelta(90)))
    assert "The offer expired on Apr 09, 2026" in text


def test_what_is_no_longer_sold_is_ordered_by_the_link(buyer: Persona, offer: PrivateOffer) -> None:
    with guard.opened("test"):
        for sku in offer.product.skus.all():
            for plan in sku.plans.filter(term_unit="year"):
                plan.prices.all().delete()
                plan.delete()
    html = pricing(buyer, offer, attr_users="10")
    assert "no longer sold in this configuration" in html and offer.get_link() in html
    assert "USD 900.00" in text_of(shown(buyer, offer.get_link()))


def test_milestones_are_linked_on_the_pricing_tab(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    offer = sent_offer(buyer.account, one_time_product(), at=AT, share="1", shares=["50", "50"])
    assert "Paid in 2 milestones." in text_of(pricing(buyer, offer))


def test_an_offer_of_another_account_or_product_shows_nothing(
    buyer: Persona, stranger: Persona, offer: PrivateOffer
) -> None:
    assert "offer" not in re.sub(r"[Oo]ffer(s|ed|ing)\b", "", text_of(pricing(stranger, offer, **FORM)))
    assert "USD 900.00" not in text_of(pricing(stranger, offer, **FORM))
    other = catalog.saas_product()
    html = shown(buyer, other.get_absolute_url(), tab="pricing", offer=offer.number, **FORM)
    assert "USD 900.00" not in text_of(html) and "Spring deal" not in html


def test_who_may_not_see_offers_sees_none_on_the_pricing_tab(buyer: Persona, offer: PrivateOffer) -> None:
    user = identity.UserFactory(account=buyer.account, is_root=False)
    identity.deny(user, "marketplace:privateOffer:get")
    html = pricing(Persona(user, buyer.role), offer, **FORM)
    assert "Spring deal" not in html and "USD 900.00" not in text_of(html)


def test_a_visitor_is_asked_to_sign_in_and_learns_nothing(client: Client, offer: PrivateOffer) -> None:
    address = f"{offer.product.get_absolute_url()}?tab=pricing&offer="
    for number in (offer.number, "PO-none"):
        html = client.get(address + number).content.decode()
        assert "Sign in to use your offer." in html and "Spring deal" not in html


def test_the_page_cache_never_stores_a_page_with_an_offer(buyer: Persona, offer: PrivateOffer, client: Client) -> None:
    pagecache.forget()
    address = offer.product.get_absolute_url()
    for query in ({"tab": "pricing", "offer": offer.number}, {"tab": "pricing", "offer": offer.number, **FORM}):
        for asking in (client, buyer.client):
            with clock.at(AT):
                response = asking.get(address, query)
            assert "no-store" in response["Cache-Control"]
    assert len(pagecache.pages) == 0
    client.get(address, {"tab": "pricing"})
    assert len(pagecache.pages) == 1


def test_an_ordinary_pricing_tab_asks_nothing_about_offers(buyer: Persona, offer: PrivateOffer) -> None:
    with clock.at(AT), CaptureQueriesContext(connection) as caught:
        buyer.client.get(offer.product.get_absolute_url(), {"tab": "pricing", **FORM})
    own = [query["sql"] for query in caught.captured_queries if "catalog_privateoffer" in query["sql"]]
    assert [sql for sql in own if "SELECT (SELECT count(*)" not in sql] == []
