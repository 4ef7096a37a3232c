"""How values are shown (R1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils import timezone as zones
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from koogallery.kernel import display, exports
from koogallery.kernel.money import Money

LATE = datetime(2027, 1, 5, 15, 59, 59, tzinfo=UTC)


def test_a_moment_names_its_zone() -> None:
    assert display.moment_text(LATE) == "Jan 05, 2027 23:59:59 GMT+08:00"


def test_a_moment_is_shown_in_the_zone_that_the_user_picked() -> None:
    with zones.override(timezone(timedelta(hours=-3, minutes=-30))):
        assert display.moment_text(LATE) == "Jan 05, 2027 12:29:59 GMT-03:30"


def test_a_moment_tells_utc_on_hover() -> None:
    markup = display.moment_html(LATE, line=True)
    assert 'datetime="2027-01-05T15:59:59Z"' in markup
    assert 'title="Jan 05, 2027 15:59:59 UTC"' in markup


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        display.moment_text(LATE.replace(tzinfo=None))


def test_a_date_alone() -> None:
    assert display.date_text(date(2027, 1, 5)) == "Jan 05, 2027"


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(hours=-3), "3 hours ago"),
        (timedelta(days=24), "in 24 days"),
        (timedelta(days=-2), "2 days ago"),
    ],
)
def test_a_distance_is_told_in_its_largest_unit(ahead: timedelta, text: str) -> None:
    with translation.override("en"):
        assert display.distance_text(LATE + ahead, now=LATE) == text


def test_an_amount_is_shown_with_its_currency() -> None:
    assert "USD 12,345.60" in display.money_html(Money(Decimal("12345.6"), "USD"))


def test_markup_in_a_name_is_shown_as_text() -> None:
    assert "<b>" not in display.product_html("<b>x</b>", url="/p/")
    assert "<b>" not in display.badge_html("<b>")
    assert "<b>" not in display.value_html("<b>x</b>") or not hasattr(display.value_html("<b>x</b>"), "__html__")


@pytest.mark.parametrize(
    ("name", "letters"),
    [("InkRoute", "IR"), ("Postgres Ready", "PR"), ("Deskly", "DE"), ("云数据库", "云数"), ("", "?"), ("!!", "?")],
)
def test_letters_stand_for_a_name(name: str, letters: str) -> None:
    assert display.initials(name) == letters


@given(st.text(max_size=40))
def test_any_name_has_letters_and_a_tint(name: str) -> None:
    assert display.initials(name)
    assert 0 <= display.tint_of(name) < 8


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert exports.neutral(text) == f"'{text}"


def test_a_negative_number_stays_a_number() -> None:
    assert exports.neutral(Decimal("-3.50")) == "-3.50"
    assert exports.neutral(-3) == "-3"


@given(st.text(max_size=30))
def test_no_text_cell_starts_dangerously(text: str) -> None:
    assert not exports.neutral(text).startswith(exports.DANGEROUS_STARTS)
