"""The control for files in a browser, with and without JavaScript."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from koogallery.kernel.files import MAX_SIZE
from tests.browsing import Opener, check_page
from tests.factories.files import CONTENTS
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = "/styleguide/form/"


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    path = tmp_path / "proof.pdf"
    path.write_bytes(CONTENTS["pdf"])
    return path


@pytest.fixture
def too_large(tmp_path: Path) -> Path:
    path = tmp_path / "too large.pdf"
    with path.open("wb") as file:
        file.write(CONTENTS["pdf"])
        file.truncate(MAX_SIZE + 1)
    return path


def send(page: Page) -> None:
    """Send the form."""
    page.get_by_role("button", name="Sign up").click()


def test_chosen_files_are_listed_and_the_one_too_large_is_marked_before_it_is_sent(
    open_page: Opener, buyer: Persona, proof: Path, too_large: Path
) -> None:
    page = open_page(ADDRESS, user=buyer.user)
    control = page.get_by_label("Attachment")
    control.set_input_files([proof, too_large])
    chosen = page.locator("[data-chosen] li")
    expect(chosen).to_have_count(2)
    expect(chosen.nth(0)).to_have_text("proof.pdf1 KB")
    expect(chosen.nth(1)).to_have_text("too large.pdf50.0 MB – larger than 50.0 MB")
    expect(control).to_have_attribute("aria-invalid", "true")
    control.set_input_files([proof])
    expect(chosen).to_have_count(1)
    expect(control).not_to_have_attribute("aria-invalid", "true")
    check_page(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_refused_form_keeps_the_file_until_it_is_removed(
    open_page: Opener, buyer: Persona, proof: Path, too_large: Path, javascript: bool
) -> None:
    page = open_page(ADDRESS, user=buyer.user, javascript=javascript)
    page.get_by_label("Reason").fill("Everything works.")
    page.get_by_label("Attachment").set_input_files([proof, too_large])
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("too large.pdf is larger than 50.0 MB.")
    expect(page.get_by_label("Reason")).to_have_value("Everything works.")
    remove = page.get_by_role("checkbox", name="Remove proof.pdf")
    expect(remove).to_be_visible()
    expect(page.get_by_role("checkbox", name="Remove")).to_have_count(1)
    if javascript:
        check_page(page)
    send(page)
    expect(page.get_by_role("alert")).not_to_contain_text("too large.pdf")
    expect(remove).to_be_visible()
    remove.check()
    send(page)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("proof.pdf")).to_have_count(0)
