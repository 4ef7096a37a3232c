"""What a buyer chooses becomes a configuration, or is refused with the field at fault."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from catalog import queries
from catalog.queries import Configuration, configure, price
from koogallery import clock
from koogallery.kernel.reasons import Refused
from tests.factories import catalog as make
from tests.factories.identity import AccountFactory

pytestmark = pytest.mark.django_db


def refusal(product, data, **kwargs):
    with pytest.raises(Refused) as caught:
        configure(product, data, **kwargs)
    return caught.value.code, caught.value.field


def test_what_is_not_chosen_takes_its_first_value():
    product = make.saas_product()
    configuration = configure(product, {})
    assert (configuration.billing_mode, configuration.term_unit, configuration.term_count) == ("PERIOD", "month", 1)
    assert configuration.quantity == 1
    assert configuration.items == 1
    assert configuration.sku_code == "standard"


def test_quantity_and_term_reach_the_price():
    product = make.saas_product()
    configuration = configure(product, {"quantity": "40", "term": "1-year"})
    priced = price(configuration, account=None, at=clock.now())
    assert str(priced.amount) == "USD 4,000.00"
    assert configuration.spec_text == "Standard · 40 users"
    assert configuration.term_text == "1 year"


def test_the_quantity_may_come_under_the_name_of_its_attribute():
    product = make.saas_product()
    assert configure(product, {"attr_users": "7"}) == configure(product, {"quantity": "7"})


def test_a_configuration_survives_storing():
    product = make.saas_product()
    configuration = configure(product, {"quantity": "40", "term": "3-month"})
    assert Configuration.from_json(configuration.to_json()) == configuration
    package = configure(make.package_product(), {})
    assert Configuration.from_json(package.to_json()) == package


def test_the_form_data_of_a_configuration_configures_the_same():
    product = make.make_product(
        quantity=("5", "50", "5"), options={"region": ["eu", "asia"]}, max_items=3, plans=[make.plan(lengths=[1, 12])]
    )
    chosen = configure(product, {"quantity": "15", "attr_region": "asia", "term": "12-month", "items": "2"})
    assert configure(product, chosen.form_data()) == chosen


@pytest.mark.parametrize("quantity", ["0", "5001", "-1", "1.5", "1e3", "NaN", "many", "999999999999"])
def test_a_quantity_outside_its_range_or_step_is_refused_at_its_field(quantity):
    assert refusal(make.saas_product(), {"quantity": quantity}) == ("quantity_range", "attr_users")


@pytest.mark.parametrize("term", ["2-month", "4-year", "0-year", "1-day", "year", "1-year;"])
def test_a_length_that_is_not_sold_is_refused(term):
    assert refusal(make.saas_product(), {"term": term}) == ("term_not_sold", "term")


def test_an_unknown_option_is_refused_at_its_field():
    product = make.make_product(options={"region": ["eu"]})
    assert refusal(product, {"attr_region": "mars"}) == ("configuration_choice", "attr_region")


def test_a_cell_of_the_grid_that_is_not_sold_is_refused():
    product = make.make_product(options={"region": ["eu", "asia"]})
    with make.guard.opened("test"):
        product.skus.filter(code="standard-asia").update(is_active=False)
    assert refusal(product, {"attr_region": "asia"}) == ("configuration_not_sold", "attr_region")


def test_a_missing_billing_mode_is_named():
    assert refusal(make.saas_product(), {"plan": "ON_DEMAND"}) == ("mode_not_sold", "plan")


def test_more_items_than_sold_at_once_are_refused():
    assert refusal(make.saas_product(), {"items": "2"}) == ("items_range", "items")


def test_an_account_buys_in_its_own_currency_only():
    product = make.make_product(plans=[make.plan(currencies=("USD", "EUR"))])
    in_euro = configure(product, {}, account=AccountFactory(currency="EUR"))
    assert in_euro.currency == in_euro.plan.currency == "EUR"
    assert refusal(product, {}, account=AccountFactory(currency="JPY")) == ("not_sold_in_currency", "plan")


def test_a_trial_costs_nothing_and_only_where_it_is_offered():
    product = make.saas_product(trial_days=14)
    trial = configure(product, {"trial": "1"})
    assert price(trial, account=None, at=clock.now()).amount.amount == 0
    assert trial.term_text == "14 days"
    assert refusal(make.saas_product(), {"trial": "1"}) == ("trial_not_offered", "trial")


def test_the_lowest_discount_wins_and_is_named():
    product = make.saas_product()
    account = AccountFactory()
    make.standing_discount(account, product, "0.90")
    make.standing_discount(account, product, "0.80")
    priced = price(configure(product, {"quantity": "10"}), account=account, at=clock.now())
    assert str(priced.amount) == "USD 80.00"
    assert str(priced.list_amount) == "USD 100.00"
    assert priced.discount_source == "standing"
    assert priced.share == Decimal("0.80")


def test_a_discount_of_another_account_or_time_does_not_count():
    product = make.saas_product()
    account, now = AccountFactory(), clock.now()
    make.standing_discount(AccountFactory(), product, "0.50")
    make.standing_discount(account, product, "0.50", valid_from=now + timedelta(days=1))
    make.standing_discount(
        account, product, "0.50", valid_from=now - timedelta(days=2), valid_to=now - timedelta(days=1)
    )
    assert price(configure(product, {}), account=account, at=now).discount is None


def test_texts_follow_the_language_in_force():
    product = make.saas_product(name="Harbor", name_zh="港湾")
    configuration = configure(product, {})
    with translation.override("zh-hans"):
        assert configuration.name == "港湾"
    with translation.override("en"):
        assert configuration.name == "Harbor"


def test_a_sheet_takes_two_queries_however_large_the_grid(django_assert_num_queries):
    product = make.make_product(
        options={"edition": ["basic", "pro"], "region": ["eu", "asia", "us"]}, specifications=("a", "b", "c")
    )
    with django_assert_num_queries(2):
        sheet = queries.sheet_of(product)
    assert sum(len(each.skus) for each in sheet.specifications) == 18


def test_purchase_conditions_tell_what_a_purchase_asks():
    product = make.saas_product(eula="Use it well.", limit_per_account=2, one_at_a_time=True, contact_data="email")
    conditions = queries.purchase_conditions(product)
    assert conditions.agreement_subjects == ("terms", f"eula:{product.code}")
    assert (conditions.limit_per_account, conditions.one_at_a_time, conditions.contact_data) == (2, True, "email")
