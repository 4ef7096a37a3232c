"""The list of refusals: complete in both languages, documented, and with no code that nobody raises."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from koogallery.kernel.management.commands.reason_codes import document
from koogallery.kernel.reasons import REASONS, Reason, Refused

ROOT = Path(settings.ROOT)
SOURCES = ("koogallery", "audit", "billing", "catalog", "orders", "supervision", "unsubscriptions")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_both_languages_say_the_same_with_the_same_parameters(reason: Reason) -> None:
    assert placeholders(reason.english) == placeholders(reason.chinese)
    assert re.search(r"[\u4e00-\u9fff]", reason.chinese) and not re.search(r"[\u4e00-\u9fff]", reason.english)


def test_the_documentation_is_generated_from_the_list() -> None:
    written = (ROOT / "docs" / "reason-codes.md").read_text(encoding="utf-8")
    assert written == document(), "Run `manage.py reason_codes --write`."


def test_no_code_stands_in_the_list_that_nothing_can_raise() -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "reasons.py"
    )
    unused = [code for code in REASONS if not re.search(rf"[\"']{code}[\"']", text)]
    assert unused == []


def test_a_refusal_speaks_the_language_in_force() -> None:
    refused = Refused("state_move", source="A", target="B")
    with translation.override("zh-hans"):
        assert refused.sentence == "无法操作：“A”不能变为“B”。"
    with translation.override("en"):
        assert refused.sentence == "This is not possible: A cannot become B."


def test_a_code_that_is_not_listed_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Refused("no_such_code")
