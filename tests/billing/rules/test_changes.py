"""Fees of changes within the term and upon renewal; the worked examples of the specification."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import changes, explanation
from billing.rules.changes import PaidTerm, Proration, price_change_upon_renewal, price_scale_out, price_upgrade
from billing.rules.plans import Band, BillingMode, NotPriced, PriceModel, PricePlan
from billing.rules.terms import Term, TermLength, TermUnit
from koogallery.kernel.money import Money

YEAR = TermLength(1, TermUnit.YEAR)
START = date(2026, 2, 10)
BANDS = (Band(D(1), D("10.00")), Band(D(10), D("8.00")))


def usd(amount):
    return Money(D(amount), "USD")


def plan(price="0", *, model=PriceModel.FLAT, unit=TermUnit.YEAR, bands=()):
    return PricePlan(
        mode=BillingMode.PERIOD, model=model, currency="USD", unit_price=D(price), bands=bands, term_unit=unit
    )


def paid(list_price, *, start=START, end=None, share="1", length=YEAR, extra_days=0):
    end = end or length.end_from(start=start, anchor_day=start.day)
    return PaidTerm(
        term=Term(start=start, end=end, anchor_day=start.day),
        length=length,
        list_price=D(list_price),
        share=D(share),
        extra_days=extra_days,
    )


def days_before(term, days):
    """Noon, platform time, so many days before the term's expiry date."""
    day = term.term.end - timedelta(days=days)
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def again(priced):
    return explanation.recompute(json.loads(json.dumps(priced.explanation.to_json())))


def test_upgrading_600_to_1500_with_73_days_left_costs_180():
    term = paid("600.00")
    fee = price_upgrade(changed_at=days_before(term, 73), terms=[term], yearly=plan("1500.00"))
    assert fee.amount == usd("180.00")
    assert again(fee) == fee.amount
    stored = explanation.Explanation.from_json(json.loads(json.dumps(fee.explanation.to_json())))
    assert stored.fact_lines()[0].label == "Remaining days of the term until Feb 10, 2027"


@pytest.mark.parametrize(
    ("proration", "fee"), [(Proration.REMAINING_DURATION, "97.35"), (Proration.SAME_CYCLE, "85.15")]
)
def test_with_both_cycles_sold_the_policy_decides_the_price_of_the_remaining_duration(proration, fee):
    priced = price_upgrade(
        changed_at=datetime(2026, 11, 28, 2, tzinfo=UTC),
        terms=[paid("480.00")],
        monthly=plan("80.00", unit=TermUnit.MONTH),
        yearly=plan("900.00"),
        proration=proration,
    )
    assert priced.amount == usd(fee)
    assert again(priced) == priced.amount


def test_with_twelve_months_or_more_left_the_yearly_price_per_day_counts():
    term = paid("960.00", length=TermLength(2, TermUnit.YEAR))
    priced = price_upgrade(
        changed_at=datetime(2026, 2, 10, 2, tzinfo=UTC),
        terms=[term],
        monthly=plan("80.00", unit=TermUnit.MONTH),
        yearly=plan("900.00"),
    )
    assert priced.amount == usd("840.00")


def test_where_only_one_cycle_is_sold_its_price_for_the_paid_term_counts():
    term = paid("300.00", length=TermLength(6, TermUnit.MONTH))
    fee = price_upgrade(changed_at=days_before(term, 90), terms=[term], yearly=plan("900.00"))
    expected = (D(450) - D(300)) * 90 / term.term.days
    assert fee.amount == usd(str(expected)).rounded()
    monthly = price_upgrade(changed_at=days_before(term, 90), terms=[term], monthly=plan("75.00", unit=TermUnit.MONTH))
    assert monthly.amount == fee.amount


def test_a_linear_scale_out_from_5_to_8_seats_costs_22_80():
    term = paid("100.00", share="0.95")
    fee = price_scale_out(
        changed_at=days_before(term, 146),
        terms=[term],
        old_quantity=5,
        new_quantity=8,
        yearly=plan("20.00", model=PriceModel.LINEAR),
    )
    assert fee.amount == usd("22.80")
    assert again(fee) == fee.amount


def test_a_tiered_scale_out_into_a_cheaper_band_costs_nothing_and_credits_nothing():
    term = paid("90.00")
    change = {
        "changed_at": days_before(term, 365),
        "terms": [term],
        "old_quantity": 9,
        "new_quantity": 10,
        "yearly": plan(model=PriceModel.TIERED, bands=BANDS),
    }
    assert price_scale_out(**change).amount == usd("0.00")
    assert price_scale_out(**change, floor_zero=False).amount == usd("-10.00")


@pytest.mark.parametrize(
    ("changed_at", "fee"),
    [
        (datetime(2023, 6, 11, 16, 0, 0, tzinfo=UTC), "4.80"),
        (datetime(2023, 6, 11, 15, 59, 59, tzinfo=UTC), "1.22"),
    ],
)
def test_volume_pricing_charges_the_added_quantity_from_2023_06_12(changed_at, fee):
    day = datetime(2023, 6, 12).date()
    term = paid("90.00", start=day + timedelta(days=73 - 365), end=day + timedelta(days=73))
    priced = price_scale_out(
        changed_at=changed_at,
        terms=[term],
        old_quantity=9,
        new_quantity=12,
        yearly=plan(model=PriceModel.VOLUME, bands=BANDS),
    )
    assert priced.amount == usd(fee)
    assert again(priced) == priced.amount


