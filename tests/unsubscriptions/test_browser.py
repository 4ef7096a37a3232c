"""Unsubscribing as buyers walk it in Chromium: with and without JavaScript, with the keyboard alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from koogallery import clock
from tests.browsing import Opener, check_page
from tests.factories.returns import agree, ask, paid_by, reject
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import Persona
from unsubscriptions.models import Request

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/console/unsubscriptions/"
MY_AMOUNT = "Negotiated refund amount"


def begun(buyer: Persona, method: str = "license") -> Deal:
    """A deal that began two hours ago."""
    return supervised(method, buyer=buyer, at=clock.now() - timedelta(hours=2))


def fill(page: Page, amount: str, reason: str = "Delivered late") -> None:
    """Fill the form in and press **Unsubscribe**."""
    page.get_by_label(MY_AMOUNT).fill(amount)
    page.get_by_label("Reason").select_option(label=reason)
    page.get_by_role("button", name="Unsubscribe", exact=True).click()


def answer(page: Page, opener: str) -> None:
    """Open a dialog by its button and answer it with OK."""
    page.get_by_role("button", name=opener, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK", exact=True).click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_request_is_sent_rejected_sent_again_and_refunded(
    open_page: Opener, buyer: Persona, javascript: bool
) -> None:
    deal = begun(buyer)
    page = open_page(LIST, user=buyer.user, javascript=javascript)
    page.get_by_role("link", name="Unsubscribe", exact=True).click()
    for amount in ("0", "-1", "", "text", "1e3", "NaN", "1.005", "1200.01"):
        fill(page, amount)
        expect(page.get_by_role("alert")).to_contain_text(MY_AMOUNT)
        expect(page.get_by_label(MY_AMOUNT)).to_have_value(amount)
        expect(page.get_by_role("dialog")).to_have_count(0)
    fill(page, "1200.00")
    dialog = page.get_by_role("dialog", name="Unsubscribe")
    for said in ("USD 1,200.00", "Delivered late", deal.order.product.label, deal.order.number):
        expect(dialog).to_contain_text(said)
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label(MY_AMOUNT)).to_have_value("1200.00")
    expect(dialog).to_be_hidden()
    fill(page, "0.01", "Other")
    expect(page.get_by_role("alert")).to_contain_text("Describe the reason.")
    page.get_by_label("Description").fill("The project ended.")
    fill(page, "0.01", "Other")
    dialog.get_by_role("button", name="Refund", exact=True).click()
    expect(page.locator("main")).to_contain_text("The seller is looking at your request")
    expect(page.locator("#request")).to_contain_text("USD 0.01")

    reject(deal, Request.objects.get(), comment="It was on time.", uploads=[upload("log.pdf")])
    page.reload()
    expect(page.locator("#answer")).to_contain_text("It was on time.")
    expect(page.locator("#answer")).to_contain_text("log.pdf")
    page.get_by_role("link", name="Ask again").click()
    fill(page, "400")
    page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True).click()
    expect(page.locator("#request")).to_contain_text("USD 400.00")

    deal.at = clock.now()
    agree(deal, Request.objects.latest("pk"))
    page.reload()
    expect(page.locator("#refund")).to_contain_text("Account balance")
    expect(page.locator("h1 ~ .badge").first).to_have_text("Refunded")
    page.goto(deal.order.get_absolute_url())
    expect(page.locator("#refunds")).to_contain_text("USD 400.00 refunded")
    expect(page.get_by_role("link", name="Unsubscribe", exact=True)).to_have_count(0)
    page.goto(LIST)
    expect(page.get_by_role("link", name="Requests")).to_contain_text("2")
    page.get_by_role("link", name="Requests").click()
    expect(page.locator("main tbody tr")).to_have_count(2)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_request_is_reminded_of_and_withdrawn(open_page: Opener, buyer: Persona, javascript: bool) -> None:
    deal = begun(buyer)
    page = open_page(deal.flow.get_absolute_url(), user=buyer.user, javascript=javascript)
    page.get_by_role("link", name="Unsubscribe", exact=True).click()
    fill(page, "400.00")
    page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True).click()
    answer(page, "Remind seller")
    expect(page.locator("#request")).to_contain_text("Reminded")
    page.goto(deal.order.get_absolute_url())
    page.get_by_role("link", name="View request").click()
    answer(page, "Withdraw")
    expect(page.locator("main")).to_contain_text("You withdrew the request")
    expect(page.locator("h1 ~ .badge").first).to_have_text("Withdrawn")


def test_a_request_is_sent_with_the_keyboard_alone(open_page: Opener, buyer: Persona) -> None:
    begun(buyer)
    page = open_page(LIST, user=buyer.user)
    page.get_by_role("link", name="Unsubscribe", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Unsubscribe")
    page.get_by_label(MY_AMOUNT).focus()
    page.keyboard.type("400.00")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("No longer")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Unsubscribe", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Unsubscribe")
    expect(dialog).to_contain_text("The seller gets your phone number and e-mail address, for this order")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Unsubscribe", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    for _each in range(3):
        if dialog.get_by_role("button", name="Refund", exact=True).evaluate("each => each === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/console/unsubscriptions/UN\w+/$"))
    asked = Request.objects.get()
    assert (str(asked.money), asked.reason, asked.contact_given) == ("USD 400.00", "no_longer_needed", True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("width", [1440, 375])
def test_the_pages_are_sound_in_every_look(
    open_page: Opener, buyer: Persona, theme: str, language: str, width: int
) -> None:
    open_deal, rejected = begun(buyer), begun(buyer, "saas")
    asked = reject(rejected, ask(rejected, reason="other", text="No."), comment="No.", uploads=[upload("a.pdf")])
    waits = ask(begun(buyer), contact=True)
    page = open_page(LIST, user=buyer.user, theme=theme, language=language, width=width)
    check_page(page)
    form = f"{LIST}new/{open_deal.flow.number}/"
    for address in (f"{LIST}?tab=images", f"{LIST}?tab=requests", asked.get_absolute_url(), waits.get_absolute_url()):
        page.goto(address)
        check_page(page)
    page.goto(form)
    check_page(page)
    page.get_by_role("textbox").first.fill("400.00")
    page.get_by_role("combobox").last.select_option("by_mistake")
    page.locator("form .button-primary").last.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check_page(page)


def test_the_refund_of_a_card_is_sound_before_it_is_back(open_page: Opener) -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=5))
    asked = agree(deal, ask(deal, "400.00"))
    page = open_page(asked.get_absolute_url(), user=deal.buyer.user)
    expect(page.locator("#refund")).to_contain_text("Overdue")
    check_page(page)
    page.goto(deal.order.get_absolute_url())
    expect(page.locator("#refunds")).to_contain_text("The refund is late")
    check_page(page)
