"""Service flows as people walk them in Chromium: with and without JavaScript, with the keyboard alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from koogallery import clock
from orders.saas.answers import ApplicationInfo
from supervision.states import Step
from tests.browsing import Opener, check_page
from tests.factories.supervision import Deal, supervised
from tests.personas import Persona
from tests.supervision.test_flow_pages import PDF

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/console/supervision/"


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A file to be attached."""
    path = tmp_path / "proof.pdf"
    path.write_bytes(PDF)
    return path


def begun(method: str, buyer: Persona) -> Deal:
    """A deal that began two hours ago."""
    return supervised(method, buyer=buyer, at=clock.now() - timedelta(hours=2))


def answer(page: Page, opener: str) -> None:
    """Open a dialog by its button and answer it with OK."""
    page.get_by_role("button", name=opener, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_license_is_delivered_rejected_delivered_again_and_accepted(
    open_page: Opener, buyer: Persona, proof: Path, javascript: bool
) -> None:
    deal = begun("license", buyer)
    sell = open_page("/seller/supervision/", user=deal.seller.user, javascript=javascript)
    sell.get_by_role("link", name="Deliver Service").click()
    sell.get_by_role("button", name="Deliver Service").click()
    expect(sell.get_by_role("alert")).to_contain_text("Upload a delivery proof.")
    sell.get_by_label("Delivery proof").set_input_files(proof)
    sell.get_by_label("License key").fill("AAAA-BBBB")
    sell.get_by_role("button", name="Deliver Service").click()
    expect(sell.locator("main")).to_contain_text("The customer is checking what you delivered")

    buy = open_page(LIST, user=buyer.user, javascript=javascript)
    buy.get_by_role("link", name="Accept Service").click()
    buy.get_by_role("button", name="Reject Service").click()
    buy.get_by_role("dialog").get_by_label("Reason").fill("The key is for another version.")
    buy.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(buy.locator("#records")).to_contain_text("The key is for another version.")
    expect(buy.locator("h1 ~ .badge").first).to_have_text("Waiting for the seller to provide the service")
    answer(buy, "Remind seller")
    expect(buy.locator("#records")).to_contain_text("Seller reminded")

    deal.flow.refresh_from_db()
    deal.at = clock.now()
    deal.deliver(license_key="CCCC-DDDD")
    buy.goto(deal.flow.get_absolute_url())
    answer(buy, "Accept Service")
    expect(buy.locator("#service")).to_contain_text("completes at")
    assert deal.step == Step.ACCEPTED


@pytest.mark.parametrize("javascript", [True, False])
def test_a_saas_request_is_submitted_tried_and_accepted(
    open_page: Opener, buyer: Persona, proof: Path, javascript: bool
) -> None:
    deal = begun("saas", buyer)
    buy = open_page(LIST, user=buyer.user, javascript=javascript)
    buy.get_by_role("link", name="Submit Request").click()
    buy.get_by_role("button", name="Submit request").click()
    expect(buy.get_by_role("alert")).to_contain_text("Write what it is about.")
    buy.get_by_label("Requirement Description").fill("Ten seats in Dublin.")
    buy.get_by_label("Attachment").set_input_files(proof)
    buy.get_by_role("button", name="Submit request").click()
    buy.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(buy.get_by_label("Requirement Description")).to_have_value("Ten seats in Dublin.")
    answer(buy, "Submit request")
    expect(buy.locator("#request")).to_contain_text("Ten seats in Dublin.")
    expect(buy.locator("#request")).to_contain_text("proof.pdf")

    sell = open_page("/seller/supervision/", user=deal.seller.user, javascript=javascript)
    sell.get_by_role("link", name="Accept Request").click()
    answer(sell, "Accept Request")
    sell.get_by_role("link", name="Deliver Service").click()
    sell.get_by_label("Delivery proof").set_input_files(proof)
    sell.get_by_label("Frontend URL").fill("https://app.example.com")
    sell.get_by_label("Username").fill("admin")
    sell.get_by_role("textbox", name="Password").fill("s3cret")
    sell.get_by_role("button", name="Deliver Service").click()
    expect(sell.locator("#delivery")).to_contain_text("proof.pdf")

    buy.goto(deal.flow.get_absolute_url())
    expect(buy.locator("#application")).to_contain_text("admin")
    buy.get_by_role("button", name="Show Password").click()
    expect(buy.locator("main")).to_contain_text("s3cret")
    buy.goto(deal.flow.get_absolute_url())
    answer(buy, "Accept Service")
    expect(buy.locator("main")).to_contain_text("Completes at")


@pytest.mark.parametrize("javascript", [True, False])
def test_an_appeal_is_initiated_and_withdrawn(open_page: Opener, buyer: Persona, proof: Path, javascript: bool) -> None:
    deal = begun("license", buyer)
    page = open_page(LIST, user=buyer.user, javascript=javascript)
    page.get_by_role("link", name="View Details").click()
    page.get_by_role("link", name="Initiate Appeal").click()
    page.get_by_label("Reason").fill("Nothing happens.")
    page.get_by_label("Attachment").set_input_files(proof)
    page.get_by_role("button", name="OK").click()
    expect(page.locator("main")).to_contain_text("The service flow is frozen")
    page.get_by_role("textbox", name="Message").fill("Are you there?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#messages")).to_contain_text("Are you there?")
    answer(page, "Withdraw")
    expect(page.locator("#records")).to_contain_text("Appeal withdrawn")
    assert not deal.flow.appeals.filter(state="open").exists()


def test_a_flow_is_accepted_with_the_keyboard_alone(open_page: Opener, buyer: Persona) -> None:
    deal = begun("license", buyer).to(Step.CONFIRM)
    page = open_page(deal.flow.get_absolute_url(), user=buyer.user)
    button = page.get_by_role("button", name="Accept Service")
    for _each in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Accept Service")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text(deal.flow.order_number)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="OK")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Completes at")


@pytest.mark.parametrize(("theme", "language", "width"), [("light", "en", 1280), ("dark", "zh-hans", 375)])
def test_a_delivery_is_accessible_in_every_state_of_its_page(
    open_page: Opener, buyer: Persona, theme: str, language: str, width: int
) -> None:
    tried = begun("saas", buyer).to(Step.PROVIDE)
    tried.deliver(application=ApplicationInfo(front_end_url="https://app.example.com", password="s3cret"))
    late = supervised("hardware", buyer=buyer, at=clock.now() - timedelta(days=9))
    frozen = begun("license", buyer).to(Step.CONFIRM)
    frozen.appeal()
    parts = begun("professional_service", buyer)
    mine = buyer.user
    pages = [
        (mine, f"{LIST}?q=nothing"),
        (mine, f"{tried.flow.get_absolute_url()}?confirm=reject"),
        (mine, late.flow.get_absolute_url()),
        (mine, f"{LIST}{late.flow.number}/appeal/"),
        (mine, frozen.flow.get_absolute_url()),
        (mine, parts.flow.get_absolute_url()),
        (late.seller.user, late.flow.get_seller_url()),
        (frozen.seller.user, frozen.flow.get_seller_url()),
    ]
    for user, address in pages:
        check_page(open_page(address, user=user, theme=theme, language=language, width=width))
