"""Every text of code and templates has its Chinese, with the same placeholders."""

from __future__ import annotations

import pytest

from koogallery.engine import translations


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    assert translations.missing(language) == [], "Run `make messages` and fill the new texts."


def test_texts_of_code_and_templates_are_found() -> None:
    found = {message.id for message in translations.collect() if isinstance(message.id, str)}
    assert {"Pay Now", "Continue to Submit", "Purchased Apps", "Pending payment"} <= found
