"""The storefront's pages as visitors and buyers see them."""

from __future__ import annotations

import re

import pytest

from catalog.models import Favorite
from koogallery.kernel import guard, pagecache
from koogallery.tickets.models import Ticket
from tests.factories import catalog as make
from tests.personas import FormClient

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    pagecache.forget()
    yield
    pagecache.forget()


@pytest.fixture
def visitor():
    return FormClient()


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def show(client, address, **headers):
    response = client.get(address, headers=headers)
    assert response.status_code == 200, (address, response.status_code)
    return text_of(response)


def test_home_shows_categories_popular_and_new(visitor):
    shelf = make.make_category("crm", name="Customer relations")
    make.make_product(name="Relata CRM", categories=[shelf], popularity=3)
    page = show(visitor, "/")
    assert "Customer relations" in page
    assert "Popular Applications" in page
    assert "Relata CRM" in page


def test_the_list_filters_sorts_and_keeps_its_state_in_the_address(visitor):
    shelf = make.make_category("crm", name="Customer relations")
    make.make_product(name="Relata CRM", categories=[shelf], delivery_method="saas")
    make.make_product(name="Relata device", delivery_method="hardware", plans=[make.plan(mode="ONE_TIME")])
    assert "2 products" in show(visitor, "/products/?q=relata")
    page = show(visitor, "/products/?q=relata&method=hardware&sort=price")
    assert "1 product " in page
    assert "Relata device" in page
    assert "Relata CRM" not in page
    page = show(visitor, "/products/?category=crm")
    assert "Relata CRM" in page
    assert "Relata device" not in page


@pytest.mark.parametrize(
    "query",
    ["page=999", "page=-1", "page=x", "category=none", "seller=none", "price_from=a", "method=x", "sort=x", "q=%00"],
)
def test_strange_addresses_show_a_page(visitor, query):
    make.make_product(name="Relata")
    show(visitor, f"/products/?{query}")


def test_a_typo_is_said(visitor):
    make.make_product(name="DocFlow")
    page = show(visitor, "/products/?q=docflwo")
    assert "These match “docflow”" in page
    assert "DocFlow" in page


def test_an_empty_search_offers_the_demand_form(visitor):
    assert "Not found what you need?" in show(visitor, "/products/?q=zzzqqq")


def test_the_list_takes_at_most_six_queries_for_one_and_for_twenty_products(visitor, django_assert_max_num_queries):
    shelf = make.make_category("crm")
    make.make_product(categories=[shelf])
    with django_assert_max_num_queries(6):
        show(visitor, "/products/?category=crm")
    for _ in range(20):
        make.make_product(categories=[shelf])
    pagecache.forget()
    with django_assert_max_num_queries(6):
        show(visitor, "/products/?category=crm&sort=newest")


@pytest.mark.parametrize("tab", ["", "?tab=pricing", "?tab=guide", "?tab=support", "?tab=agreements"])
def test_a_product_page_takes_at_most_six_queries(visitor, django_assert_max_num_queries, tab):
    product = make.saas_product(categories=[make.make_category()], eula="Use it well.")
    with django_assert_max_num_queries(6):
        show(visitor, f"/products/{product.slug}/{tab}")


def test_the_pricing_tab_prices_what_the_address_configures(visitor):
    product = make.saas_product(name="Relata CRM")
    page = show(visitor, f"/products/{product.slug}/?tab=pricing&attr_users=40&term=1-year")
    assert "USD 4,000.00" in page
    assert "USD 100.00 × 40 users" in page
    assert "How is this calculated?" in page
    assert "Continue to Submit" in page
    assert "Only Yearly/Monthly billing is offered by the seller." in page


def test_a_change_asks_for_the_price_alone(visitor):
    product = make.saas_product()
    page = show(visitor, f"/products/{product.slug}/price/?attr_users=3&term=3-month", **{"HX-Request": "true"})
    assert "USD 90.00" in page
    assert "<html" not in page


def test_a_faulty_quantity_keeps_its_value_and_says_what_is_possible(visitor):
    product = make.saas_product()
    response = visitor.get(f"/products/{product.slug}/?tab=pricing&attr_users=9000")
    page = text_of(response)
    assert "Users: enter a number from 1 to 5000 in steps of 1." in page
    assert 'value="9000"' in response.content.decode()


def test_bands_mark_the_own_quantity(visitor):
    product = make.saas_product(
        plans=[make.plan(model="tiered", term_unit="year", bands=[("1", "36"), ("20", "30"), ("100", "22")])]
    )
    page = show(visitor, f"/products/{product.slug}/?tab=pricing&attr_users=40")
    assert "1 – 19 USD 36.00" in page
    assert "20 – 99 USD 30.00 40" in page
    assert "100 and more USD 22.00" in page


def test_a_standing_discount_is_named(buyer):
    product = make.saas_product()
    make.standing_discount(buyer.account, product, "0.85")
    page = show(buyer.client, f"/products/{product.slug}/?tab=pricing&attr_users=10")
    assert "Standing discount: you pay 85%" in page
    assert "USD 85.00" in page


