"""Prices of purchases, renewals, use and shares."""

import json
from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import explanation, linter
from billing.rules.discounts import Discount, DiscountSource, reseller_discount
from billing.rules.plans import Band, BillingMode, LengthPrice, NotPriced, PriceModel, PricePlan
from billing.rules.pricing import price_purchase, price_renewal, price_trial, price_usage
from billing.rules.shares import split_by_shares
from billing.rules.terms import Term, TermLength, TermUnit
from koogallery.kernel.money import Money

BANDS = (Band(D(1), D("10.00")), Band(D(10), D("8.00")))


def months(count):
    return TermLength(count, TermUnit.MONTH)


def years(count):
    return TermLength(count, TermUnit.YEAR)


def plan(model=PriceModel.FLAT, *, price="0", unit=TermUnit.MONTH, currency="USD", mode=BillingMode.PERIOD, **more):
    return PricePlan(
        mode=mode,
        model=model,
        currency=currency,
        unit_price=D(price),
        term_unit=unit if mode is BillingMode.PERIOD else None,
        **more,
    )


def usd(amount):
    return Money(D(amount), "USD")


def standing(share):
    return Discount(source=DiscountSource.STANDING, share=D(share))


def again(priced):
    """The amount recomputed from the explanation as it is stored."""
    return explanation.recompute(json.loads(json.dumps(priced.explanation.to_json())))


def test_three_items_for_four_months_cost_twelve_times_the_monthly_price():
    priced = price_purchase(plan=plan(price="19.90"), items=3, length=months(4))
    assert priced.amount == usd("238.80")
    assert again(priced) == priced.amount


def test_a_plan_may_charge_twelve_months_as_ten():
    offer = plan(price="19.90", length_prices=(LengthPrice(12, charged_terms=D(10)),))
    assert price_purchase(plan=offer, length=months(12)).amount == usd("199.00")
    assert price_purchase(plan=offer, length=years(1)).amount == usd("199.00")
    assert price_purchase(plan=offer, length=months(11)).amount == usd("218.90")


def test_a_plan_may_set_the_price_of_a_length_itself():
    flat = plan(price="10.00", length_prices=(LengthPrice(12, unit_price=D("99.99")),))
    assert price_purchase(plan=flat, items=2, length=months(12)).amount == usd("199.98")
    tiered = plan(PriceModel.TIERED, bands=BANDS, length_prices=(LengthPrice(12, bands=(Band(D(1), D("100.00")),)),))
    assert price_purchase(plan=tiered, quantity=20, length=months(12)).amount == usd("2000.00")


def test_linear_prices_count_the_quantity():
    assert price_purchase(
        plan=plan(PriceModel.LINEAR, price="20.00", unit=TermUnit.YEAR), quantity=8, length=years(1)
    ).amount == usd("160.00")


@pytest.mark.parametrize("model", [PriceModel.TIERED, PriceModel.VOLUME])
@pytest.mark.parametrize(("quantity", "total"), [(1, "10.00"), (9, "90.00"), (10, "80.00"), (50, "400.00")])
def test_tiered_and_volume_charge_the_whole_quantity_at_its_band(model, quantity, total):
    assert price_purchase(plan=plan(model, bands=BANDS), quantity=quantity, length=months(1)).amount == usd(total)


def test_a_quantity_below_the_first_band_has_no_price():
    with pytest.raises(NotPriced):
        price_purchase(plan=plan(PriceModel.TIERED, bands=(Band(D(5), D(1)),)), quantity=4, length=months(1))


def test_only_offered_lengths_are_sold():
    monthly = plan(price="10.00", lengths=(1, 3, 12))
    assert price_purchase(plan=monthly, length=years(1)).amount == usd("120.00")
    with pytest.raises(NotPriced):
        price_purchase(plan=monthly, length=months(2))
    with pytest.raises(NotPriced):
        price_purchase(plan=plan(price="10.00", unit=TermUnit.YEAR), length=months(6))
    with pytest.raises(NotPriced):
        price_purchase(plan=monthly)


