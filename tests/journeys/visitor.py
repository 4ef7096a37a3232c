"""A visitor of the site: finds each control by its role and label, with the pointer or by keyboard alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, override
from playwright.sync_api import Locator, Page, expect

MOST_TABS = 150
AMOUNT = re.compile(r"USD\s[\d,]+\.\d\d")


def amounts_in(text: str) -> list[str]:
    """The amounts in a text, in order, with plain spaces."""
    return [found.replace("\xa0", " ") for found in AMOUNT.findall(text)]


@dataclass
class Visitor:
    """Someone at a page. Labels are given in English and looked for in the visitor's language."""

    page: Page
    language: str = "en"
    keyboard: bool = False
    narrow: bool = False

    def word(self, text: str, /, **params: Any) -> str:
        """A label as this visitor reads it."""
        with override(self.language):
            said = gettext(text)
        return said % params if params else said

    def find(self, role: Any, label: str, /, *, within: Locator | None = None, **params: Any) -> Locator:
        """A control by role and label."""
        return (within or self.page).get_by_role(role, name=self.word(label, **params), exact=True).first

    def field(self, label: str) -> Locator:
        """A field by the label it is read with."""
        return self.page.locator("main").get_by_label(self.word(label), exact=True)

    # What a visitor does

    def press(self, role: Any, label: str, /, *, within: Locator | None = None, **params: Any) -> None:
        """Press a link or a button."""
        control = self.find(role, label, within=within, **params)
        if self.keyboard:
            self.reach(control)
            self.page.keyboard.press("Enter")
        else:
            control.click()

    def write(self, control: Locator, text: str) -> None:
        """Write into a field, in place of what is there."""
        if self.keyboard:
            self.reach(control)
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.type(text)
        else:
            control.fill(text)

    def tick(self, label: str) -> None:
        """Tick a box."""
        box = self.find("checkbox", label)
        if self.keyboard:
            self.reach(box)
            self.page.keyboard.press("Space")
        else:
            box.check()
        expect(box).to_be_checked()

    def choose(self, option: Locator) -> None:
        """Choose a radio button of its group."""
        if not self.keyboard:
            option.check()
            return
        name = option.get_attribute("name")
        self.reach(self.page.locator(f'input[type=radio][name="{name}"]:checked'))
        for _step in range(20):
            if option.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
            self.settle()
        expect(option).to_be_checked()

    def reach(self, control: Locator) -> None:
        """Press Tab until a control has the focus, past the header by the link that skips it; it must show it."""
        expect(control).to_be_visible()
        self.settle()
        in_main = control.evaluate("it => document.getElementById('main').contains(it)")
        if in_main and self.page.evaluate("document.activeElement === document.body"):
            self.page.keyboard.press("Tab")
            expect(self.page.locator("a.skip")).to_be_focused()
            self.page.keyboard.press("Enter")
        for _step in range(MOST_TABS):
            if control.evaluate("it => it === document.activeElement"):
                assert control.evaluate("it => it.matches(':focus-visible')")
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{MOST_TABS} times Tab did not reach {control} on {self.page.url}")

    def settle(self) -> None:
        """Wait until the page is whole."""
        self.page.wait_for_load_state("load")

    # What a visitor sees

    def arrive(self, title: str, **params: Any) -> None:
        """Wait for the page with this title."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.word(title, **params))
        self.settle()

    def read(self) -> str:
        """What the page says."""
        return self.page.locator("main").inner_text()

    def sum_of(self, label: str) -> str:
        """The amount beside a label, where the page adds up."""
        row = self.page.locator("main dl > div").filter(has=self.page.locator("dt", has_text=self.word(label)))
        return amounts_in(row.last.inner_text())[0]

    def open_console(self, *labels: str) -> None:
        """Go to a page of the buyer's console by the account menu and the navigation."""
        self.press_menu("menu-user")
        self.press("link", "My KooGallery", within=self.page.locator("#menu-user"))
        self.arrive("Overview")
        for label in labels:
            if self.narrow:
                self.press_menu("sidenav")
            self.press("link", label, within=self.page.locator("#sidenav"))
            self.arrive(label)

    def press_menu(self, menu: str) -> None:
        """Open a menu by its button."""
        opener = self.page.locator(f"[popovertarget={menu}]:visible")
        if self.keyboard:
            self.reach(opener)
            self.page.keyboard.press("Enter")
        else:
            opener.click()
        expect(self.page.locator(f"#{menu}")).to_be_visible()
