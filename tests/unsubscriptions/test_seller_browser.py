"""Reviews of unsubscription requests as sellers walk them in Chromium: with and without JavaScript, by keyboard."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from koogallery import clock
from orders.states import OrderState
from supervision.states import Step
from tests.browsing import Opener, check_page
from tests.factories.returns import agree, ask, paid_by, reject, remind, withdraw
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import Persona
from tests.supervision.test_flow_pages import PDF
from unsubscriptions.models import Request
from unsubscriptions.states import Status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/seller/unsubscriptions/"


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A file to be attached."""
    path = tmp_path / "proof.pdf"
    path.write_bytes(PDF)
    return path


def begun(buyer: Persona, *, hours: float = 2, method: str = "license") -> Deal:
    """A deal that began so long ago."""
    return supervised(method, buyer=buyer, at=clock.now() - timedelta(hours=hours))


def stored(asked: Request) -> Request:
    return Request.objects.select_related("payout").get(pk=asked.pk)


def press(page: Page, name: str, *, then: str = "OK") -> None:
    """Open a dialog by its button and answer it."""
    page.get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name=then, exact=True).click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_request_is_rejected_with_evidence_asked_again_and_agreed_to(
    open_page: Opener, buyer: Persona, proof: Path, javascript: bool
) -> None:
    deal = begun(buyer)
    asked = ask(deal, "400.00", reason="delivered_late")
    page = open_page(LIST, user=deal.seller.user, javascript=javascript)
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page.locator("main")).to_contain_text("It is your turn: agree to the request or reject it")
    page.get_by_label("Comment").fill("It was delivered in time.")
    page.get_by_label("Evidence files").set_input_files(proof)
    press(page, "Reject", then="Cancel")
    expect(page.get_by_label("Comment")).to_have_value("It was delivered in time.")
    page.get_by_role("button", name="Reject", exact=True).click()
    dialog = page.get_by_role("dialog", name="Reject")
    for named in ("400.00", "Delivered late", asked.order_number):
        expect(dialog).to_contain_text(named)
    dialog.get_by_role("button", name="OK").click()
    expect(page.locator("#answer")).to_contain_text("It was delivered in time.")
    expect(page.locator("#answer")).to_contain_text("proof.pdf")
    assert stored(asked).status is Status.REJECTED

    deal.at = clock.now()
    again = ask(deal, "300.00")
    page.goto(again.get_seller_url())
    press(page, "Agree")
    expect(page.locator("h1 ~ .badge").first).to_have_text("Refunded")
    expect(page.locator("#outcome")).to_contain_text("900.00")
    assert stored(again).status is Status.REFUNDED
    assert (deal.order.state, deal.step) == (OrderState.COMPLETED, Step.UNSUBSCRIBED)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_file_that_is_not_accepted_is_named_and_the_comment_stays(
    open_page: Opener, buyer: Persona, tmp_path: Path, javascript: bool
) -> None:
    deal = begun(buyer)
    asked = ask(deal)
    wrong = tmp_path / "proof.pdf"
    wrong.write_bytes(b"MZ no picture")
    page = open_page(asked.get_seller_url(), user=deal.seller.user, javascript=javascript)
    page.get_by_label("Comment").fill("See the proof.")
    page.get_by_label("Evidence files").set_input_files(wrong)
    page.get_by_role("button", name="Agree", exact=True).click()
    if javascript:
        page.get_by_role("dialog", name="Agree").get_by_role("button", name="OK").click()
    expect(page.get_by_role("alert").first).to_contain_text("proof.pdf")
    expect(page.get_by_label("Comment")).to_have_value("See the proof.")
    assert stored(asked).is_open


def test_a_request_is_agreed_to_with_the_keyboard_alone(open_page: Opener, buyer: Persona) -> None:
    deal = begun(buyer)
    asked = ask(deal)
    page = open_page(asked.get_seller_url(), user=deal.seller.user)
    button = page.get_by_role("button", name="Agree", exact=True)
    for _each in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Agree")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="OK")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1 ~ .badge").first).to_have_text("Refunded")
    assert stored(asked).status is Status.REFUNDED


def test_of_two_tabs_that_answer_the_second_is_told_what_happened(open_page: Opener, buyer: Persona) -> None:
    deal = begun(buyer)
    asked = ask(deal)
    first = open_page(asked.get_seller_url(), user=deal.seller.user)
    second = open_page(asked.get_seller_url(), user=deal.seller.user)
    press(first, "Agree")
    expect(first.locator("#outcome")).to_contain_text("Outcome")
    press(second, "Reject")
    expect(second.get_by_role("alert").first).to_contain_text("The request is no longer open: Refunded.")
    expect(second.get_by_role("button", name="Reject", exact=True)).to_have_count(0)
    assert stored(asked).status is Status.REFUNDED


@pytest.mark.parametrize(("theme", "language", "width"), [("light", "en", 1280), ("dark", "zh-hans", 375)])
def test_the_pages_are_accessible_in_every_state(
    open_page: Opener, buyer: Persona, theme: str, language: str, width: int
) -> None:
    waits = begun(buyer, hours=30)
    open_one = ask(waits, "400.00", reason="other", text="The project ended.\nNobody needs it.", contact=True)
    waits.wait(hours=26)
    remind(waits, open_one)
    frozen = begun(buyer)
    frozen_one = ask(frozen)
    frozen.appeal()
    rejected = begun(buyer)
    rejected_one = reject(rejected, ask(rejected), comment="No.", uploads=[upload()])
    withdrawn = begun(buyer)
    withdrawn_one = withdraw(withdrawn, ask(withdrawn))
    late = paid_by("card", at=clock.now() - timedelta(hours=5))
    late_one = agree(late, ask(late, "400.00"))
    pages = [
        (waits.seller.user, LIST),
        (waits.seller.user, f"{LIST}?q=nothing"),
        (waits.seller.user, "/seller/"),
        (waits.seller.user, open_one.get_seller_url()),
        (waits.seller.user, f"{open_one.get_seller_url()}agree/"),
        (waits.seller.user, f"{open_one.get_seller_url()}reject/"),
        (frozen.seller.user, frozen_one.get_seller_url()),
        (rejected.seller.user, rejected_one.get_seller_url()),
        (withdrawn.seller.user, withdrawn_one.get_seller_url()),
        (late.seller.user, LIST),
        (late.seller.user, late_one.get_seller_url()),
        (late.buyer.user, "/console/"),
    ]
    for user, address in pages:
        check_page(open_page(address, user=user, theme=theme, language=language, width=width))