def test_one_time_packages_and_pay_per_use_have_no_length():
    assert price_purchase(plan=plan(price="500.00", mode=BillingMode.ONE_TIME), items=2).amount == usd("1000.00")
    assert price_purchase(plan=plan(price="30.00", mode=BillingMode.ON_DEMAND_PKG), items=3).amount == usd("90.00")
    assert price_purchase(plan=plan(price="0.5", mode=BillingMode.ON_DEMAND)).amount == usd("0.00")
    with pytest.raises(NotPriced):
        price_purchase(plan=plan(price="500.00", mode=BillingMode.ONE_TIME), length=months(1))


def test_a_float_never_touches_money():
    with pytest.raises(TypeError):
        price_purchase(plan=plan(PriceModel.LINEAR, price="1.00"), quantity=1.5, length=months(1))


def test_the_lowest_total_wins_and_discounts_do_not_stack():
    fixed = Discount(source=DiscountSource.OFFER, fixed_price=D("85.00"), reference="OF1")
    priced = price_purchase(plan=plan(price="100.00"), length=months(1), discounts=[standing("0.90"), fixed])
    assert (priced.amount, priced.discount, priced.share) == (usd("85.00"), fixed, D("0.85"))
    assert [total for _, total in priced.candidates] == [usd("90.00"), usd("85.00")]
    assert priced.list_price == usd("100")
    assert priced.saved == usd("15.00")
    assert again(priced) == priced.amount


def test_equal_totals_spare_the_private_offer():
    offer = Discount(source=DiscountSource.OFFER, share=D("0.9"))
    priced = price_purchase(plan=plan(price="100.00"), length=months(1), discounts=[offer, standing("0.90")])
    assert priced.discount == standing("0.90")


def test_an_offer_multiplies_the_list_price_of_its_creation():
    offer = Discount(source=DiscountSource.OFFER, share=D("0.5"), list_price=D("80.00"))
    priced = price_purchase(plan=plan(price="100.00"), length=months(1), discounts=[offer])
    assert priced.amount == usd("40.00")
    assert priced.share == D("0.4")


def test_a_dearer_offer_leaves_the_list_price():
    offer = Discount(source=DiscountSource.OFFER, fixed_price=D("120.00"))
    priced = price_purchase(plan=plan(price="100.00"), length=months(1), discounts=[offer])
    assert (priced.amount, priced.discount, priced.share) == (usd("100.00"), None, 1)


def test_the_resellers_customer_beats_partner_beats_product():
    customer, partner, product = (
        Discount(source=source, share=D("0.9"))
        for source in (
            DiscountSource.RESELLER_CUSTOMER,
            DiscountSource.RESELLER_PARTNER,
            DiscountSource.RESELLER_PRODUCT,
        )
    )
    assert reseller_discount(customer=customer, partner=partner, product=product) == customer
    assert reseller_discount(partner=partner, product=product) == partner
    assert reseller_discount(product=product) == product
    assert reseller_discount() is None


@pytest.mark.parametrize(
    ("currency", "price", "total"),
    [("USD", "10.01", "9.51"), ("USD", "0.10", "0.10"), ("JPY", "110", "105"), ("KWD", "1.001", "0.951")],
)
def test_a_charge_is_rounded_once_half_up_to_its_currency(currency, price, total):
    priced = price_purchase(plan=plan(price=price, currency=currency), length=months(1), discounts=[standing("0.95")])
    assert priced.amount == Money(D(total), currency)


PLANS = st.builds(
    lambda model, low, high, bands: plan(
        model, price=str(low), bands=(Band(D(1), low), Band(D(bands), high)) if model.has_bands else ()
    ),
    st.sampled_from(list(PriceModel)),
    st.decimals("0", "9999", places=2),
    st.decimals("0", "9999", places=4),
    st.integers(2, 50),
)


@given(
    PLANS,
    st.integers(1, 99),
    st.integers(1, 9),
    st.integers(1, 36),
    st.lists(st.decimals("0", "1", places=4), max_size=3),
)
def test_a_price_is_whole_never_negative_never_above_list_and_recomputes(each, quantity, items, count, shares):
    priced = price_purchase(
        plan=each, quantity=quantity, items=items, length=months(count), discounts=[standing(str(s)) for s in shares]
    )
    assert priced.amount.is_whole()
    assert usd(0) <= priced.amount <= priced.list_price.rounded()
    assert again(priced) == priced.amount
    stored = priced.explanation.to_json()
    assert explanation.Explanation.from_json(json.loads(json.dumps(stored))).to_json() == stored