def test_volume_before_the_change_of_rule_follows_the_tiered_formula():
    start = date(2022, 2, 10)
    term = paid("90.00", start=start)
    priced = price_scale_out(
        changed_at=days_before(term, 73),
        terms=[term],
        old_quantity=9,
        new_quantity=12,
        yearly=plan(model=PriceModel.VOLUME, bands=BANDS),
    )
    assert priced.amount == usd("1.20")


def test_a_change_covers_the_running_term_and_later_ones_whole_with_one_rounding():
    running = paid("600.00")
    later = paid("600.00", start=running.term.end, share="0.5")
    fee = price_upgrade(changed_at=days_before(running, 73), terms=[later, running], yearly=plan("1500.00"))
    assert fee.amount == usd("630.00")
    past = paid("600.00", start=date(2025, 2, 10))
    assert (
        price_upgrade(changed_at=days_before(running, 73), terms=[past, running, later], yearly=plan("1500.00")).amount
        == fee.amount
    )


def test_parts_of_several_terms_are_rounded_together():
    terms = [paid("0.00", start=date(2026, 2, 10)), paid("0.00", start=date(2027, 2, 10), share="0.333")]
    fee = price_upgrade(changed_at=days_before(terms[0], 1), terms=terms, yearly=plan("1.00"))
    assert fee.amount == usd("0.34")  # 0.00274 + 0.333 = 0.33574; rounded apart it would be 0.33


def test_a_change_on_the_expiry_date_costs_one_day():
    term = paid("365.00")
    assert price_upgrade(changed_at=days_before(term, 0), terms=[term], yearly=plan("730.00")).amount == usd("1.00")


def test_extra_days_of_a_unified_date_cost_the_day_rate_of_the_plain_term():
    term = paid("365.00", end=date(2027, 2, 20), extra_days=10)
    fee = price_upgrade(changed_at=days_before(term, 100), terms=[term], yearly=plan("730.00"))
    assert fee.amount == usd("100.00")


@pytest.mark.parametrize("new", [4, 5])
def test_an_equal_or_smaller_quantity_is_refused_within_the_term(new):
    term = paid("100.00")
    with pytest.raises(NotPriced):
        price_scale_out(
            changed_at=days_before(term, 10),
            terms=[term],
            old_quantity=5,
            new_quantity=new,
            yearly=plan("20.00", model=PriceModel.LINEAR),
        )


def test_nothing_is_priced_without_a_running_term_a_plan_or_a_quantity_price():
    term = paid("100.00")
    with pytest.raises(NotPriced, match="running"):
        price_upgrade(changed_at=days_before(term, -1), terms=[term], yearly=plan("1.00"))
    with pytest.raises(NotPriced, match="not sold"):
        price_upgrade(changed_at=days_before(term, 1), terms=[term])
    with pytest.raises(NotPriced, match="flat"):
        price_scale_out(
            changed_at=days_before(term, 1), terms=[term], old_quantity=1, new_quantity=2, yearly=plan("1.00")
        )


def test_a_change_upon_renewal_costs_the_full_new_price_for_the_renewal_term():
    term = Term(start=START, end=date(2027, 2, 10), anchor_day=10)
    priced = price_change_upon_renewal(plan=plan("300.00"), term=term, length=YEAR, share=D("0.9"))
    assert priced.amount == usd("270.00")
    assert (priced.term.start, priced.term.end) == (date(2027, 2, 10), date(2028, 2, 10))


PRICES = st.decimals("0", "9999", places=2)


@given(PRICES, PRICES, PRICES, st.integers(0, 365), st.decimals("0", "1", places=3), st.sampled_from(Proration))
def test_a_fee_is_whole_never_negative_and_recomputes(old, monthly, yearly, days, share, proration):
    term = paid(str(old), share=str(share))
    fee = price_upgrade(
        changed_at=days_before(term, days),
        terms=[term],
        monthly=plan(str(monthly), unit=TermUnit.MONTH),
        yearly=plan(str(yearly)),
        proration=proration,
    )
    assert fee.amount.is_whole()
    assert fee.amount >= usd(0)
    assert again(fee) == fee.amount


@given(PRICES, PRICES, PRICES, st.integers(1, 364))
def test_a_dearer_target_and_more_days_never_cost_less(old, new, more, days):
    term = paid(str(old))
    fee = price_upgrade(changed_at=days_before(term, days), terms=[term], yearly=plan(str(new))).amount
    assert price_upgrade(changed_at=days_before(term, days), terms=[term], yearly=plan(str(new + more))).amount >= fee
    assert price_upgrade(changed_at=days_before(term, days + 1), terms=[term], yearly=plan(str(new))).amount >= fee


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 365))
def test_volume_scale_out_in_two_steps_never_credits(old, added, days):
    term = paid("100.00")
    volume = plan(model=PriceModel.VOLUME, bands=BANDS)
    fee = price_scale_out(
        changed_at=days_before(term, days), terms=[term], old_quantity=old, new_quantity=old + added, yearly=volume
    )
    unit = D(8) if old + added >= 10 else D(10)
    assert fee.amount == usd(unit * added * days / 365).rounded()


def test_the_rule_change_date_is_the_published_one():
    assert date(2023, 6, 12) == changes.VOLUME_RULE_FROM
