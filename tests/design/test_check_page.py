"""The check that every browser test asks finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.browsing import Opener, check_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FAULTS = {
    "color-contrast": "Object.assign(document.querySelector('main label').style, {color: '#ccc', transition: 'none'})",
    "button-name": "document.querySelector('main').append(document.createElement('button'))",
    "px too wide": "document.querySelector('h1').style.paddingLeft = '5000px'",
    "first headings": "document.querySelector('h1').remove()",
    "title": "document.title = 'Another'",
    "out of order": "console.error('out of order')",
}


def test_each_fault_of_a_page_is_named(open_page: Opener) -> None:
    page = open_page("/styleguide/form/")
    check_page(page)
    for said, broken in FAULTS.items():
        page.evaluate(broken)
        with pytest.raises(AssertionError, match=f"(?s){said}"):
            check_page(page)
        page.reload()
        page.complaints.clear()  # type: ignore[attr-defined]
    check_page(page)
