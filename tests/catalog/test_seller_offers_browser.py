"""Seller Offers in Chromium: what follows while one types, and the same steps without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from catalog.models import PrivateOffer, Product
from catalog.states import OfferState
from koogallery import clock
from tests.browsing import Opener, check_page
from tests.factories import billing, catalog
from tests.factories.offers import draft_offer, one_time_product, order_by_offer, sent_offer
from tests.factories.supervision import seller_of
from tests.personas import Persona, make_buyer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST, NEW = "/seller/offers/", "/seller/offers/new/"


@pytest.fixture
def product(transactional_db: None) -> Product:
    """A professional service for USD 1,000.00; its seller sells users of a SaaS, too."""
    seller = catalog.make_seller()
    catalog.saas_product(seller=seller, name="TeamBoard")
    return one_time_product(seller=seller, name="DataHarbor")


@pytest.fixture
def customer(transactional_db: None) -> Persona:
    """Who is offered something, and can pay it."""
    persona: Any = make_buyer(name="Borealis Ltd")
    billing.fund(persona.account, 5_000)
    return persona


def fill_terms(page: Page) -> None:
    page.get_by_label("Offer name").fill("Autumn offer")
    page.get_by_label("Customer account").fill("Borealis Ltd")
    page.get_by_label("Discount").fill("0.90")
    last = clock.platform_date(clock.now()) + timedelta(days=30)
    page.get_by_label("Valid to").fill(last.isoformat())


def fill_row(page: Page, number: int, share: str) -> None:
    row = page.get_by_role("group", name=f"Milestone {number}")
    row.get_by_label("Name").fill(f"Part {number}")
    row.get_by_label("Delivery description").fill(f"What part {number} is")
    row.get_by_label("Share in percent").fill(share)


def test_configuration_sum_and_amounts_follow_while_one_types(
    open_page: Opener, product: Product, customer: Persona
) -> None:
    page = open_page(LIST, user=seller_of(product).user, width=1280)
    page.get_by_role("link", name="Create Offer").first.click()
    fill_terms(page)
    page.get_by_label("Product", exact=True).select_option(label="TeamBoard")
    expect(page.get_by_label(re.compile("^Users"))).to_be_visible()
    expect(page.locator("#configuration")).to_contain_text("the currency of the customer")
    page.get_by_label("Product", exact=True).select_option(label="DataHarbor")
    expect(page.get_by_label(re.compile("^Users"))).to_have_count(0)
    expect(page.locator("#figures")).to_contain_text("USD 900.00")
    expect(page.get_by_role("button", name="Add milestone")).to_be_hidden()
    page.get_by_label("Yes").check()
    fill_row(page, 1, "30")
    fill_row(page, 2, "30")
    expect(page.locator("#shares-sum")).to_have_text("60 %")
    expect(page.locator("#amount-1")).to_have_text("USD 270.00")
    page.get_by_role("button", name="Add milestone").click()
    expect(page.get_by_role("group", name="Milestone 3")).to_be_visible()
    expect(page.get_by_role("group", name="Milestone 2").get_by_label("Name")).to_have_value("Part 2")
    fill_row(page, 3, "40")
    expect(page.locator("#figures")).to_contain_text("100 %")
    expect(page.locator("#amount-2")).to_have_text("USD 360.00")
    expect(page.locator("#figures .field-error")).to_have_count(0)
    check_page(page)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview")
    check_page(page)
    page.get_by_role("button", name="Change the terms").click()
    expect(page.get_by_role("group", name="Milestone 3").get_by_label("Name")).to_have_value("Part 3")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Autumn offer")
    expect(page.get_by_alt_text("QR code of the link")).to_be_visible()
    assert PrivateOffer.objects.get().state == OfferState.IN_EFFECT
    page.get_by_role("button", name="Withdraw").click()
    box = page.get_by_role("dialog", name="Withdraw offer")
    expect(box).to_contain_text("“Autumn offer”")
    box.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".title-row")).to_contain_text("Withdrawn")


def test_every_step_works_without_javascript(open_page: Opener, product: Product, customer: Persona) -> None:
    page = open_page(NEW, user=seller_of(product).user, javascript=False, width=1280)
    fill_terms(page)
    page.get_by_label("Product", exact=True).select_option(label="TeamBoard")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".error-summary")).to_contain_text("Now choose the configuration of the product.")
    page.get_by_label(re.compile("^Users")).fill("7")
    page.get_by_role("button", name="Update").first.click()
    expect(page.locator("#figures")).to_contain_text("USD 63.00")
    page.get_by_label("Product", exact=True).select_option(label="DataHarbor")
    page.get_by_role("button", name="Update").first.click()
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Add milestone").click()
    for number, share in enumerate(("30", "30", "39"), 1):
        fill_row(page, number, share)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".error-summary")).to_contain_text("The shares sum to 99 %")
    page.get_by_role("group", name="Milestone 3").get_by_label("Share in percent").fill("40")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("USD 360.00")).to_be_visible()
    page.get_by_role("button", name="Save as draft").click()
    expect(page.locator(".title-row")).to_contain_text("Draft")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("dialog", name="Send offer").get_by_role("button", name="Send").click()
    expect(page.locator(".title-row")).to_contain_text("In effect")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_every_page_is_whole(open_page: Opener, product: Product, customer: Persona, theme: str, width: int) -> None:
    account: Any = customer.account
    draft = draft_offer(account, product, shares=["33.33", "33.33", "33.34"], note="Call us. " * 20)
    sent = sent_offer(account, product, name="An offer with a name that is as long as a name can be " * 2)
    order_by_offer(customer, sent)
    for address in (
        LIST,
        NEW,
        draft.get_seller_url(),
        sent.get_seller_url(),
        f"{draft.get_seller_url()}edit/",
        "/seller/",
    ):
        page = open_page(address, user=seller_of(product).user, theme=theme, width=width)
        check_page(page)
    page = open_page(f"{draft.get_seller_url()}edit/", user=seller_of(product).user, theme=theme, width=width)
    page.get_by_label("Share in percent").first.fill("50")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".error-summary")).to_be_visible()
    page.complaints.clear()  # type: ignore[attr-defined]
    check_page(page)
    page.get_by_label("Share in percent").first.fill("33.33")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview")
    check_page(page)
