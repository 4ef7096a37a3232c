"""Images unsubscribed in Chromium: with and without JavaScript, by keyboard, narrow, dark, in Chinese."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from koogallery import clock
from tests.browsing import Opener, check_page
from tests.factories.subscriptions import Owned, image
from tests.personas import Persona, make_operator
from unsubscriptions.models import Request
from unsubscriptions.states import Kind, Status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/console/unsubscriptions/?tab=images"
REFUNDED = "Refunded"


def bought(buyer: Persona, *, days: int = 40, term: str = "1-year", **fields: str) -> Owned:
    """An image that was bought so many days ago, with its buyer as of now."""
    owned = image(at=(clock.now() - timedelta(days=days)).isoformat(), buyer=buyer, term=term, **fields)
    owned.now = clock.now()
    return owned


def confirm(page: Page, title: str) -> None:
    """Ask, and answer the dialog."""
    page.locator("main").get_by_role("button", name=title, exact=True).click()
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Refund", exact=True).click()


@pytest.mark.parametrize("javascript", [True, False])
def test_an_image_is_unsubscribed_from_its_tab(open_page: Opener, buyer: Persona, javascript: bool) -> None:
    owned = bought(buyer)
    page = open_page(LIST, user=buyer.user, javascript=javascript)
    page.get_by_role("link", name="Unsubscribe", exact=True).click()
    main = page.locator("main")
    expect(main).to_contain_text("Handling fee")
    main.get_by_text("How is this calculated?").click()
    expect(main.get_by_role("rowheader", name="Ordered hours", exact=True)).to_be_visible()
    main.get_by_role("button", name="Unsubscribe", exact=True).click()
    dialog = page.get_by_role("dialog", name="Unsubscribe")
    expect(dialog).to_contain_text(owned.resource.number)
    if javascript:
        check_page(page)
    dialog.get_by_role("button", name="Cancel", exact=True).click()
    expect(dialog).to_have_count(0)
    assert not Request.objects.exists()
    confirm(page, "Unsubscribe")
    expect(page.locator("main")).to_contain_text(REFUNDED)
    asked = Request.objects.select_related("payout").get()
    assert (asked.kind, asked.status) == (Kind.IMAGE, Status.REFUNDED)
    page.goto(LIST)
    expect(page.locator("main")).to_contain_text("No images")


def test_a_renewal_is_unsubscribed_by_keyboard(open_page: Opener, buyer: Persona) -> None:
    owned = bought(buyer)
    owned.renew("1-year")
    page = open_page(LIST, user=buyer.user)
    link = page.get_by_role("link", name="Unsubscribe renewal", exact=True)
    link.focus()
    page.keyboard.press("Enter")
    button = page.locator("main").get_by_role("button", name="Unsubscribe renewal", exact=True)
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    refund = page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True)
    expect(refund).to_be_visible()
    refund.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text(REFUNDED)
    assert Request.objects.get().kind == Kind.RENEWAL


@pytest.mark.parametrize(("theme", "language", "width"), [("light", "en", 1440), ("dark", "zh-hans", 375)])
def test_its_pages_are_sound(open_page: Opener, buyer: Persona, theme: str, language: str, width: int) -> None:
    large = bought(buyer, days=2, yearly="8000.00", name="A product with a very long name " * 3)
    large.renew("2-year")
    for address in (LIST, large.resource.get_absolute_url(), *_pages(large)):
        page = open_page(address, user=buyer.user, theme=theme, language=language, width=width)
        page.locator("main details summary").first.wait_for(state="attached") if "images/" in address else None
        check_page(page)
    busy = bought(buyer)
    busy.place("1-year")
    check_page(open_page(_pages(busy)[0], user=buyer.user, theme=theme, language=language, width=width))


def _pages(owned: Owned) -> list[str]:
    address = f"/console/unsubscriptions/images/{owned.resource.number}/"
    return [address, f"{address}renewal/"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_operations_pages_are_sound(open_page: Opener, theme: str) -> None:
    officer = make_operator()
    for address in ("request/", "payout/", "specialagreement/", "specialagreement/do/setSpecialAgreement/"):
        page = open_page(f"/admin/unsubscriptions/{address}", user=officer.user, theme=theme)
        expect(page.locator("h1")).to_have_count(1)
