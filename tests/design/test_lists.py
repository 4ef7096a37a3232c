"""The list machinery: state in the URL, two queries for any number of rows, exports, fragments."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from koogallery.kernel.lists import (
    EXACT_TO,
    BoundList,
    ChoiceFilter,
    Column,
    DateRangeFilter,
    ListPage,
    Search,
    Tab,
    count_many,
    shown_count,
)
from koogallery.kernel.prepared import Given, Question
from tests.factories.identity import UserFactory

pytestmark = pytest.mark.django_db

PLAIN = ListPage(
    name="plain",
    caption="Kinds",
    columns=(
        Column("model", "Model", sort="model", hideable=False),
        Column("app", "App", value="app_label", sort=("app_label", "model")),
        Column("pk", "Number", numeric=True, sort="pk", csv=lambda row: row.pk),
        Column("quiet", "Quiet", value=lambda row: f"={row.model}", shown=False),
    ),
    tabs=(Tab("all", "All"), Tab("auth", "Auth", Q(app_label="auth")), Tab("none", "None", Q(pk__in=[]))),
    filters=(ChoiceFilter("app", "App", (("auth", "Auth"), ("sessions", "Sessions")), field="app_label"),),
    search=Search(("model", "app_label")),
    default_sort="model",
)


def ask(query: str = "") -> HttpRequest:
    request = RequestFactory().get(f"/kinds/?{query}")
    request.user = AnonymousUser()
    return request


def bind(query: str = "", declared: ListPage = PLAIN) -> BoundList:
    return declared.bind(ask(query), ContentType.objects.all())


def models_of(bound: BoundList) -> list[str]:
    return [row.object.model for row in bound.rows]


def test_one_row_and_many_cost_the_same_two_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/styleguide/list/")  # the menu of categories is remembered
    for query in ("rows=1", "size=100"):
        with django_assert_num_queries(2):
            text = client.get(f"/styleguide/list/?{query}").content.decode()
        assert ("<tbody><tr" in text) and (text.count("<td data-label") > 0)


def test_an_empty_list_costs_one_query(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client.get("/styleguide/list/")
    with django_assert_num_queries(1):
        client.get("/styleguide/list/?rows=0")


def test_tabs_count_what_search_and_filters_leave() -> None:
    bound = bind("q=permission")
    assert [(tab.key, tab.count) for tab in bound.tabs] == [
        ("all", str(ContentType.objects.filter(Q(model__contains="permission")).count())),
        ("auth", "1"),
        ("none", "0"),
    ]


def test_counts_are_exact_to_a_thousand() -> None:
    Session.objects.bulk_create(
        Session(session_key=f"k{n}", session_data="", expire_date="2030-01-01T00:00Z") for n in range(EXACT_TO + 5)
    )
    everything = Session.objects.all()
    counts = count_many({"many": everything, "few": everything.filter(session_key="k1"), "no": everything.none()})
    assert counts == {"many": EXACT_TO + 1, "few": 1, "no": 0}
    assert [shown_count(count) for count in (999, 1000, 1001)] == ["999", "1,000", "1,000+"]


def test_sorting_has_a_stable_second_key_in_the_same_direction() -> None:
    assert bind("sort=app").ordering == ["app_label", "model", "pk"]
    assert bind("sort=-app").ordering == ["-app_label", "-model", "-pk"]
    assert models_of(bind("sort=-model&size=100")) == list(reversed(models_of(bind("sort=model&size=100"))))


def test_a_head_says_how_the_list_is_sorted_and_turns_it_round() -> None:
    heads = {head.column.key: head for head in bind("sort=app").headings}
    assert (heads["app"].sorted, heads["model"].sorted) == ("ascending", "none")
    assert "sort=-app" in heads["app"].url


@pytest.mark.parametrize("query", ["sort=password", "tab=other", "size=7", "page=-1", "page=x", "app=evil", "size=1e9"])
def test_what_is_not_valid_in_the_url_counts_as_not_given(query: str) -> None:
    assert models_of(bind(query)) == models_of(bind())


def test_pages_join_to_the_whole_list_without_gap_or_repeat() -> None:
    found: list[str] = []
    query = "size=10"
    while query:
        bound = bind(query)
        found += models_of(bound)
        query = bound.next_url.partition("?")[2]
    assert sorted(found) == sorted(ContentType.objects.values_list("model", flat=True))


def test_the_url_keeps_the_state_and_a_change_returns_to_the_first_page() -> None:
    bound = bind("tab=auth&q=e&sort=-app&size=10&page=3&other=1")
    assert bound.url() == "/kinds/?other=1&tab=auth&q=e&sort=-app&size=10&page=3"
    assert "page" not in bound.url(sort="model")
    assert bound.clear_url == "/kinds/?other=1&tab=auth&sort=-app&size=10"


def test_a_chip_removes_its_filter_only() -> None:
    chips = bind("app=auth&q=user").chips
    assert [(chip.text, chip.url) for chip in chips] == [("user", "/kinds/?app=auth"), ("Auth", "/kinds/?q=user")]


def test_page_size_and_columns_are_kept_for_a_signed_in_user(client: Client) -> None:
    user = UserFactory()
    client.force_login(user)
    client.get("/styleguide/list/?size=50&columns_set=1&columns=number")
    client.logout()
    client.force_login(user)
    again = client.get("/styleguide/list/").context["list"]
    assert again.size == 50
    assert [column.key for column in again.columns] == ["product", "number", "operation"]
    user.refresh_from_db()
    assert user.preferences == {
        "lists": {"sample": {"size": 50, "hidden": ["model", "state", "expires", "paid", "hidden"]}}
    }


def test_a_visitor_gets_no_session(client: Client) -> None:
    client.get("/styleguide/list/?size=50&columns_set=1&columns=number")
    assert "sessionid" not in client.cookies


def test_a_date_range_means_days_of_the_shown_zone() -> None:
    declared = ListPage(
        name="sessions",
        caption="Sessions",
        columns=(Column("session_key", "Key"),),
        filters=(DateRangeFilter("end", "End", "expire_date"),),
    )
    Session.objects.bulk_create(
        Session(session_key=key, session_data="", expire_date=moment)
        for key, moment in {
            "before": "2027-01-04T15:59:59Z",
            "first": "2027-01-04T16:00:00Z",
            "last": "2027-01-05T15:59:59Z",
            "after": "2027-01-05T16:00:00Z",
        }.items()
    )
    bound = declared.bind(ask("end_from=2027-01-05&end_to=2027-01-05"), Session.objects.all())
    assert sorted(row.object.session_key for row in bound.rows) == ["first", "last"]
    assert bound.chips[0].text == "Jan 05, 2027 – Jan 05, 2027"


def test_the_export_holds_all_filtered_rows_with_a_byte_order_mark() -> None:
    answer = PLAIN.respond(ask("export=csv&tab=auth&size=10"), ContentType.objects.all(), "unused.html")
    text = b"".join(answer).decode("utf-8")  # type: ignore[arg-type]
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0] == ["Model", "App", "Number", "Quiet"]
    assert {row[1] for row in rows[1:]} == {"auth"}
    assert all(row[3].startswith("'=") for row in rows[1:])
    assert answer["Content-Disposition"] == 'attachment; filename="plain.csv"'


def test_htmx_gets_the_list_alone_and_a_restored_history_entry_the_page(client: Client) -> None:
    asked = {"HX-Request": "true", "HX-Target": "list-sample"}
    fragment = client.get("/styleguide/list/?q=user", headers=asked)
    assert fragment.content.lstrip().startswith(b"<section")
    assert fragment["HX-Push-Url"] == "/styleguide/list/?q=user"
    page = client.get("/styleguide/list/?q=user", headers={**asked, "HX-History-Restore-Request": "true"})
    assert b"<!doctype html>" in page.content
    assert "HX-Request" in page["Vary"]


def test_no_match_offers_to_clear_and_nothing_yet_offers_the_next_step(client: Client) -> None:
    nothing = client.get("/styleguide/list/?rows=0").content.decode()
    no_match = client.get("/styleguide/list/?q=nosuchthing").content.decode()
    assert "What you buy appears here." in nothing and "No match" not in nothing
    assert "No match" in no_match and "What you buy appears here." not in no_match


def test_two_lists_on_one_page_do_not_touch_each_other() -> None:
    second = replace(PLAIN, prefix="b_")
    bound = bind("q=user&b_q=group&b_page=2", second)
    assert bound.query == "group"
    assert bound.url(q=None) == "/kinds/?q=user"
    assert bound.id == "list-b_plain"


def test_every_cell_names_its_column_for_narrow_screens() -> None:
    row = bind().rows[0]
    assert re.findall(r'data-label="([^"]*)"', row.cells) == ["Model", "App", "Number"]


def test_a_list_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot sort"):
        ListPage(name="x", caption="x", columns=(Column("a", "A"),), default_sort="-a")
    with pytest.raises(ValueError, match="twice"):
        ListPage(name="x", caption="x", columns=(Column("a", "A"), Column("a", "B")))


def kinds_given() -> QuerySet[ContentType]:
    return ContentType.objects.filter(app_label=Given("app"))


def ask_for(app: str, query: str = "", declared: ListPage = PLAIN) -> BoundList:
    return declared.bind(ask(query), Question(kinds_given, {"app": app}))


@pytest.mark.parametrize("query", ["", "tab=auth", "sort=-model", "q=us", "app=auth", "size=10&page=2", "app=sessions"])
def test_a_question_lists_what_its_query_set_does_for_each_value_given(query: str) -> None:
    declared = replace(PLAIN)
    for _ in range(2):
        for app in ("auth", "identity", "sessions"):
            asked = ask_for(app, query, declared)
            plain = declared.bind(ask(query), ContentType.objects.filter(app_label=app))
            assert models_of(asked) == models_of(plain)
            assert [tab.count for tab in asked.tabs] == [tab.count for tab in plain.tabs]
            assert list(asked.csv_lines()) == list(plain.csv_lines())


def test_what_is_typed_leaves_no_plan_behind() -> None:
    declared = replace(PLAIN)
    assert models_of(ask_for("auth", "", declared))
    known = len(declared.plans)
    for text in ("a", "us", "group"):
        assert ask_for("auth", f"q={text}", declared).rows is not None
    assert len(declared.plans) == known == 2


def test_the_frame_of_a_list_is_kept_for_an_address_and_still_tells_the_counts_of_now() -> None:
    declared = replace(PLAIN)
    first = str(ask_for("auth", "", declared).steady_html["tools"])
    other = str(ask_for("sessions", "", declared).steady_html["tools"])
    assert len(declared.kept) == 1
    counts = re.compile(r'tab-count">([\d,+]+)<')
    assert counts.findall(first) != counts.findall(other)
    assert counts.sub("", first) == counts.sub("", other)
    assert "aria-current" in str(ask_for("auth", "tab=auth", declared).steady_html["tools"])
    assert 'value="typed"' in str(ask_for("auth", "q=typed", declared).steady_html["tools"])
    assert len(declared.kept) == 2
