"""Dates of terms, deadlines and working days."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import calendar, terms
from billing.rules.terms import Term, TermLength, TermUnit

MONTH = TermLength(1, TermUnit.MONTH)
YEAR = TermLength(1, TermUnit.YEAR)
DAYS = st.dates(date(2020, 1, 1), date(2060, 12, 31))


def test_a_month_from_january_31_ends_in_february_and_returns_to_the_31st():
    term = Term.first(starts_at=datetime(2027, 1, 31, 4, tzinfo=UTC), length=MONTH)
    ends = [term.end]
    for _ in range(3):
        term = term.renewed(length=MONTH)
        ends.append(term.end)
    assert ends == [date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30), date(2027, 5, 31)]


def test_a_year_from_february_29_comes_back_to_the_29th_in_the_next_leap_year():
    term = Term.first(starts_at=datetime(2024, 2, 29, 1, tzinfo=UTC), length=YEAR)
    ends = [term.end]
    for _ in range(3):
        term = term.renewed(length=YEAR)
        ends.append(term.end)
    assert ends == [date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29)]


def test_the_start_is_the_platforms_date_not_the_utc_date():
    term = Term.first(starts_at=datetime(2026, 3, 31, 16, 30, tzinfo=UTC), length=MONTH)
    assert (term.start, term.end) == (date(2026, 4, 1), date(2026, 5, 1))


def test_a_term_expires_at_the_last_second_of_its_day_in_the_platform_zone():
    term = Term(start=date(2026, 10, 20), end=date(2027, 1, 5), anchor_day=20)
    assert term.expires_at == datetime(2027, 1, 5, 15, 59, 59, tzinfo=UTC)


@given(start=DAYS)
def test_thirty_five_monthly_renewals_end_where_one_term_of_thirty_six_months_ends(start):
    step = Term(start=start, end=MONTH.end_from(start=start, anchor_day=start.day), anchor_day=start.day)
    for _ in range(35):
        previous, step = step, step.renewed(length=MONTH)
        assert step.start == previous.end
        assert step.end.day == min(start.day, terms.add_months(day=step.end, months=0, anchor_day=31).day)
    whole = TermLength(3, TermUnit.YEAR).end_from(start=start, anchor_day=start.day)
    assert step.end == whole


@given(start=DAYS, months=st.integers(1, 60), more=st.integers(1, 12))
def test_a_longer_term_ends_later(start, months, more):
    assert terms.add_months(day=start, months=months) < terms.add_months(day=start, months=months + more)


@given(start=DAYS, unified=st.sampled_from([*range(1, 29), 31]))
def test_a_unified_renewal_date_extends_by_less_than_a_month_and_becomes_the_anchor(start, unified):
    term = Term(start=start, end=MONTH.end_from(start=start, anchor_day=start.day), anchor_day=start.day)
    plain, extended = term.renewed(length=MONTH), term.renewed(length=MONTH, unified_day=unified)
    assert 0 <= (extended.end - plain.end).days <= 31
    assert extended.anchor_day == unified
    last = terms.add_months(day=extended.end, months=0, anchor_day=31)
    assert extended.end == last if unified == 31 else extended.end.day == unified


@pytest.mark.parametrize("day", [0, 29, 30, 32])
def test_a_unified_renewal_date_is_1_to_28_or_the_last_day(day):
    term = Term(start=date(2026, 1, 1), end=date(2026, 2, 1), anchor_day=1)
    with pytest.raises(ValueError, match="unified"):
        term.renewed(length=MONTH, unified_day=day)


def test_a_trial_is_counted_in_days():
    term = Term.first(starts_at=datetime(2026, 1, 30, 2, tzinfo=UTC), length=TermLength(14, TermUnit.DAY))
    assert term.end == date(2026, 2, 13)


def test_a_fee_counts_at_least_one_remaining_day():
    assert terms.remaining_days(expiry=date(2026, 5, 1), today=date(2026, 5, 1)) == 0
    assert terms.fee_days(expiry=date(2026, 5, 1), today=date(2026, 5, 1)) == 1
    assert terms.fee_days(expiry=date(2026, 5, 1), today=date(2026, 4, 1)) == 30


def test_grace_and_retention_are_fifteen_whole_days_each_after_the_expiry_day():
    steps = terms.life_cycle(expiry=date(2026, 10, 20))
    assert steps.expires_at == datetime(2026, 10, 20, 15, 59, 59, tzinfo=UTC)
    assert steps.grace_from == datetime(2026, 10, 20, 16, tzinfo=UTC)
    assert steps.retention_from == datetime(2026, 11, 4, 16, tzinfo=UTC)
    assert steps.released_at == datetime(2026, 11, 19, 16, tzinfo=UTC)


def test_due_within_thirty_days_ends_with_the_thirtieth_day():
    due = terms.due_within(generated_at=datetime(2026, 1, 31, 17, tzinfo=UTC), days=30)
    assert due == datetime(2026, 3, 3, 15, 59, 59, tzinfo=UTC)


def test_three_working_days_skip_the_weekend_and_holidays():
    friday = datetime(2026, 5, 8, 6, tzinfo=UTC)
    assert calendar.working_day_deadline(filed_at=friday, working_days=3, holidays=set()) == datetime(
        2026, 5, 13, 15, 59, 59, tzinfo=UTC
    )
    holidays = {date(2026, 5, 11), date(2026, 5, 13)}
    assert calendar.working_day_deadline(filed_at=friday, working_days=3, holidays=holidays) == datetime(
        2026, 5, 15, 15, 59, 59, tzinfo=UTC
    )


@given(day=DAYS, count=st.integers(1, 15), holidays=st.sets(DAYS, max_size=5))
def test_the_nth_working_day_is_a_working_day_with_n_minus_one_before_it(day, count, holidays):
    last = calendar.nth_working_day_after(day, working_days=count, holidays=holidays)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    assert sum(calendar.is_working_day(each, holidays=holidays) for each in between) == count
    assert calendar.is_working_day(last, holidays=holidays)


def test_day_x_itself_is_after_day_x():
    day = date(2023, 6, 12)
    assert calendar.is_from(datetime(2023, 6, 11, 16, tzinfo=UTC), day=day)
    assert not calendar.is_from(datetime(2023, 6, 11, 15, 59, 59, tzinfo=UTC), day=day)


def test_thirty_days_before_october_20_begins_on_september_20():
    assert calendar.opens_before_expiry(expiry=date(2026, 10, 20), days=30) == datetime(2026, 9, 19, 16, tzinfo=UTC)
