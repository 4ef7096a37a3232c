"""Arrays as text: PostgreSQL reads back what was given."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koogallery.kernel import prepared
from koogallery.kernel.arrays import array

pytestmark = pytest.mark.django_db

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def read_back(values: list[Any], kind: str) -> list[Any]:
    found = []
    for opened in (connection.cursor(), prepared.cursor()):
        with opened as cursor:
            cursor.execute(f"SELECT * FROM unnest(%s::{kind}[])", [array(values)])
            found.append([row[0] for row in cursor.fetchall()])
    assert found[0] == found[1]
    return found[0]


@given(values=st.lists(st.none() | TEXTS, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(values: list[str | None]) -> None:
    assert read_back(values, "text") == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["", "NULL", "null", "{}", ",", '"', "\\", '\\"', "  spaced  ", "软件", "a\nb"]),
        ("bigint", [1, -2, None, 2**60]),
        ("numeric", [Decimal("-1.50"), Decimal("1E+2"), None]),
        ("boolean", [True, False, None]),
        ("timestamptz", [datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC), None]),
        ("date", [date(2026, 2, 28), None]),
        ("uuid", [uuid.UUID(int=7), None]),
        ("text", []),
    ],
)
def test_every_kind_comes_back(kind: str, values: list[Any]) -> None:
    assert read_back(values, kind) == values


def test_json_comes_back() -> None:
    values = [{"name": 'a "quoted\\ 软件', "list": [1, None]}, {}]
    read = read_back([json.dumps(value) for value in values], "jsonb")
    assert [json.loads(value) if isinstance(value, str) else value for value in read] == values


@pytest.mark.parametrize("values", [["a\x00b"], ["a", "\x00"], [None, "a\x00"]])
def test_a_nul_character_is_refused(values: list[str | None]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        array(values)
