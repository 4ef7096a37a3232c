"""Loading catalogue files: checked as a whole, loaded as a whole, the same again and again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command

from audit.models import Trace
from catalog.models import ChangePath, Product, Seller, Sku, StandingDiscount
from catalog.operations import loading
from catalog.queries import configure, price, search
from catalog.rules.catalogue_file import CatalogueFaults, read_catalogue
from catalog.rules.facets import Selection
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel.calls import system_call
from tests.factories.identity import AccountFactory

SELLER = """
sellers:
  - code: aldona
    account: aldona-soft
    name: {en: Aldona Soft, zh: 阿尔多纳}
    email: service@aldona.example
    hours: {en: "Mon–Fri 09:00–18:00"}
"""
PRODUCT = """
products:
  - code: relata
    seller: aldona
    categories: [crm]
    delivery: saas
    name: {en: Relata CRM, zh: 客户通}
    summary: Customers and follow-ups
    introduction: "<p>Good</p><script>alert(1)</script>"
    agreement: {en: Use it well., zh: 请善用。}
    trial_days: 14
    interface: {version: 2, url: "{example_seller}/relata", key: 0123456789abcdef0123456789abcdef}
    specifications:
      - code: standard
        name: Standard
        attributes:
          - code: region
            name: Region
            options: [{code: eu, name: Europe}, {code: asia, name: Asia}]
          - code: users
            name: Users
            quantity: {from: 1, to: 100, unit: {one: user, many: users, zh: 用户}}
        plans: &plans
          - mode: PERIOD
            model: tiered
            term: year
            lengths: [1, 2]
            prices:
              USD: {bands: [[1, 36], [20, 30]]}
              CNY: {bands: [[1, 250], [20, 210]]}
        skus:
          - {options: {region: asia}, sold: false}
      - code: advanced
        name: Advanced
        attributes:
          - code: users
            name: Users
            quantity: {from: 1, to: 100}
        plans: *plans
    changes:
      - {from: standard, to: advanced, upgrade: true}
