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
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

Opener = Callable[..., Page]

# Only what is wrong is worth carrying over, and nothing needs to be fetched again where no sound is played.
SERIOUS_FAULTS = """async () => {
    const options = {resultTypes: ["violations"], preload: !!document.querySelector("audio, video")};
    const {violations} = await axe.run(options);
    const serious = violations.filter((it) => ["serious", "critical"].includes(it.impact));
    return serious.map(({id, nodes: [first]}) =>
        `${id}: ${first.html.slice(0, 200)} ${(first.failureSummary ?? "").slice(0, 300)}`
    );
}"""


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
    """Open an address of the test server; what the browser complains about is in `page.complaints`.

    The pages of one user in one look share what a browser's tabs share: cookies, and style sheets once loaded.
    """
    contexts: list[BrowserContext] = []
    shared: dict[tuple[Any, ...], BrowserContext] = {}

    def opener(
        address: str = "/",
        *,
        user: Any = None,
        theme: str = "light",
        language: str = "en",
        width: int = 1440,
        javascript: bool = True,
    ) -> Page:
        size: ViewportSize = {"width": width, "height": 900}
        key = (user.pk, theme, language, javascript) if user is not None else None
        context = shared.get(key) if key is not None else None
        if context is None:
            context = browser.new_context(
                base_url=live_server.url, java_script_enabled=javascript, locale="en-US", reduced_motion="reduce"
            )
            contexts.append(context)
            cookies = {"theme": theme, settings.LANGUAGE_COOKIE_NAME: language}
            if user is not None:
                client = Client()
                client.force_login(user)
                cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": n, "value": v, "url": live_server.url} for n, v in cookies.items()])
            if key is not None:
                shared[key] = context
        page = context.new_page()
        page.set_viewport_size(size)
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
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    serious = page.evaluate(SERIOUS_FAULTS)
    assert not serious, f"{page.url}\n" + "\n".join(serious)
    sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sticks_out <= 0, f"{page.url} is {sticks_out} px too wide"
    headings = page.locator("h1")
    expect(headings, f"first headings of {page.url}").to_have_count(1)
    expect(page).to_have_title(headings.inner_text())
    assert page.complaints == [], page.complaints  # type: ignore[attr-defined]
