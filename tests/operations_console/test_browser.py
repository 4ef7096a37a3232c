"""The operations console in Chromium: nothing missing, nothing refused by the browser, in both themes and languages."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from koogallery import clock
from koogallery.kernel.models import OutboxMessage
from tests.browsing import Opener
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = ("/admin/", "/admin/parked/", "/admin/policies/", "/admin/policies/what-if/", "/admin/audit/trace/")


@pytest.mark.parametrize(("theme", "language", "width"), [("light", "en", 1440), ("dark", "zh-hans", 1024)])
def test_every_page_of_the_console_is_whole(
    open_page: Opener,
    operator: Persona,
    theme: str,
    language: str,
    width: int,
) -> None:
    now = clock.now()
    OutboxMessage.objects.create(kind="mail", key="mail:1", created_at=now, parked_at=now, attempts=12, error="refused")
    for address in PAGES:
        page = open_page(address, user=operator.user, theme=theme, language=language, width=width)
        page.wait_for_load_state("networkidle")
        assert page.complaints == [], (address, page.complaints)
        expect(page.locator("html")).to_have_attribute("lang", language)
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
        assert serious == [], address


def test_an_operations_manager_tries_a_parked_message_again(open_page: Opener, operator: Persona) -> None:
    now = clock.now()
    row = OutboxMessage.objects.create(
        kind="unknown", key="mail:1", created_at=now, parked_at=now, attempts=12, error="refused"
    )
    page = open_page(f"/admin/kernel/outboxmessage/{row.pk}/change/", user=operator.user)
    page.get_by_role("link", name="Try again").first.click()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Done: Try again")).to_be_visible()
    row.refresh_from_db()
    assert row.parked_at is None