"""


def read(text):
    return read_catalogue(text, replacements={"example_seller": "http://127.0.0.1:8765"})


def faults(text):
    with pytest.raises(CatalogueFaults) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def load(text):
    return loading.load(system_call(), file=read(text))


# The file alone


def test_a_wrong_value_names_line_and_field():
    text = PRODUCT.replace("bands: [[1, 36], [20, 30]]", "bands: [[1, many]]").replace("term: year", "term: week")
    plan = "products[0].specifications[0].plans[0]"
    found = faults(text)
    line = text.splitlines().index("            term: week") + 1
    assert f"line {line}: {plan}.term: must be one of month, year" in found
    assert f"line {line + 3}: {plan}.prices.USD.bands[0][1]: must be a number" in found


def test_every_fault_is_reported_at_once():
    found = faults(
        PRODUCT.replace("delivery: saas", "delivery: saas\n    colour: red").replace("trial_days: 14", "trial_days: 2")
    )
    assert [each.split(": ")[1] for each in found] == ["products[0].colour", "products[0].trial_days"]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("{en: Relata CRM, zh: 客户通}", "Relata v2.1 for USD 30", "a name holds no price, version or phone"),
        ("delivery: saas", "delivery: saas\n    stock: 5", "only hardware has stock"),
        ("delivery: saas", "delivery: license\n    supervised: false", "license is always supervised"),
        ("delivery: saas", "delivery: image\n    supervised: true", "image is never supervised"),
        ("delivery: saas", "delivery: teleport", "must be one of image, saas"),
        ("            term: year\n", "", "term is missing"),
        ("to: advanced", "to: golden", "golden is neither a specification nor a SKU"),
        ("            options: [{code: eu, name: Europe}, {code: asia, name: Asia}]\n", "", "options or a quantity"),
        ("[[1, 36], [20, 30]]", "[[20, 30], [1, 36]]", "Bands begin at growing quantities"),
        ("USD: {bands: [[1, 36], [20, 30]]}", "XXX: 30", "is no currency of the platform"),
        ("USD: {bands: [[1, 36], [20, 30]]}", "USD: -3", "must be a number from 0 on"),
        ("{region: asia}, sold", "{region: mars}, sold", "mars is no cell of the options"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(before, after, says):
    assert before in PRODUCT
    assert any(says in each for each in faults(PRODUCT.replace(before, after, 1))), faults(
        PRODUCT.replace(before, after, 1)
    )


def test_broken_yaml_names_its_line():
    assert faults("products:\n  - code: [a\n")[0].startswith("line 3: file:")
    assert faults("") == ["line 1: file: is empty"]


# Into the catalogue


@pytest.mark.django_db
def test_a_file_becomes_a_catalogue_that_can_be_configured():
    load(SELLER + PRODUCT)
    product = Product.objects.get(code="relata")
    assert product.introduction == "<p>Good</p>"
    assert product.interface_url == "http://127.0.0.1:8765/relata"
    assert product.interface_key == "0123456789abcdef0123456789abcdef"
    assert [sku.code for sku in Sku.objects.order_by("position")] == ["standard-eu", "advanced"]
    priced = price(configure(product, {"quantity": "20", "term": "1-year"}), account=None, at=clock.now())
    assert str(priced.amount) == "USD 600.00"
    yuan = AccountFactory(currency="CNY")
    assert str(price(configure(product, {}, account=yuan), account=yuan, at=clock.now()).amount) == "CNY 250.00"
    assert ChangePath.objects.get().is_upgrade
    assert identity.current_agreements(["eula:relata"])[-1].text == "Use it well."
    assert [card["name"][0] for card in search.find(query="客户", selection=Selection()).cards] == ["Relata CRM"]


@pytest.mark.django_db
def test_loading_again_changes_nothing():
    load(SELLER + PRODUCT)
    before = list(Product.objects.values())
    traces = Trace.objects.filter(trace_name="saveProduct").count()
    load(SELLER + PRODUCT)
    assert list(Product.objects.values()) == before
    assert Seller.objects.count() == 1
    assert Sku.objects.count() == 2
    assert Trace.objects.filter(trace_name="saveProduct").count() == traces == 1


@pytest.mark.django_db
def test_a_changed_price_changes_the_product_in_place():
    load(SELLER + PRODUCT)
    sku = Sku.objects.get(code="advanced").pk
    load(SELLER + PRODUCT.replace("[[1, 36], [20, 30]]", "[[1, 40], [20, 30]]"))
    product = Product.objects.get(code="relata")
    assert Sku.objects.get(code="advanced").pk == sku
    assert str(price(configure(product, {}), account=None, at=clock.now()).amount) == "USD 40.00"


@pytest.mark.django_db
def test_a_specification_that_left_the_file_is_no_longer_sold():
    load(SELLER + PRODUCT)
    shorter = PRODUCT[: PRODUCT.index("      - code: advanced")]
    load(SELLER + shorter)
    product = Product.objects.get(code="relata")
    assert configure(product, {}).specification_code == "standard"
    assert Sku.objects.get(code="advanced").is_active is False


@pytest.mark.django_db
def test_nothing_is_half_loaded_when_a_reference_leads_nowhere():
    with pytest.raises(CatalogueFaults) as caught:
        load(SELLER + PRODUCT.replace("categories: [crm]", "categories: [crm, moon]"))
    assert "there is no category moon" in str(caught.value)
    assert not Seller.objects.exists()
    assert not Product.objects.exists()


@pytest.mark.django_db
def test_discounts_of_known_accounts_are_granted_once():
    account = AccountFactory(name="acme")
    text = SELLER + PRODUCT + "discounts:\n  - {account: acme, product: relata, share: 0.85}\n"
    load(text)
    load(text)
    granted = StandingDiscount.objects.get()
    assert (granted.account, granted.share) == (account, Decimal("0.85"))


@pytest.mark.django_db
def test_the_command_tells_file_line_and_field(tmp_path: Path):
    file = tmp_path / "shop.yaml"
    file.write_text(SELLER.replace("service@aldona.example", "nowhere"), encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        call_command("load_catalogue", str(file))
    assert str(caught.value) == f"{file}: line 6: sellers[0].email: must be an e-mail address"


@pytest.mark.parametrize(
    "file", sorted((Path(settings.ROOT) / "catalog" / "demo").glob("*.yaml")), ids=lambda file: file.stem
)
def test_the_demo_files_are_well_formed(file):
    assert len(read(file.read_text(encoding="utf-8")).products) == 20


def test_the_example_of_the_documentation_is_well_formed():
    text = (Path(settings.ROOT) / "docs" / "catalogue-format.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    for block in blocks:
        yaml.safe_load(block)


@pytest.mark.django_db
@pytest.mark.parametrize(("said", "needed"), [("", True), ("    request_attachment_required: false\n", False)])
def test_a_request_template_is_kept_and_asked_back_unless_the_file_says_otherwise(said, needed):
    template = "    request_template: |\n      Which region?\n"
    load(SELLER + PRODUCT.replace("    delivery: saas\n", f"    delivery: saas\n{template}{said}", 1))
    product = Product.objects.exclude(request_template="").get()
    assert product.request_attachment_required is needed
    with product.request_template.open() as kept:
        assert kept.read() == b"Which region?"
