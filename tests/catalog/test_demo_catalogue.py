"""The demo catalogue is well-formed and shows everything the marketplace can sell."""

from __future__ import annotations

import pathlib
from collections import Counter
from datetime import date

import pytest
import yaml
from django.core.management import call_command

from catalog.models import PricePlan, Product, StandingDiscount
from catalog.operations.categories_data import SHELVES
from catalog.queries import configure, price
from catalog.queries.sheets import sheet_of
from catalog.rules.catalogue_file import CatalogueFile, PlanRecord, ProductRecord, read_catalogue
from catalog.rules.rich import sanitised
from catalog.states import (
    CAN_BE_CHANGED,
    BillingMode,
    ContactData,
    DeliveryMethod,
    InterfaceVersion,
    Overflow,
    PriceModel,
)
from koogallery import clock
from orders.example_seller import DEMO_KEY, ExampleSeller
from tests.factories.identity import AccountFactory

DEMO = pathlib.Path(__file__).resolve().parents[2] / "catalog" / "demo"
FILES = sorted(DEMO.glob("*.yaml"))
SERVER = "http://127.0.0.1:8001"
SELLERS = ("aldona-soft", "coldwork-labs", "kestrel-systems")
BUYERS = ("northwind-trading", "meridian-health", "harbor-logistics")


def read(file: pathlib.Path) -> CatalogueFile:
    return read_catalogue(file.read_text(encoding="utf-8"), replacements={"example_seller": SERVER})


@pytest.fixture(scope="module")
def files() -> list[CatalogueFile]:
    return [read(file) for file in FILES]


@pytest.fixture(scope="module")
def products(files: list[CatalogueFile]) -> list[ProductRecord]:
    return [product for file in files for product in file.products]


@pytest.fixture(scope="module")
def plans(products: list[ProductRecord]) -> list[PlanRecord]:
    return [plan for product in products for plan in plans_of(product)]


def plans_of(product: ProductRecord) -> list[PlanRecord]:
    return [plan for each in product.specifications for sku in each.skus for plan in sku.plans]


def terms_of(product: ProductRecord) -> set[str]:
    return {plan.term for plan in plans_of(product) if plan.mode is BillingMode.PERIOD}


def test_three_sellers_offer_at_least_55_products_under_codes_of_their_own(files, products):
    assert tuple(seller.account for file in files for seller in file.sellers) == SELLERS
    codes = [product.code for product in products]
    assert len(codes) == len(set(codes)) >= 55
    for file in files:
        assert {product.seller for product in file.products} == {file.sellers[0].code}


def test_every_delivery_method_billing_mode_and_price_model_is_there(products, plans):
    assert {product.delivery for product in products} == set(DeliveryMethod)
    assert {plan.mode for plan in plans} == set(BillingMode)
    assert {plan.model for plan in plans} == set(PriceModel)
    assert {frozenset(terms_of(product)) for product in products} >= {
        frozenset({"month"}),
        frozenset({"year"}),
        frozenset({"month", "year"}),
    }
    assert {plan.overflow for plan in plans if plan.mode is BillingMode.ON_DEMAND_PKG} == set(Overflow)


def test_every_product_is_shelved_and_every_group_of_shelves_is_filled(products):
    parents = {code: parent for code, parent, *_rest in SHELVES}
    used = {code for product in products for code in product.categories}
    assert used <= parents.keys()
    assert {parents[code] for code in used} >= {code for code, parent in parents.items() if not parent}


def test_every_sku_is_sold_in_dollars_and_some_products_in_further_currencies(products, plans):
    assert all("USD" in {price.currency for price in plan.prices} for plan in plans)
    sold = Counter(
        currency
        for product in products
        for currency in set.intersection(*({price.currency for price in plan.prices} for plan in plans_of(product)))
    )
    assert sold["CNY"] >= 12
    assert sold["JPY"] >= 3
    assert sold["KWD"] >= 3


def test_every_text_is_there_in_chinese(files, products):
    for product in products:
        texts = {**product.texts, "agreement": product.agreement}
        texts |= {f"specification {each.code}": each.name for each in product.specifications}
        texts |= {
            f"attribute {each.code}/{attribute.code}": attribute.name
            for each in product.specifications
            for attribute in each.attributes
        }
        texts |= {f"description {each.code}": each.description for each in product.specifications}
        texts |= {
            f"option {attribute.code}/{option.code}": option.name
            for each in product.specifications
            for attribute in each.attributes
            for option in attribute.options
        }
        missing = [name for name, text in texts.items() if text.en and not text.zh]
        assert not missing, (product.code, missing)
        for name in ("summary", "overview", "introduction", "usage_guide"):
            assert product.texts[name].en, (product.code, name)
        assert product.values["support_scope_zh"], product.code
    for file in files:
        assert all(seller.name.zh and seller.introduction.zh and seller.hours.zh for seller in file.sellers)
    assert all(plan.usage_zh for product in products for plan in plans_of(product) if plan.usage_one)


def test_sanitising_takes_nothing_from_the_rich_texts():
    for file in FILES:
        for product in yaml.safe_load(file.read_text(encoding="utf-8"))["products"]:
            for text in (*product["introduction"].values(), *product["usage_guide"].values()):
                assert sanitised(text) == text, product["code"]
                assert "<" in text