@given(st.decimals("0", "999", places=2), st.integers(1, 99), st.integers(1, 35))
def test_linear_prices_grow_with_quantity_and_length(price, quantity, count):
    linear = plan(PriceModel.LINEAR, price=str(price))
    base = price_purchase(plan=linear, quantity=quantity, length=months(count)).amount
    assert price_purchase(plan=linear, quantity=quantity + 1, length=months(count)).amount >= base
    assert price_purchase(plan=linear, quantity=quantity, length=months(count + 1)).amount >= base


def test_an_explanation_reads_as_sentences_in_both_languages_and_names_the_discount():
    priced = price_purchase(
        plan=plan(PriceModel.TIERED, bands=BANDS), quantity=12, length=months(3), discounts=[standing("0.905")]
    )
    lines = priced.explanation.lines()
    assert [(line.label, line.formula, line.value) for line in lines] == [
        ("Unit price in the band of 12", "", "8"),
        ("Price of one term times number of terms", "8 × 3", "24"),
        ("Times quantity and items", "24 × 12", "288"),
        ("List price", "", "288"),
        ("Standing discount: 90.5% of the price is paid", "288 × 0.905", "260.64"),
        ("Rounded half up to 2 decimal places of USD", "260.64 → 260.64", "USD 260.64"),
    ]
    assert [(fact.label, fact.value) for fact in priced.explanation.fact_lines()] == [
        ("Quantity", "12"),
        ("Items", "1"),
        ("Term in months", "3"),
    ]


def test_an_unknown_rule_version_says_so():
    stored = price_trial(currency="USD", days=14).explanation.to_json() | {"version": "0"}
    with pytest.raises(explanation.UnknownRule):
        explanation.recompute(stored)


def test_a_trial_costs_nothing():
    priced = price_trial(currency="KWD", days=14)
    assert str(priced.amount) == "KWD 0.000"
    assert again(priced) == priced.amount


def test_use_is_charged_by_unit_and_discounted_once():
    hourly = plan(price="0.0333", mode=BillingMode.ON_DEMAND)
    priced = price_usage(plan=hourly, used=D("12.5"), share=D("0.9"))
    assert priced.amount == usd("0.37")
    assert price_usage(plan=hourly, used=0).amount == usd("0.00")
    assert again(priced) == priced.amount
    with pytest.raises(NotPriced):
        price_usage(plan=plan(price="1"), used=1)


def test_a_renewal_starts_at_the_old_expiry_and_costs_the_discounted_term_price():
    term = Term(start=date(2026, 1, 31), end=date(2026, 2, 28), anchor_day=31)
    priced = price_renewal(plan=plan(price="30.00"), term=term, length=months(1), share=D("0.95"))
    assert priced.amount == usd("28.50")
    assert (priced.term.start, priced.term.end, priced.extra_days) == (date(2026, 2, 28), date(2026, 3, 31), 0)
    assert again(priced) == priced.amount


def test_a_unified_renewal_date_adds_days_at_the_day_rate_in_one_sum():
    term = Term(start=date(2026, 5, 8), end=date(2026, 6, 8), anchor_day=8)
    priced = price_renewal(plan=plan(price="31.00"), term=term, length=months(1), share=D("0.9"), unified_day=15)
    assert (priced.term.end, priced.extra_days, priced.term.anchor_day) == (date(2026, 7, 15), 7, 15)
    assert priced.amount == usd("34.41")  # (31 + 31 ÷ 30 × 7) × 0.9 = 34.41
    assert again(priced) == priced.amount


def test_a_milestone_amount_is_split_with_the_remainder_last():
    parts = split_by_shares(whole=usd("100.00"), shares=[D("33.33"), D("33.33"), D("33.34")])
    assert [part.amount for part in parts] == [usd("33.33"), usd("33.33"), usd("33.34")]
    parts = split_by_shares(whole=usd("0.05"), shares=[D(1), D(1), D(1)])
    assert [part.amount for part in parts] == [usd("0.02"), usd("0.02"), usd("0.01")]


