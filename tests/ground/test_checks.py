"""The project's own checks find what they are there to find."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest

from koogallery.engine.management.commands.check_templates import find_faults
from koogallery.engine.translations import compile_catalogues


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<p style="color:red">x</p>', "a style attribute"),
        ("<script>alert(1)</script>", "an inline script"),
        ("<style>p{}</style>", "an inline style sheet"),
        ('<button onclick="x()">x</button>', "an event handler attribute"),
        ('<a href="javascript:x()">x</a>', "a javascript: address"),
        ("{% if %}", "Unexpected end of expression"),
        ("{% no_such_tag %}", "Invalid block tag"),
    ],
)
def test_a_template_that_breaks_a_rule_is_found(text: str, fault: str, tmp_path: Path, settings: object) -> None:
    from django.template.backends.django import DjangoTemplates

    (tmp_path / "page.html").write_text(f"<p>\n{text}")
    engine = DjangoTemplates({"NAME": "django", "DIRS": [tmp_path], "APP_DIRS": False, "OPTIONS": {}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("koogallery.engine.management.commands.check_templates.engines", {"django": engine})
        faults = find_faults(tmp_path / "page.html", "page.html")
    assert len(faults) == 1
    assert fault in faults[0]


def test_a_template_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    from django.template.backends.django import DjangoTemplates

    (tmp_path / "page.html").write_text(
        '<script src="/static/app.js" defer></script><script type="application/json">{}</script>'
        '<p data-style="x" class="on-sale">{{ text }}</p>'
    )
    engine = DjangoTemplates({"NAME": "django", "DIRS": [tmp_path], "APP_DIRS": False, "OPTIONS": {}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("koogallery.engine.management.commands.check_templates.engines", {"django": engine})
        assert find_faults(tmp_path / "page.html", "page.html") == []


def test_translations_are_compiled_without_gettext_and_only_when_they_changed(tmp_path: Path) -> None:
    source = tmp_path / "zh_Hans" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: zh_Hans\\n'
        'Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
        'msgid "Buy"\nmsgstr "购买"\n\nmsgid "%d day"\nmsgid_plural "%d days"\nmsgstr[0] "%d 天"\n\n'
        '#, fuzzy\nmsgid "Sell"\nmsgstr "也许"\n'
    )
    written = compile_catalogues(tmp_path)
    assert written == [source.with_suffix(".mo")]
    with open(written[0], "rb") as file:
        translations = gettext.GNUTranslations(file)
    assert translations.gettext("Buy") == "购买"
    assert translations.ngettext("%d day", "%d days", 3) == "%d 天"
    assert translations.gettext("Sell") == "Sell"
    assert compile_catalogues(tmp_path) == []
