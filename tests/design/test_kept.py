"""What is rendered once: `{% steady %}` by language, and nothing of a page in it; crumbs, tabs, facts as markup."""

from __future__ import annotations

import re

import pytest
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils import translation
from django.utils.html import escape
from django.utils.translation import gettext_lazy

from koogallery.identity.models import User
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


@pytest.mark.django_db
def test_the_top_bar_of_a_user_shows_nothing_of_another() -> None:
    names = ('first"<b>', "second")
    pages = []
    for name in names:
        request = RequestFactory().get("/console/", {"of": name})
        request.user = User(username=name, sign_in_name=name)  # type: ignore[assignment]
        context = RequestContext(request, {"page": {"console": "buyer"}})
        with translation.override("en"):
            pages.append(Template("{% load kept %}{% topbar %}").render(context))
    for name, other, text in zip(names, reversed(names), pages, strict=True):
        assert f"Account menu of {escape(name)}" in text
        assert escape(request_address(name)) in text
        assert escape(other) not in text
    tokens = [re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', text) for text in pages]
    assert len(set(tokens[0]) | set(tokens[1])) == 2
    assert "<b>" not in pages[0]


def request_address(name: str) -> str:
    return RequestFactory().get("/console/", {"of": name}).get_full_path()
