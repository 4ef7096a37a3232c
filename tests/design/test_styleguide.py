"""Every component renders, in every state the style guide shows."""

from __future__ import annotations

import pytest
from django.test import Client

PAGES = [
    "/styleguide/",
    "/styleguide/?console=seller&errors&toast",
    "/styleguide/?rows=0",
    "/styleguide/list/?rows=1",
    "/styleguide/list/?q=nothing-has-this-name",
    "/styleguide/detail/",
    "/styleguide/detail/?confirm=accept",
    "/styleguide/form/",
    "/styleguide/storefront/",
    *(f"/styleguide/{code}/" for code in (400, 403, 404, 429, 500, 503)),
]


@pytest.mark.django_db
@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_renders_in_both_languages(client: Client, address: str, language: str) -> None:
    client.cookies["django_language"] = language
    answer = client.get(address)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'lang="{language}"' in text
    assert "{%" not in text and "{{" not in text
