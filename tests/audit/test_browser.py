"""Traces and messages in Chromium: filtered, opened, exported; whole in both themes, languages and any width."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from audit.models import Trace
from koogallery import clock
from koogallery.kernel.operations import Rating
from koogallery.notifications.operations import notify
from tests.browsing import Opener, check_page
from tests.factories.audit import trace
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fill(buyer: Persona) -> None:
    now = clock.now()
    for number in range(12):
        trace(
            "setMessagePreferences" if number % 3 else "choosePolicies",
            call=buyer.call(at=now - timedelta(minutes=number)),
            resource_id=f"CS26112209{number:02d}ABCDE",
            resource_name="a product with quite a long name",
            rating=Rating.WARNING if number % 5 == 0 else Rating.NORMAL,
            request={"pack": "2024"},
        )
    for kind in ("order_paid", "order_undeliverable"):
        notify(
            account_id=buyer.account.pk,
            kind=kind,
            params={"order": "CS1", "product": "InkRoute", "amount": "USD 12.00", "hours": 3, "contact": "a@b.example"},
            link="/console/orders/",
            key=kind,
            at=now,
        )


@pytest.mark.parametrize(
    ("theme", "language", "width"), [("light", "en", 1440), ("dark", "zh-hans", 1024), ("light", "zh-hans", 320)]
)
def test_every_page_is_whole(open_page: Opener, buyer: Persona, theme: str, language: str, width: int) -> None:
    fill(buyer)
    addresses = ["/console/traces/", f"/console/traces/{Trace.objects.latest('id').trace_id}/"]
    addresses += ["/console/messages/", "/console/messages/preferences/"]
    addresses.append(f"/console/messages/{buyer.user.messages_received.latest('id').pk}/")
    for address in addresses:
        check_page(open_page(address, user=buyer.user, theme=theme, language=language, width=width))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_column_is_in_sight_at_1280(open_page: Opener, buyer: Persona, language: str) -> None:
    fill(buyer)
    page = open_page("/console/traces/", user=buyer.user, width=1280, language=language)
    expect(page.locator("#traces tbody tr")).to_have_count(12)
    expect(page.locator(".table-wrap[data-wide]")).to_have_count(0)


def test_traces_are_filtered_in_place_and_opened_by_their_name(open_page: Opener, buyer: Persona) -> None:
    fill(buyer)
    page = open_page("/console/traces/", user=buyer.user)
    page.get_by_label("Trace Name").fill("choosePolicies")
    page.get_by_label("Trace Status").select_option("warning")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#traces tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("trace_name=choosePolicies"))
    page.get_by_role("link", name="choosePolicies").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("choosePolicies")
    expect(page.locator("pre").last).to_contain_text('"trace_rating": "warning"')
    page.go_back()
    expect(page.get_by_role("combobox", name="Trace Name")).to_have_value("choosePolicies")


def test_without_javascript_filters_pages_and_exports_work(open_page: Opener, buyer: Persona) -> None:
    fill(buyer)
    page = open_page("/console/traces/?size=10", user=buyer.user, javascript=False)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#traces tbody tr")).to_have_count(2)
    page.goto("/console/traces/")
    page.get_by_label("Resource ID").fill("CS2611220900ABCDE")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#traces tbody tr")).to_have_count(1)


def test_recording_is_switched_off_after_a_question(open_page: Opener, buyer: Persona) -> None:
    page = open_page("/console/traces/", user=buyer.user)
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(page.get_by_text("Not recording")).to_be_visible()
    assert Trace.objects.get().trace_name == "disableTracker"
