"""Appeals in the operations console, in Chromium: read, preview, sign, countersign; whole in both themes."""

from __future__ import annotations

import os

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from koogallery import clock
from koogallery.identity.states import OperatorRole
from supervision.states import AppealState
from tests.browsing import Opener
from tests.factories.supervision import supervised
from tests.personas import make_operator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def check(page: Page, name: str) -> None:
    """Nothing the browser complains about, nothing serious that axe finds."""
    page.wait_for_load_state("networkidle")
    assert page.complaints == []  # type: ignore[attr-defined]
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
    found = (
        Axe()
        .run(page, options={"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]})
        .response["violations"]
    )
    serious = [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
    assert serious == [], name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_appeal_is_previewed_signed_and_countersigned(open_page: Opener, theme: str) -> None:
    first, second = (make_operator(OperatorRole.APPEAL_OFFICER) for _each in range(2))
    deal = supervised("license", at=clock.now())
    deal.deliver()
    deal.reject("It does not start.")
    appeal = deal.appeal(reason="Nothing happens.\nFor days.")
    page = open_page(reverse("admin:supervision_appeal_changelist"), user=first.user, theme=theme)
    check(page, f"queue-{theme}")
    page.get_by_role("link", name=appeal.number).click()
    expect(page.get_by_role("heading", name="Operation records")).to_be_visible()
    check(page, f"appeal-{theme}")
    page.get_by_role("link", name="Decide").click()
    page.get_by_label("Decision").select_option("refund_all")
    page.get_by_label("Explanation to both sides").fill("Never delivered.")
    check(page, f"decide-{theme}")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("needed: more than USD 1,000.00 changes hands")).to_be_visible()
    check(page, f"preview-{theme}")
    page.get_by_role("button", name="Sign").click()
    expect(page.get_by_text("Another operations manager has to countersign.")).to_be_visible()
    page = open_page(reverse("admin:supervision_appeal_change", args=[appeal.pk]), user=second.user, theme=theme)
    page.get_by_role("link", name="Countersign").first.click()
    page.get_by_role("button", name="Countersign").click()
    expect(page.get_by_text("Done: Countersign")).to_be_visible()
    check(page, f"decided-{theme}")
    appeal.refresh_from_db()
    assert appeal.state == AppealState.DECIDED


def test_the_bundle_downloads_and_the_calendar_is_kept(open_page: Opener) -> None:
    officer = make_operator(OperatorRole.APPEAL_OFFICER)
    deal = supervised("license", at=clock.now())
    page = open_page(reverse("admin:supervision_flow_change", args=[deal.flow.pk]), user=officer.user)
    check(page, "flow")
    with page.expect_download() as download:
        page.get_by_role("link", name="Evidence bundle").click()
    assert download.value.suggested_filename == f"evidence-{deal.flow.order_number}.zip"
    page = open_page(reverse("admin:kernel_holiday_changelist"), user=officer.user)
    page.get_by_role("link", name="Add holiday").click()
    page.get_by_label("Day").fill("2026-12-25")
    page.get_by_label("Name").fill("Christmas")
    page.get_by_role("button", name="Add holiday").click()
    expect(page.get_by_role("cell", name="Christmas")).to_be_visible()
    check(page, "holidays")
