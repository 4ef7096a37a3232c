"""What is rendered once: `{% steady %}` by language, and nothing of a page in it; crumbs, tabs, facts as markup."""

from __future__ import annotations

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils import translation
from django.utils.translation import gettext_lazy

from koogallery.kernel import markup


def test_steady_is_rendered_once_for_each_language(monkeypatch: pytest.MonkeyPatch) -> None:
    template = Template('{% load kept %}{% steady %}{% translate "Search" %}{% endsteady %}')
    with translation.override("en"):
        english = template.render(Context())
    with translation.override("zh-hans"):
        chinese = template.render(Context())
    assert english == "Search" != chinese
    monkeypatch.setattr("django.templatetags.i18n.TranslateNode.render", lambda node, context: "again")
    with translation.override("zh-hans"):
        assert template.render(Context()) == chinese


def test_steady_sees_nothing_of_the_page_around_it() -> None:
    template = Template("{% load kept %}{% steady %}[{{ secret }}]{% endsteady %}{{ secret }}")
    assert template.render(Context({"secret": "one"})) == "[]one"
    assert template.render(Context({"secret": "two"})) == "[]two"


def test_a_block_inside_steady_is_refused() -> None:
    with pytest.raises(TemplateSyntaxError, match="block"):
        Template("{% load kept %}{% steady %}{% block title %}{% endblock %}{% endsteady %}")


@pytest.mark.parametrize(
    "made",
    [
        markup.tabs_html([{"label": "<b>", "url": '/?q="><b>', "current": True, "count": "<b>"}], label="<b>"),
        markup.crumbs_html([("<b>", '/?q="><b>'), ("<b>", "")]),
        markup.facts_html([("<b>", "<b>")]),
        markup.hidden_inputs([('"><b>', '"><b>')]),
    ],
    ids=["tabs", "crumbs", "facts", "hidden inputs"],
)
def test_texts_in_quick_markup_are_escaped(made: str) -> None:
    assert "<b>" not in made
    assert "&lt;b&gt;" in made


def test_markup_stays_and_lazy_texts_are_told_in_the_language_in_force() -> None:
    assert markup.facts_html([("Released", markup.icon_html("x"))]).count("<svg") == 1
    with translation.override("zh-hans"):
        assert markup.escaped(gettext_lazy("Search")) != "Search"


def test_a_fact_without_a_value_shows_a_dash_and_a_tab_without_a_count_none() -> None:
    assert "<dd>—</dd>" in markup.facts_html([("Released", "")])
    assert "tab-count" not in markup.tabs_html([{"label": "One", "url": "/"}])
    assert markup.crumbs_html([]) == ""
