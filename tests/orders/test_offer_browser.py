"""Buying by private offers in Chromium: by Use Now with the helper on the Pricing tab, and by link in milestones."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from billing.models import MilestoneBill
from catalog.models import PrivateOffer
from koogallery import clock
from koogallery.kernel.calls import Role
from orders.models import Order
from orders.states import OrderState
from tests.browsing import Opener, check_page
from tests.factories import billing, catalog
from tests.factories.offers import make_postpaid, one_time_product, order_by_offer, sent_offer
from tests.personas import Persona, make_buyer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WAYS = pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])


@pytest.fixture
def offer(rich: Persona) -> PrivateOffer:
    """10 % off ten users for a year: USD 900.00 in place of USD 1,000.00."""
    product = catalog.saas_product(name="Nimbus Wiki")
    form = {"attr_users": "10", "term": "1-year", "plan": "PERIOD"}
    return sent_offer(rich.account, product, form=form, name="Autumn deal")


@pytest.fixture
def deal() -> tuple[Persona, PrivateOffer]:
    """A postpaid buyer with an offer of USD 1,000.00 in three milestones."""
    buyer = make_buyer(name="riverbank")
    make_postpaid(buyer.account)
    offer = sent_offer(
        buyer.account, one_time_product(name="Migration"), share="1", shares=["30", "30", "40"], name="Migration deal"
    )
    return buyer, offer


def checked(javascript: bool) -> Callable[[Page], None]:
    """What looks at a page; without scripts there is none that could."""
    return check_page if javascript else lambda page: None


@WAYS
def test_an_offer_is_bought_by_use_now(open_page: Opener, rich: Persona, offer: PrivateOffer, javascript: bool) -> None:
    look = checked(javascript)
    page = open_page("/console/offers/", user=rich.user, javascript=javascript)
    look(page)
    page.get_by_role("link", name="Autumn deal").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Autumn deal")
    look(page)
    page.get_by_role("link", name="Use Now").click()

    status = page.get_by_role("complementary", name="Price")
    expect(status).to_contain_text("the offer needs 1 year")
    page.get_by_role("spinbutton", name="Users").fill("9")
    if not javascript:
        page.get_by_role("button", name="Update price").click()
    expect(status).to_contain_text("Users is 9, the offer needs 10")
    expect(status).not_to_contain_text("Private offer")
    look(page)
    page.get_by_role("button", name="Use the offer's values").click()
    expect(status).to_contain_text("Your exclusive offer is linked")
    expect(page.locator(".price-big")).to_have_text(re.compile(r"USD\s900\.00"))
    expect(page.get_by_role("spinbutton", name="Users")).to_have_value("10")
    look(page)
    page.get_by_role("button", name="Continue to Submit").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm order")
    expect(page.locator("main")).to_contain_text("Private offer: Autumn deal")
    look(page)
    page.get_by_role("checkbox", name="Terms and Conditions").check()
    page.get_by_role("button", name="Pay Now").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The order is placed")
    order = Order.objects.get()
    assert (str(order.total), order.line.discount_reference) == ("USD 900.00", offer.number)

    page.goto(offer.get_link())
    expect(page.get_by_role("heading", level=1)).to_have_text("This offer was used")
    look(page)
    page.get_by_role("link", name=f"Order {order.number}").click()
    expect(page).to_have_url(re.compile(f"/console/orders/{order.number}/$"))


@WAYS
def test_an_offer_in_milestones_is_bought_by_its_link(
    open_page: Opener, deal: tuple[Persona, PrivateOffer], javascript: bool
) -> None:
    buyer, offer = deal
    look = checked(javascript)
    page = open_page(offer.get_link(), user=buyer.user, javascript=javascript)
    milestones = page.get_by_role("table", name="Milestones")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm order")
    expect(milestones.get_by_role("row")).to_have_count(4)
    look(page)
    page.get_by_role("checkbox", name="Terms and Conditions").check()
    page.get_by_role("button", name="Pay Now").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Pay order")
    expect(milestones.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("button", name="Confirm", exact=True)).to_have_count(0)
    look(page)
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("radio")).to_have_count(1)
    expect(page.get_by_role("radio", name=re.compile("Monthly settlement"))).to_be_checked()
    look(page)
    page.get_by_role("button", name="Confirm", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The order is placed")
    expect(milestones).to_contain_text("Not billed yet")
    look(page)
    order = Order.objects.get()
    assert order.state == OrderState.PROCESSING
    assert str(MilestoneBill.objects.get().money) == "USD 300.00"
    page.get_by_role("link", name="Order details").click()
    expect(milestones).to_contain_text(MilestoneBill.objects.get().number)
    look(page)


def test_offer_pages_are_accessible_in_chinese_in_the_dark_and_on_narrow_screens(
    open_page: Opener, deal: tuple[Persona, PrivateOffer], rich: Persona, offer: PrivateOffer
) -> None:
    buyer, in_milestones = deal
    order = order_by_offer(buyer, in_milestones, at=clock.now())
    stranger = Persona(make_buyer(name="stranger").user, Role.BUYER)
    billing.fund(stranger.account, 1)
    pricing = f"{offer.product.get_absolute_url()}?tab=pricing&offer={offer.number}"
    for user, address in (
        (rich.user, "/console/offers/"),
        (rich.user, offer.get_absolute_url()),
        (rich.user, pricing),
        (rich.user, offer.get_link()),
        (rich.user, "/console/"),
        (buyer.user, in_milestones.get_absolute_url()),
        (buyer.user, in_milestones.get_link()),
        (buyer.user, f"/console/orders/{order.number}/pay/"),
    ):
        check_page(open_page(address, user=user, theme="dark", language="zh-hans", width=375))
    check_page(open_page("/console/offers/", user=rich.user, width=1280))
