"""Milestone bills in Chromium: repaid with and without JavaScript, readable in both themes and at 320 px."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from billing.operations import repaying
from billing.states import BillState
from koogallery import clock
from koogallery.kernel import pages
from tests.browsing import Opener, check_page
from tests.factories import billing as money
from tests.factories.offers import bills_of, in_milestones
from tests.factories.supervision import Deal
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/console/bills/milestones/"


def billed_twice(buyer: Persona, *, days_ago: int = 2) -> Deal:
    """Two of three milestones are billed."""
    deal = in_milestones(shares=["30", "30", "40"], buyer=buyer, at=clock.now() - timedelta(days=days_ago))
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.accept()
    return deal


@pytest.mark.parametrize("javascript", [True, False])
def test_a_bill_is_repaid_from_the_list(open_page: Opener, buyer: Persona, javascript: bool) -> None:
    deal = billed_twice(buyer)
    money.fund(buyer.account, 1000)
    first = bills_of(deal.order)[0]
    page = open_page(LIST, user=buyer.user, javascript=javascript)
    row = page.get_by_role("row").filter(has_text=first.number)
    row.get_by_role("link", name="Repay").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Bill {first.number} for milestone 1 of 3")
    expect(dialog).to_contain_text("is repaid in full: USD 300.00")
    dialog.get_by_role("button", name="Repay").click()
    expect(page.locator("main")).to_contain_text("Repaid on")
    expect(page.get_by_role("button", name="Repay")).to_have_count(0)
    assert bills_of(deal.order)[0].state == BillState.REPAID


def test_a_refusal_stands_in_the_dialog_and_another_card_repays(open_page: Opener, buyer: Persona) -> None:
    deal = billed_twice(buyer)
    money.card(buyer.account, token="sandbox-declined", last_digits="0002")
    money.card(buyer.account, last_digits="4242")
    page = open_page(bills_of(deal.order)[0].get_absolute_url(), user=buyer.user)
    page.get_by_role("button", name="Repay").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("0002").check()
    dialog.get_by_role("button", name="Repay").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The card was declined.")
    expect(dialog.get_by_label("0002")).to_be_checked()
    dialog.get_by_label("4242").check()
    dialog.get_by_role("button", name="Repay").click()
    expect(page.locator("main")).to_contain_text("Repaid on")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_bills_are_readable(open_page: Opener, buyer: Persona, theme: str, width: int) -> None:
    deal = billed_twice(buyer, days_ago=40)
    money.fund(buyer.account, 300)
    first, second = bills_of(deal.order)
    repaying.repay(buyer.call(key=pages.new_key()), bill=first.number, method="balance")
    seen = {
        "list": LIST,
        "repaid": first.get_absolute_url(),
        "overdue": second.get_absolute_url(),
        "repay": f"{second.get_absolute_url()}?confirm=repay-bill",
        "order": deal.order.get_absolute_url(),
        "flow": f"/console/supervision/{deal.flow.number}/",
        "overview": "/console/billing/",
    }
    for name, address in seen.items():
        page = open_page(address, user=buyer.user, theme=theme, width=width)
        check_page(page)
        if folder := os.environ.get("KOOGALLERY_PICTURES"):
            page.screenshot(path=f"{folder}/bills-{name}-{theme}-{width}.png", full_page=True)
