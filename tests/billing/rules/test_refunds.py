"""Refunds of yearly/monthly images."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import explanation
from billing.rules.refunds import price_image_refund
from billing.rules.terms import Term, TermLength, TermUnit
from koogallery.kernel.money import Money

ZONE = ZoneInfo("Etc/GMT-8")
MONTH = TermLength(1, TermUnit.MONTH)


def usd(amount):
    return Money(D(amount), "USD")


def local(*parts):
    return datetime(*parts, tzinfo=ZONE)


def refund(**changed):
    given = {
        "paid": usd("100.00"),
        "effective_at": local(2024, 1, 1, 10, 30),
        "expires_at": local(2024, 2, 1, 23, 59, 59),
        "unsubscribed_at": local(2024, 1, 15, 18, 40),
        "length": MONTH,
    }
    return price_image_refund(**(given | changed))


def test_the_published_example_pays_44_62_back():
    priced = refund()
    assert priced.amount == usd("44.62")
    assert (priced.consumed, priced.fee) == (usd("45.38"), usd("10.00"))
    assert [fact.value for fact in priced.explanation.facts] == ["100", "758", "344"]
    assert explanation.recompute(json.loads(json.dumps(priced.explanation.to_json()))) == priced.amount


def test_within_five_times_24_hours_of_provisioning_everything_is_refunded():
    start = local(2024, 1, 1, 10, 30)
    limit = start + timedelta(hours=120)
    assert refund(provisioned_at=start, unsubscribed_at=limit, free_used=9).amount == usd("100.00")
    assert refund(provisioned_at=start, unsubscribed_at=limit + timedelta(seconds=1)).amount < usd("90.00")
    assert refund(provisioned_at=start, unsubscribed_at=limit, free_used=10).amount < usd("90.00")


def test_a_term_that_has_not_started_is_refunded_without_a_fee():
    assert refund(unsubscribed_at=local(2023, 12, 31, 9)).amount == usd("100.00")


def test_nothing_is_refunded_when_consumption_and_fee_exceed_the_payment():
    assert refund(unsubscribed_at=local(2024, 2, 1, 12)).amount == usd("0.00")


@pytest.mark.parametrize(
    ("years", "when", "percent"),
    [
        (1, local(2024, 6, 1, 0), "10"),
        (2, local(2025, 1, 1, 23, 59, 59), "15"),
        (2, local(2025, 1, 2, 0), "10"),
        (3, local(2024, 6, 1, 0), "15"),
        (3, local(2025, 6, 1, 0), "10"),
        (3, local(2026, 1, 2, 0), "5"),
    ],
)
def test_the_fee_falls_with_the_year_of_the_term(years, when, percent):
    length = TermLength(years, TermUnit.YEAR)
    start = local(2024, 1, 1, 10)
    priced = refund(
        effective_at=start,
        expires_at=Term.first(starts_at=start, length=length).expires_at,
        unsubscribed_at=when,
        length=length,
        paid=usd("1000.00"),
    )
    assert priced.fee == usd(percent) * 10


@pytest.mark.parametrize(("when", "percent"), [(local(2026, 1, 1, 23, 59, 59), "15"), (local(2026, 1, 2, 0), "10")])
def test_the_years_of_a_renewed_term_count_from_the_expiry_date_on_which_it_starts(when, percent):
    priced = refund(
        effective_at=local(2025, 1, 2),
        starts_on=local(2025, 1, 1).date(),
        expires_at=local(2027, 1, 1, 23, 59, 59),
        unsubscribed_at=when,
        length=TermLength(2, TermUnit.YEAR),
        paid=usd("1000.00"),
    )
    assert priced.fee == usd(percent) * 10
    assert explanation.recompute(json.loads(json.dumps(priced.explanation.to_json()))) == priced.amount


def test_an_impossible_term_is_refused():
    with pytest.raises(ValueError, match="paid term"):
        refund(expires_at=local(2024, 1, 1, 10, 30))


@given(
    st.decimals("0", "99999", places=2),
    st.integers(0, 3 * 366 * 24 * 60),
    st.sampled_from([MONTH, TermLength(9, TermUnit.MONTH), *(TermLength(n, TermUnit.YEAR) for n in (1, 2, 3))]),
    st.datetimes(datetime(2023, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),
)
def test_a_refund_lies_between_nothing_and_the_payment(amount, minutes, length, start):
    priced = refund(
        paid=usd(str(amount)),
        effective_at=start,
        expires_at=Term.first(starts_at=start, length=length).expires_at,
        unsubscribed_at=start + timedelta(minutes=minutes),
        length=length,
    )
    assert usd(0) <= priced.amount <= usd(str(amount))
    assert priced.amount.is_whole()
    assert explanation.recompute(priced.explanation.to_json()) == priced.amount