def test_the_clerk_reads_which_policy_denies_buying(clerk):
    product = make.saas_product()
    page = show(clerk.client, f"/products/{product.slug}/?tab=pricing")
    assert "denies" in page


def test_saving_adds_once_and_removing_is_another_button(buyer):
    product = make.saas_product(name="Relata CRM")
    address = f"/products/{product.slug}/"
    assert "Save to List" in show(buyer.client, address)
    for _ in range(2):
        assert buyer.client.post(f"{address}save/").status_code == 302
    assert Favorite.objects.count() == 1
    page = show(buyer.client, address)
    assert "Saved" in page
    assert "Remove from List" in page
    assert "Save to List" not in page
    buyer.client.post(f"{address}unsave/")
    assert not Favorite.objects.exists()


def test_favorites_lead_to_the_pricing_tab_and_keep_what_left_the_catalogue(buyer):
    product = make.saas_product(name="Relata CRM")
    buyer.client.post(f"/products/{product.slug}/save/")
    response = buyer.client.get("/console/favorites/")
    assert f"/products/{product.slug}/?tab=pricing" in response.content.decode()
    removed = buyer.client.post(f"/products/{make.make_product().slug}/unsave/?from=favorites")
    assert removed.url == "/console/favorites/"
    with guard.opened("test"):
        product.state = "removed"
        product.save()
    response = buyer.client.get("/console/favorites/")
    assert "No longer on sale" in text_of(response)
    assert f"/products/{product.slug}/?tab=pricing" not in response.content.decode()
    page = show(buyer.client, f"/products/{product.slug}/?tab=pricing")
    assert "no longer on sale" in page


def test_a_product_that_left_is_unknown_to_strangers_but_known_to_its_seller(visitor, stranger, seller):
    own = seller.account.seller
    product = make.saas_product(seller=own)
    with guard.opened("test"):
        product.state = "hidden"
        product.save()
    assert visitor.get(f"/products/{product.slug}/").status_code == 404
    assert stranger.client.get(f"/products/{product.slug}/").status_code == 404
    assert seller.client.get(f"/products/{product.slug}/").status_code == 200


def test_saved_redirects_to_my_favorites(buyer):
    assert buyer.client.get("/saved/").url == "/console/favorites/"


def test_suggestions_mark_the_match(visitor):
    make.make_product(name="DocFlow")
    response = visitor.get("/products/suggest/?q=doc")
    assert "<mark>Doc</mark>Flow" in response.content.decode()
    assert 'role="option"' in response.content.decode()
    assert visitor.get("/products/suggest/?q=<script>").status_code == 200


def test_suggestions_have_a_limit(visitor, monkeypatch):
    monkeypatch.setattr("catalog.views.storefront.SUGGESTIONS_A_MINUTE", 2)
    answers = [visitor.get("/products/suggest/?q=doc").status_code for _ in range(4)]
    assert answers[0] == 200
    assert answers[-1] == 429


def test_the_seller_page_shows_contact_and_products(visitor):
    seller = make.make_seller(name="Aldona Soft", introduction="Since long.")
    make.make_product(name="Relata CRM", seller=seller)
    make.make_product(name="Other")
    page = show(visitor, f"/sellers/{seller.slug}/")
    assert seller.email in page
    assert "Mon–Fri 09:00–18:00 (GMT+08:00)" in page
    assert "Relata CRM" in page
    assert "Other" not in page


def test_a_seller_that_is_not_approved_has_no_page(visitor):
    seller = make.make_seller(state="pending")
    assert visitor.get(f"/sellers/{seller.slug}/").status_code == 404


def test_demands_reach_operations(visitor):
    assert "What do you need?" in show(visitor, "/demand/?q=crane")
    posted = {"subject": "Crane control", "description": "For two docks", "email": "a@b.example"}
    assert visitor.post("/demand/", posted).status_code == 302
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.kind, ticket.account) == ("Crane control", "demand", None)
    assert visitor.post("/demand/", {"subject": ""}).status_code == 200


@pytest.mark.parametrize("topic", ["", "buying/", "paying/", "delivery/", "sellers/", "api/"])
def test_help_pages(visitor, topic):
    show(visitor, f"/help/{topic}")


def test_unknown_help_is_404(visitor):
    assert visitor.get("/help/none/").status_code == 404


def test_sellers_see_their_own_products_only(seller):
    own = make.saas_product(name="Mine", seller=seller.account.seller)
    other = make.saas_product(name="Theirs")
    page = show(seller.client, "/seller/products/")
    assert "Mine" in page
    assert "Theirs" not in page
    assert "Mine" in show(seller.client, f"/seller/products/{own.code}/")
    assert seller.client.get(f"/seller/products/{other.code}/").status_code == 404


def test_pages_in_chinese(visitor):
    visitor.cookies["django_language"] = "zh-hans"
    product = make.saas_product(name="Relata CRM", name_zh="客户通")
    assert "客户通" in show(visitor, f"/products/{product.slug}/")
    assert "客户通" in show(visitor, "/products/?q=客户")
