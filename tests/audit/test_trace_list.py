"""The trace list: exact filters joined by AND, keyset pages, exports, and nobody else's traces."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from audit.models import Trace
from koogallery import clock
from koogallery.kernel.operations import Rating
from tests.factories.audit import trace
from tests.personas import Persona

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIST = "/console/traces/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> object:
    with clock.at(AT):
        yield


def own(buyer: Persona, *, minutes: int = 0, **fields: object) -> Trace:
    at = AT - timedelta(minutes=minutes)
    return trace(call=buyer.call(at=at, **fields.pop("call", {})), **fields)


def shown(buyer: Persona, **query: object) -> list[str]:
    page = buyer.client.get(LIST, query)
    assert page.status_code == 200
    return [row.resource_id for row in page.context["traces"]]


def test_the_list_shows_the_last_168_hours_newest_first(buyer: Persona) -> None:
    own(buyer, resource_id="now")
    own(buyer, resource_id="edge", minutes=168 * 60)
    trace(call=buyer.call(at=AT - timedelta(hours=168, seconds=1)), resource_id="too old")
    assert shown(buyer) == ["now", "edge"]
    assert shown(buyer, range="day") == ["now"]
    assert shown(buyer, range="hour") == ["now"]


def test_filters_are_exact_and_joined_by_and(buyer: Persona) -> None:
    one = own(buyer, resource_id="R-1", resource_name="Alpha", project="p1", call={"access_key": "AK1"})
    own(buyer, resource_id="R-2", resource_name="alpha", minutes=1, rating=Rating.WARNING)
    own(buyer, name="setMessagePreferences", resource_id="R-3", resource_name="Alphabet", minutes=2)
    for query, expected in (
        ({"trace_name": "setMessagePreferences"}, ["R-3"]),
        ({"trace_name": "setmessagepreferences"}, []),
        ({"trace_name": "setMessage"}, []),
        ({"trace_source": "marketplace"}, ["R-1", "R-2", "R-3"]),
        ({"trace_source": "Marketplace"}, []),
        ({"resource_name": "Alpha"}, ["R-1"]),
        ({"resource_name": " Alpha"}, []),
        ({"resource_id": "R-2"}, ["R-2"]),
        ({"resource_id": "r-2"}, []),
        ({"resource_type": "Policy"}, ["R-1", "R-2"]),
        ({"trace_id": str(one.trace_id)}, ["R-1"]),
        ({"trace_id": str(one.trace_id).upper()}, [] if str(one.trace_id) != str(one.trace_id).upper() else ["R-1"]),
        ({"trace_id": str(one.trace_id)[:8]}, []),
        ({"trace_status": "warning"}, ["R-2"]),
        ({"enterprise_project_id": "p1"}, ["R-1"]),
        ({"access_key": "AK1"}, ["R-1"]),
        ({"resource_name": "Alpha", "trace_status": "warning"}, []),
        ({"operator": [buyer.user.username]}, ["R-1", "R-2", "R-3"]),
        ({"operator": ["nobody"]}, []),
        ({"range": "custom", "start": "2026-11-23T09:58:30", "end": "2026-11-23T09:59:30"}, ["R-2"]),
    ):
        assert shown(buyer, **query) == expected, query


def test_a_custom_range_reaches_no_further_back_than_the_list(buyer: Persona) -> None:
    trace(call=buyer.call(at=AT - timedelta(days=10)), resource_id="old")
    assert shown(buyer, range="custom", start="2026-11-01T00:00", end="2026-11-20T00:00") == []
    page = buyer.client.get(LIST, {"range": "custom", "start": "2026-11-20T00:00", "end": "2026-11-01T00:00"})
    assert "end" in page.context["form"].errors


def test_pages_follow_each_other_without_gap_or_overlap(buyer: Persona) -> None:
    for number in range(25):
        own(buyer, resource_id=str(number), minutes=number // 3)
    ordered = [row.resource_id for row in Trace.objects.order_by("-time", "-id")]
    first = buyer.client.get(LIST, {"size": "10"})
    seen = [row.resource_id for row in first.context["traces"]]
    assert first.context["newer"] == ""
    second = buyer.client.get(first.context["older"])
    seen += [row.resource_id for row in second.context["traces"]]
    third = buyer.client.get(second.context["older"])
    seen += [row.resource_id for row in third.context["traces"]]
    assert seen == ordered
    assert third.context["older"] == ""
    back = buyer.client.get(third.context["newer"])
    assert [row.resource_id for row in back.context["traces"]] == ordered[10:20]
    assert parse_qs(urlsplit(first.context["older"]).query)["size"] == ["10"]


@pytest.mark.parametrize("cursor", ["x", "1.", ".1", "1.2.3", "9" * 40 + ".1", "-1.5"])
def test_a_made_up_cursor_shows_the_first_page(buyer: Persona, cursor: str) -> None:
    own(buyer)
    assert shown(buyer, before=cursor) == ["R-1"]


def test_an_account_sees_only_its_own_traces(buyer: Persona, stranger: Persona) -> None:
    row = own(buyer)
    assert shown(stranger) == []
    assert str(row.trace_id) not in "".join(
        part.decode() for part in stranger.client.get(reverse("audit:export"), {"format": "jsonl"}).streaming_content
    )
    assert stranger.client.get(reverse("audit:trace", args=[row.trace_id])).status_code == 404


def test_what_an_operations_manager_does_to_the_account_shows_in_its_list(buyer: Persona, operator: Persona) -> None:
    trace(call=operator.call(at=AT), account_id=buyer.account.pk, resource_id="touched")
    page = buyer.client.get(LIST)
    assert [(row.resource_id, row.user_name) for row in page.context["traces"]] == [("touched", operator.user.username)]
    assert shown(buyer, operator=[operator.user.username]) == ["touched"]


def test_the_whole_trace_is_shown_formatted_and_as_json(buyer: Persona) -> None:
    row = own(buyer, request={"note": "<script>"}, response={"order": "CS1"})
    page = buyer.client.get(reverse("audit:trace", args=[row.trace_id]))
    text = page.content.decode()
    assert page.context["page"]["title"] == row.trace_name
    assert json.loads(page.context["json"])["trace_id"] == str(row.trace_id)
    assert "<script>" not in text.split("<pre", 1)[1]
    assert buyer.client.get("/console/traces/00000000-0000-0000-0000-000000000000/").status_code == 404


def test_the_exports_hold_the_filtered_rows_and_are_traced(buyer: Persona) -> None:
    own(buyer, resource_id="=1+1", resource_name="kept")
    own(buyer, resource_id="R-2", resource_name="left out")
    answer = buyer.client.get(reverse("audit:export"), {"format": "csv", "resource_name": "kept"})
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert len(rows) == 2
    assert rows[0][0] == "Trace Name"
    assert "'=1+1" in rows[1]
    lines = b"".join(
        buyer.client.get(reverse("audit:export"), {"format": "jsonl", "resource_name": "kept"}).streaming_content
    ).decode()
    (exported,) = [json.loads(line) for line in lines.splitlines()]
    assert exported == Trace.objects.get(resource_name="kept").public_fields()
    told = Trace.objects.filter(trace_name="exportTraces")
    assert sorted(row.request["format"] for row in told) == ["csv", "jsonl"]
    assert told[0].request["filters"] == {"resource_name": "kept"}
    assert buyer.client.get(reverse("audit:export"), {"format": "exe"}).status_code == 404


def test_an_export_of_older_traces_reaches_the_archive(buyer: Persona) -> None:
    trace(call=buyer.call(at=AT - timedelta(days=100)), resource_id="old")
    trace(call=buyer.call(at=AT - timedelta(days=370)), resource_id="gone")
    query = {
        "format": "jsonl",
        "archive": "1",
        "range": "custom",
        "start": "2024-01-01T00:00",
        "end": "2026-12-01T00:00",
    }
    lines = b"".join(buyer.client.get(reverse("audit:export"), query).streaming_content).decode()
    assert [json.loads(line)["resource_id"] for line in lines.splitlines()] == ["traces", "old"]


def test_looking_leaves_no_trace_of_itself(buyer: Persona) -> None:
    own(buyer)
    shown(buyer)
    assert Trace.objects.count() == 1


def test_the_switch_is_traced_both_ways(buyer: Persona) -> None:
    assert b"Recording" in buyer.client.get(LIST).content
    buyer.client.post(reverse("audit:tracker"), {"enabled": "0"})
    assert b"Not recording" in buyer.client.get(LIST).content
    buyer.client.post(reverse("audit:tracker"), {"enabled": "1"})
    names = list(Trace.objects.order_by("id").values_list("trace_name", flat=True))
    assert names == ["disableTracker", "enableTracker"]


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_takes_the_same_few_queries_for_any_number_of_rows(
    buyer: Persona, count: int, django_assert_max_num_queries: object
) -> None:
    for number in range(count):
        own(buyer, minutes=number)
    buyer.client.get(LIST)
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        buyer.client.get(LIST, {"size": "100"})


def test_htmx_gets_the_rows_alone(buyer: Persona) -> None:
    own(buyer)
    part = buyer.client.get(LIST, headers={"HX-Request": "true", "HX-Target": "traces"}).content.decode()
    assert part.lstrip().startswith('<section class="list" id="traces"')
    assert "<html" not in part


def test_everybody_may_download_the_public_key(client: object) -> None:
    answer = client.get(reverse("audit:key"))  # type: ignore[attr-defined]
    assert answer.content.startswith(b"-----BEGIN PUBLIC KEY-----")
