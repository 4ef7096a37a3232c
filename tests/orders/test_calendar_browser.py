"""The renewal calendar in Chromium: a grid and a list, by keyboard, its feed made and switched off, the forecast."""

from __future__ import annotations

import os
import re

import pytest
from playwright.sync_api import expect

from koogallery import clock
from orders.models import CalendarFeed
from tests.browsing import Opener, check_page
from tests.factories.subscriptions import Owned, period_product, subscribed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = "/console/renewals/calendar/"


@pytest.fixture
def owned() -> Owned:
    """Three resources that renew themselves and one by hand."""
    first = subscribed(at=clock.now().isoformat(), product=period_product(name="Nimbus Wiki"))
    for name in ("Orchard CRM", "A product with a name that is longer than a cell is wide"):
        other = subscribed(at=first.now.isoformat(), buyer=first.buyer, product=period_product(name=name))
        other.automate("3-month")
    first.automate("1-month", days_before=0)
    subscribed(at=first.now.isoformat(), buyer=first.buyer, product=period_product(name="Tally"))
    return first


@pytest.mark.parametrize("width", [1440, 768, 375, 320])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_calendar_fits_and_reads_well(open_page: Opener, owned: Owned, width: int, theme: str) -> None:
    page = open_page(PAGE, user=owned.buyer.user, width=width, theme=theme)
    page.get_by_role("link", name="Next month").click()
    expect(page).to_have_url(re.compile(r"\?month="))
    entry = page.get_by_role("link", name="Expires").first
    expect(entry).to_be_visible()
    weekdays = page.locator(".calendar-weekdays")
    expect(weekdays).to_be_visible() if width >= 768 else expect(weekdays).to_be_hidden()
    check_page(page)
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/calendar-{width}-{theme}.png", full_page=True)
    page.goto(page.url.split("/console/")[0] + f"{PAGE}forecast/")
    expect(page.get_by_role("region", name="Forecast by month")).to_be_visible()
    check_page(page)
    if folder:
        page.screenshot(path=f"{folder}/forecast-{width}-{theme}.png", full_page=True)
        page.goto(page.url.split("/console/")[0] + "/console/")
        page.screenshot(path=f"{folder}/overview-{width}-{theme}.png", full_page=True)


def test_an_entry_is_reached_by_keyboard(open_page: Opener, owned: Owned) -> None:
    page = open_page(PAGE, user=owned.buyer.user)
    page.get_by_role("link", name="Next month").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?month="))
    page.get_by_role("link", name="This month").focus()
    page.keyboard.press("Tab")
    expect(page.locator(".calendar-entry").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/apps/"))


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_feed_is_made_shown_and_switched_off(open_page: Opener, owned: Owned, javascript: bool) -> None:
    page = open_page(f"{PAGE}feed/", user=owned.buyer.user, javascript=javascript)
    page.get_by_role("button", name="Make a feed address").click()
    page.get_by_role("button", name="Show Feed address").click()
    expect(page.get_by_text(".ics")).to_be_visible()
    if not javascript:
        page.get_by_role("link", name="Back").click()
    else:
        check_page(page)
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Make a feed address")).to_be_visible()
    assert not CalendarFeed.objects.get().is_on
