"""Fixtures for tests that drive Chromium: `open_page` opens an address as someone, in a theme, language and width.

@pytest.mark.browser
def test_the_buyer_sees_the_order(open_page, buyer):
    page = open_page("/console/orders/", user=buyer.user, theme="dark", width=375)
    check_page(page)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once a run."""
    from tests.conftest import chromium

    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(browser: Browser, live_server: Any) -> Iterator[Opener]:
    """Open an address of the test server; what the browser complains about is in `page.complaints`."""
    contexts = []

    def opener(
        address: str = "/",
        *,
        user: Any = None,
        theme: str = "light",
        language: str = "en",
        width: int = 1440,
        javascript: bool = True,
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            locale="en-US",
            reduced_motion="reduce",
        )
        contexts.append(context)
        cookies = {"theme": theme, settings.LANGUAGE_COOKIE_NAME: language}
        if user is not None:
            client = Client()
            client.force_login(user)
            cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": n, "value": v, "url": live_server.url} for n, v in cookies.items()])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.complaints = complaints  # type: ignore[attr-defined]
        page.goto(address)
        return page

    yield opener
    for context in contexts:
        context.close()


def check_page(page: Page) -> None:
    """Nothing serious for axe, nothing sticks out sideways, one first heading that is the title, no complaint."""
    found = Axe().run(page).response["violations"]
    serious = [
        f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0].get('failureSummary', '')[:300]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert not serious, f"{page.url}\n" + "\n".join(serious)
    sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sticks_out <= 0, f"{page.url} is {sticks_out} px too wide"
    headings = page.locator("h1")
    expect(headings, f"first headings of {page.url}").to_have_count(1)
    expect(page).to_have_title(headings.inner_text())
    assert page.complaints == [], page.complaints  # type: ignore[attr-defined]