def test_a_part_tells_from_what_it_was_rounded():
    first, _second, last = split_by_shares(whole=usd("10000.01"), shares=[D("33.33"), D("33.33"), D("33.34")])
    assert (str(first.amount), first.explanation.exact) == ("USD 3,333.00", "3333.003333")
    assert (str(last.amount), last.explanation.exact) == ("USD 3,334.01", "3334.01")
    assert again(first) == first.amount


@given(
    st.decimals("-99999", "99999", places=2),
    st.lists(st.decimals("0", "100", places=2), min_size=1, max_size=12).filter(lambda shares: sum(shares) > 0),
)
def test_parts_sum_to_the_whole_and_never_change_sign(whole, shares):
    parts = split_by_shares(whole=usd(str(whole)), shares=shares)
    assert sum((part.amount.amount for part in parts), D(0)) == whole
    assert all(part.amount.amount * (1 if whole >= 0 else -1) >= 0 for part in parts)
    assert all(again(part) == part.amount for part in parts)


@pytest.mark.parametrize("shares", [[], [D(0)], [D(2), D(-1)]])
def test_an_amount_is_not_split_by_nothing(shares):
    with pytest.raises(ValueError, match="split"):
        split_by_shares(whole=usd("1.00"), shares=shares)


def test_the_linter_warns_where_fifty_cost_less_than_forty_nine():
    tiered = plan(PriceModel.TIERED, bands=(Band(D(1), D("10.00")), Band(D(50), D("8.00"))))
    (warning,) = linter.lint_plan(plan=tiered)
    assert warning.code == "larger_is_cheaper"
    assert warning.sentence == "50 units cost USD 400.00 in total, less than 49 units at USD 490.00."


def test_the_linter_warns_where_a_year_exceeds_twelve_months():
    monthly, yearly = plan(price="10.00"), plan(price="120.01", unit=TermUnit.YEAR)
    assert [each.code for each in linter.lint_cycles(monthly=monthly, yearly=yearly)] == ["year_exceeds_months"]
    assert linter.lint_cycles(monthly=monthly, yearly=plan(price="120.00", unit=TermUnit.YEAR)) == []


def test_the_linter_warns_about_lengths_that_cost_more_or_less_than_expected():
    odd = plan(
        price="10.00", length_prices=(LengthPrice(3, unit_price=D("31.00")), LengthPrice(12, charged_terms=D(3)))
    )
    assert [each.code for each in linter.lint_plan(plan=odd)] == ["length_exceeds_units", "longer_is_cheaper"]
    assert linter.lint_plan(plan=plan(price="10.00", lengths=(1, 3, 12))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: plan(price="-1"),
        lambda: plan(PriceModel.TIERED),
        lambda: plan(PriceModel.FLAT, bands=BANDS),
        lambda: plan(PriceModel.TIERED, bands=BANDS[::-1]),
        lambda: plan(PriceModel.TIERED, bands=BANDS, length_prices=(LengthPrice(12, unit_price=D(1)),)),
        lambda: plan(length_prices=(LengthPrice(12),)),
        lambda: PricePlan(mode=BillingMode.PERIOD, model=PriceModel.FLAT, currency="USD"),
        lambda: Discount(source=DiscountSource.OFFER),
        lambda: standing("1.01"),
    ],
)
def test_an_impossible_plan_or_discount_cannot_be_made(wrong):
    with pytest.raises(ValueError):
        wrong()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (D("10.00000000"), "10"),
        (D("1E+2"), "100"),
        (D("0.9050"), "0.905"),
        (explanation.exact(D("12.5")), "12.50"),
        (explanation.exact(D("-2.25")), "-2.25"),
        (explanation.exact(D(1)) / 3, "0.333333…"),
        (explanation.exact(D(-1)) / 3, "-0.333333…"),
        (-explanation.exact(D(1)) / 3000000000, "-0.000000…"),
        (explanation.exact(D("0.00000012")), "0.000000…"),
    ],
)
def test_numbers_are_shown_without_clutter(value, text):
    assert explanation.shown(value) == text


def test_a_tie_is_rounded_up_even_when_its_parts_do_not_end():
    third = explanation.exact(D(1)) / 3
    tie = third + explanation.exact(D("0.005")) - third
    assert Money(explanation.to_decimal(tie), "USD").rounded() == usd("0.01")
    assert Money(explanation.to_decimal(tie - third / 10**40), "USD").rounded() == usd("0.00")
