"""Renewals as people meet them, in Chromium: by mouse, in both themes, on narrow screens, without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from koogallery import clock
from orders.models import Order
from orders.states import OrderType
from tests.browsing import Opener, check_page
from tests.factories.subscriptions import Owned, subscribed
from tests.orders.test_renewal_pages import changeable, sku_named
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def owned(buyer: Persona) -> Owned:
    """A monthly resource that expires within thirty days, beside a yearly one."""
    today = clock.platform_date(clock.now())
    subscribed(buyer=buyer, at=(today - timedelta(days=40)).isoformat(), term="1-year")
    return subscribed(buyer=buyer, at=(today - timedelta(days=10)).isoformat(), product=changeable())


def looks(open_page: Opener, owned: Owned, *addresses: str) -> None:
    for address in addresses:
        for theme, language, width in (("light", "en", 1440), ("dark", "zh-hans", 375)):
            page = open_page(address, user=owned.buyer.user, theme=theme, language=language, width=width)
            check_page(page)
            page.close()


def pay(page: Page) -> None:
    page.get_by_role("button", name="Pay Now").click()
    page.get_by_role("dialog", name="Renew").get_by_role("button", name="Pay Now").click()
    expect(page).to_have_url(re.compile("/pay/$"))
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile("/result/$"))


def test_a_resource_is_renewed_changed_upon_renewal_cancelled_and_automated(open_page: Opener, owned: Owned) -> None:
    number = owned.resource.number
    renewal, details = f"/console/renewals/{number}/", owned.resource.get_absolute_url()
    page = open_page("/console/renewals/", user=owned.buyer.user)
    check_page(page)
    page.get_by_role("row", name=owned.resource.product.name).get_by_role("link", name="Renew").click()
    expect(page).to_have_url(re.compile(f"{renewal}$"))
    check_page(page)

    page.get_by_role("switch", name="Change upon Renewal").check()
    page.get_by_role("radio", name="Pro").check()
    page.get_by_role("radio", name="1 month").check()
    expect(page.locator(".sums .total")).to_contain_text("USD 30.00")
    expect(page.get_by_label("Unified renewal date")).to_have_count(0)
    check_page(page)
    looks(open_page, owned, f"{renewal}?change=on&target={sku_named(owned.resource.product, 'pro')}")
    pay(page)
    looks(open_page, owned, details, "/console/apps/", "/console/renewals/", renewal, f"{renewal}cancel/")

    page.goto(details)
    expect(page.locator("main")).to_contain_text("is renewed and changed soon")
    page.get_by_role("button", name="Cancel the renewal").first.click()
    page.get_by_role("dialog", name="Cancel the renewal").get_by_role("button", name="Cancel the renewal").click()
    expect(page.locator(".toast")).to_contain_text("is refunded")
    expect(page.locator("main")).not_to_contain_text("is renewed and changed soon")

    page.get_by_role("link", name="Renewal", exact=True).click()
    page.get_by_label("Unified renewal date").select_option("31")
    expect(page.locator(".sums .total")).not_to_contain_text("USD 10.00")
    expiry = page.locator("#renewal .facts strong .moment, #renewal .facts strong").first.inner_text().split()[:3]
    pay(page)
    page.goto(details)
    expect(page.locator("#basic")).to_contain_text(" ".join(expiry))

    page.goto(f"{renewal}auto/")
    page.get_by_label("Deduction day").select_option("0")
    expect(page.locator("#ahead")).to_contain_text("03:00:00")
    check_page(page)
    page.get_by_role("button", name="Enable auto-renewal").click()
    expect(page.locator(".toast")).to_contain_text("is on. Next deduction")
    looks(open_page, owned, f"{renewal}auto/", f"{renewal}auto/disable/", f"{details}expiration/")
    page.goto(f"{renewal}auto/")
    page.get_by_role("button", name="Disable auto-renewal").click()
    page.get_by_role("dialog", name="Disable auto-renewal").get_by_role("button", name="Disable auto-renewal").click()
    expect(page.locator(".toast")).to_contain_text("no longer renews itself")


def test_selected_resources_are_renewed_together(open_page: Opener, owned: Owned) -> None:
    page = open_page("/console/renewals/", user=owned.buyer.user)
    page.get_by_role("checkbox", name="Select all rows of this page").check()
    page.get_by_role("button", name="Renew", exact=True).click()
    expect(page.get_by_role("heading", name="Renew resources")).to_be_visible()
    check_page(page)
    page.get_by_label(re.compile("Length of row 1")).select_option("3-month")
    expect(page.locator("tfoot")).to_contain_text("USD 130.00")
    page.get_by_role("button", name="Renew", exact=True).click()
    page.get_by_role("dialog", name="Renew").get_by_role("button", name="OK").click()
    expect(page.get_by_role("heading", name="Renewals ordered")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Pay 2 orders").click()
    expect(page.locator("main")).to_contain_text("All resources are renewed")
    check_page(page)


def test_without_javascript_a_resource_is_renewed_as_well(open_page: Opener, owned: Owned) -> None:
    page = open_page(f"/console/renewals/{owned.resource.number}/", user=owned.buyer.user, javascript=False)
    page.get_by_role("radio", name="3 months").check()
    page.get_by_role("button", name="Show the price").click()
    expect(page.locator(".sums .total")).to_contain_text("USD 30.00")
    page.get_by_role("button", name="Pay Now").click()
    page.get_by_role("dialog", name="Renew").get_by_role("button", name="Pay Now").click()
    expect(page).to_have_url(re.compile("/pay/$"))
    assert Order.objects.get(type=OrderType.RENEW).form["length"] == "3-month"