def test_unsupervised_saas_calls_the_example_seller_mostly_by_version_2(products):
    saas = [product for product in products if product.delivery is DeliveryMethod.SAAS]
    served = [product.values for product in saas if not product.supervised]
    assert Counter(each["interface_version"] for each in served)[InterfaceVersion.V1] == 2
    with ExampleSeller(key=DEMO_KEY) as server:
        addresses = {
            InterfaceVersion.V1.value: server.version_1_url.replace(f":{server.port}", ":8001"),
            InterfaceVersion.V2.value: server.url.replace(f":{server.port}", ":8001"),
        }
    for each in served:
        assert each["interface_url"] == addresses[each["interface_version"]]
        assert each["interface_key"] == DEMO_KEY
    assert any(product.supervised for product in saas)


def test_everything_a_product_may_promise_or_limit_is_shown_once(products, plans):
    values = [product.values for product in products]
    assert {each["contact_data"] for each in values} == set(ContactData)
    for name in ("trial_days", "limit_per_account", "one_at_a_time", "supports_change", "supports_auto_renewal"):
        assert any(each[name] for each in values), name
    assert any(each["request_attachment_required"] for each in values)
    assert 3 in [each["stock"] for each in values]
    assert any(each.limit_per_account for product in products for each in product.specifications)
    assert {path.upgrade for product in products for path in product.changes} == {True, False}
    assert all(product.values["supports_change"] for product in products if product.changes)
    assert {product.delivery for product in products if product.values["supports_change"]} <= CAN_BE_CHANGED
    quantities = [
        attribute
        for product in products
        for each in product.specifications
        for attribute in each.attributes
        if attribute.is_quantity
    ]
    assert {attribute.step for attribute in quantities} > {1}
    assert any(len(each.skus) >= 4 for product in products for each in product.specifications)
    lengths = [length for plan in plans for price in plan.prices for length in price.lengths]
    assert any(each["count"] == 12 and each.get("charged_terms") == "10" for each in lengths)
    assert any("unit_price" in each for each in lengths)


def test_supervised_products_name_their_acceptance_criteria_and_images_their_rules(products):
    for product in products:
        if product.supervised:
            assert product.texts["acceptance_criteria"].en, product.code
            assert product.values["delivery_days"], product.code
        if product.delivery is DeliveryMethod.IMAGE:
            assert product.values["image_reference"], product.code
            assert product.values["security_group_rules"], product.code
    assert any(product.values.get("stack_template") for product in products)


def test_releases_spread_from_february_to_november(products):
    days = [product.released for product in products]
    assert min(days) >= date(2026, 2, 1)
    assert max(days) == date(2026, 11, 10)
    assert len({day.month for day in days}) == 10


def test_standing_discounts_name_demo_accounts_and_products_on_sale(files, products):
    discounts = [discount for file in files for discount in file.discounts]
    assert {discount.account for discount in discounts} == set(BUYERS)
    assert {discount.product for discount in discounts} <= {product.code for product in products}


def plan_price(products: list[ProductRecord], code: str, mode: BillingMode, term: str = "") -> str:
    product = next(each for each in products if each.code == code)
    found = [plan for plan in plans_of(product) if plan.mode is mode and plan.term == term]
    return str(next(price.unit for price in found[0].prices if price.currency == "USD"))


def test_well_known_products_cost_what_the_design_shows(products):
    assert plan_price(products, "inkroute", BillingMode.PERIOD, "month") == "25.00"
    assert plan_price(products, "harbor-erp", BillingMode.ONE_TIME) == "36000.00"
    assert plan_price(products, "postgres-ready", BillingMode.ON_DEMAND) == "0.12"
    assert plan_price(products, "coldkeep", BillingMode.PERIOD, "year") == "640.00"
    assert plan_price(products, "cloud-migration", BillingMode.ONE_TIME) == "7200.00"
    assert {"relata-crm", "docflow", "deskly"} <= {product.code for product in products}


@pytest.mark.django_db
def test_the_files_load_twice_with_one_result_and_every_plan_has_a_price(settings):
    settings.EXAMPLE_SELLER_PORT = 8001
    for name in (*SELLERS, *BUYERS):
        AccountFactory(name=name)
    call_command("load_catalogue", *map(str, FILES))
    before = set(PricePlan.objects.values_list("pk", flat=True))
    call_command("load_catalogue", *map(str, FILES))
    assert set(PricePlan.objects.values_list("pk", flat=True)) == before
    assert StandingDiscount.objects.count() == sum(len(read(file).discounts) for file in FILES)
    priced = 0
    for product in Product.objects.select_related("seller"):
        sheet = sheet_of(product)
        for specification in sheet.specifications:
            for sku in specification.skus:
                chosen = {f"attr_{name}": option for name, option in sku.choices.items()}
                for plan in sku.plans:
                    chosen |= {"specification": specification.code, "plan": plan.billing_mode}
                    terms = [f"{count}-{plan.term_unit}" for count in plan.lengths] or [""]
                    for term in terms:
                        configuration = configure(product, {**chosen, "term": term}, sheet=sheet)
                        assert configuration.sku_code == sku.code
                        amount = price(configuration, account=None, at=clock.now()).amount
                        assert amount.amount > 0 or plan.billing_mode == BillingMode.ON_DEMAND
                        priced += 1
    assert priced > 150
