"""The components as a person meets them: by mouse, by keyboard, without JavaScript, narrow and dark."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import Opener, check_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = [
    "/styleguide/?errors&toast",
    "/styleguide/list/",
    "/styleguide/detail/",
    "/styleguide/form/",
    "/styleguide/404/",
]


@pytest.mark.parametrize("address", PAGES)
def test_every_component_is_accessible_in_both_themes_and_on_narrow_screens(open_page: Opener, address: str) -> None:
    for theme, width in (("light", 1440), ("dark", 320)):
        check_page(open_page(address, theme=theme, width=width))


def test_search_filter_and_tabs_work_without_leaving_the_page_and_come_back(open_page: Opener) -> None:
    page = open_page("/styleguide/list/")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="In delivery").click()
    page.wait_for_url("**/?tab=auth")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("searchbox", name="Product, specification").fill("group")
    page.wait_for_url("**/?tab=auth&q=group")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#list-sample-q")).to_be_focused()
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    assert page.evaluate("window.stayed")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)


def test_the_same_without_javascript(open_page: Opener) -> None:
    page = open_page("/styleguide/list/", javascript=False)
    page.get_by_role("searchbox", name="Product, specification").fill("group")
    page.get_by_role("button", name="Apply").first.click()
    expect(page.get_by_text("Search: group")).to_be_visible()
    page.goto("/styleguide/detail/")
    page.get_by_role("button", name="Accept Service").click()
    dialog = page.get_by_role("dialog", name="Accept Service")
    expect(dialog).to_contain_text("USD 1,200.00 goes to the seller")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Show Password").click()
    expect(page.locator("main")).to_contain_text("s3cret-Value")


def test_a_list_comes_back_as_it_was_left(open_page: Opener) -> None:
    page = open_page("/styleguide/list/?q=user")
    page.goto("/styleguide/detail/")
    page.evaluate("document.querySelector('.crumbs a').setAttribute('href', '/styleguide/list/')")
    page.locator(".crumbs a").first.click()
    expect(page).to_have_url(re.compile(r"/styleguide/list/\?q=user$"))


def test_a_date_range_is_sent_by_its_button(open_page: Opener) -> None:
    page = open_page("/styleguide/list/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/styleguide/list/" in request.url else None)
    page.get_by_role("button", name="Bought").click()
    page.get_by_label("From", exact=True).fill("2026-01-01")
    page.get_by_label("Through", exact=True).fill("2026-12-31")
    page.get_by_label("Through", exact=True).blur()
    page.locator(".menu:popover-open").get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"=2026-01-01&.*=2026-12-31"))
    assert len(asked) == 1, asked


def test_the_head_of_a_table_stays_in_sight(open_page: Opener) -> None:
    page = open_page("/styleguide/list/?size=50&columns_set=1&columns=number&columns=state", width=1440)
    page.mouse.wheel(0, 1200)
    page.wait_for_function("scrollY > 300")
    page.wait_for_function(
        """() => {
            const box = (selector) => document.querySelector(selector).getBoundingClientRect();
            return Math.abs(box("thead th:nth-child(2)").top - box(".topbar").bottom) <= 4;
        }"""
    )


def test_a_dialog_opens_by_keyboard_holds_the_focus_and_gives_it_back(open_page: Opener) -> None:
    page = open_page("/styleguide/detail/")
    button = page.get_by_role("button", name="Accept Service").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog:modal")).to_have_count(1)
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(page.locator("dialog:modal")).to_have_count(0)
    expect(button).to_be_focused()


def test_a_dialog_that_came_open_with_its_page_gives_the_focus_to_its_button(open_page: Opener) -> None:
    page = open_page("/styleguide/detail/")
    button = page.get_by_role("button", name="Accept Service").first
    opens = button.get_attribute("data-dialog")
    page.goto(f"/styleguide/detail/?confirm={opens}")
    for leave in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.locator("dialog:modal [data-close]").first.click(),
    ):
        expect(page.locator("dialog:modal")).to_have_count(1)
        leave()
        expect(page.locator("dialog:modal")).to_have_count(0)
        expect(button).to_be_focused()
        page.reload()


def test_the_eye_shows_a_password_for_thirty_seconds(open_page: Opener) -> None:
    page = open_page("about:blank")
    page.clock.install()
    page.goto("/styleguide/detail/")
    page.get_by_role("button", name="Show Password").click()
    page.clock.run_for(500)
    expect(page.locator(".secret")).to_contain_text("s3cret-Value")
    page.clock.run_for(30_000)
    expect(page.locator(".secret")).not_to_contain_text("s3cret-Value")


def test_a_disabled_control_says_why_and_who_can_help_by_press_and_by_focus(open_page: Opener) -> None:
    page = open_page("/styleguide/")
    button = page.get_by_role("button", name="No reason to buy")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("The product left the catalogue.")
    button.click(force=True)
    expect(page.locator(".why:popover-open")).to_have_text("The product left the catalogue.")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Refused").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".why:popover-open")).to_contain_text("Ask your account's administrator")


def test_the_navigation_is_a_drawer_on_narrow_screens(open_page: Opener) -> None:
    page = open_page("/styleguide/list/", width=700)
    expect(page.locator("#sidenav")).to_be_hidden()
    page.get_by_role("button", name="Open navigation").click()
    expect(page.locator("#sidenav")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#sidenav")).to_be_hidden()


def test_theme_and_language_stay_on_the_page(open_page: Opener) -> None:
    page = open_page("/styleguide/list/?q=user")
    page.get_by_role("button", name="Language and theme").click()
    page.get_by_role("link", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Language and theme").click()
    page.get_by_role("link", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page).to_have_url(re.compile(r"/styleguide/list/\?q=user$"))


def test_an_address_elsewhere_is_not_followed(open_page: Opener) -> None:
    page = open_page("/preferences/display/?theme=dark&next=https://elsewhere.example/")
    assert "elsewhere" not in page.url


def test_pressing_twice_sends_one_form(open_page: Opener) -> None:
    page = open_page("/styleguide/form/")
    page.route("**/styleguide/form/", lambda route: None)
    with page.expect_request("**/styleguide/form/") as sent:
        let_through = page.evaluate(
            """async () => {
                const button = document.querySelector("form.form button[type=submit].button-primary");
                let count = 0;
                addEventListener("submit", (event) => { count += event.defaultPrevented ? 0 : 1; });
                for (const wait of [0, 120, 240]) {
                    await new Promise((done) => setTimeout(done, wait));
                    button.click();
                }
                return count;
            }"""
        )
    assert sent.value.method == "POST"
    assert let_through == 1
