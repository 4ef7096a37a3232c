"""A large catalogue from a list of software, for load and search tests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.text import slugify

from catalog.models import Category, Seller
from catalog.operations import indexing
from catalog.operations.categories import ensure_categories
from catalog.operations.categories_data import LOAD_SHELVES
from catalog.states import SellerState
from koogallery.identity.operations import accounts
from koogallery.kernel import pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation

SELLERS = 40
METHODS = ("saas",) * 8 + ("license",) * 3 + ("image",) * 4 + ("api",) * 3 + ("professional_service", "cloud_host")
SUPERVISED = {"license", "professional_service"}
HOUSES = ("Aster", "Beacon", "Cinder", "Delta", "Ember", "Fjord", "Grove", "Haven", "Indigo", "Juniper")
TRADES = ("Systems", "Software", "Cloud", "Works")
EDITIONS = (
    ("Basic", "基础版"), ("Starter", "入门版"), ("Team", "团队版"), ("Business", "商业版"), ("Plus", "增强版"),
    ("Core", "核心版"), ("Studio", "工作室版"), ("Cluster", "集群版"), ("Single", "单机版"), ("Site", "站点版"),
)  # fmt: skip
PRICES = tuple(Decimal(each) for each in ("5", "9.90", "15", "25", "40", "60", "99", "150", "240", "480", "960"))


@operation("loadSoftware", resource_type="Product", roles={Role.SYSTEM, Role.OPERATOR})
def load(call: Call, *, rows: Sequence[tuple[str, str]]) -> None:
    """Make one product on sale of every (name, summary), with sellers, 50 categories and plausible prices.

    The same rows give the same products. Search is built anew.
    """
    ensure_categories(call)
    shelves = _shelves()
    sellers = _sellers(call)
    chance = random.Random(20260101)
    first = {table: _reserve(table, len(rows)) for table in ("product", "specification", "sku", "priceplan")}
    made = [
        _Made(index, name, summary, chance, sellers, shelves, first, call) for index, (name, summary) in enumerate(rows)
    ]
    _copy(PRODUCT, "catalog_product", (each.product for each in made))
    _copy(("product_id", "category_id"), "catalog_product_categories", (each.shelf for each in made))
    _copy(SPECIFICATION, "catalog_specification", (each.specification for each in made))
    _copy(SKU, "catalog_sku", (each.sku for each in made))
    _copy(PLAN, "catalog_priceplan", (each.plan for each in made))
    _copy(PRICE, "catalog_planprice", (each.price for each in made))
    indexing.rebuild(at=call.at)
    pagecache.bump()
    describe(resource_id="software", resource_name="software list", products=len(made))


PRODUCT = (
    "id", "code", "slug", "seller_id", "state", "state_reason", "delivery_method", "supervised", "name", "name_zh",
    "summary", "summary_zh", "overview", "overview_zh", "introduction", "introduction_zh", "usage_guide",
    "usage_guide_zh", "user_guide_file", "logo", "support_hours", "support_hours_zh", "support_zone",
    "support_hotline", "support_email", "support_scope", "support_scope_zh", "eula", "eula_zh", "sales_regions",
    "request_template", "request_attachment_required", "acceptance_criteria", "acceptance_criteria_zh",
    "handover_text", "handover_text_zh", "supports_change", "supports_auto_renewal", "trial_days", "contact_data",
    "one_at_a_time", "max_items", "platform_fee_percent", "interface_version", "interface_url", "interface_key",
    "image_reference", "security_group_rules", "stack_template", "created_at", "released_at", "changed_at",
    "popularity", "content_digest",
)  # fmt: skip
SPECIFICATION = (
    "id",
    "product_id",
    "code",
    "name",
    "name_zh",
    "description",
    "description_zh",
    "position",
    "is_active",
)
SKU = ("id", "product_id", "specification_id", "code", "choices", "position", "is_active")
PLAN = (
    "id", "sku_id", "billing_mode", "model", "term_unit", "lengths", "usage_unit", "usage_units", "usage_unit_zh",
    "overflow", "is_active",
)  # fmt: skip
PRICE = ("plan_id", "currency", "unit_price", "bands", "length_prices")


class _Made:
    """The rows of one product."""

    def __init__(
        self,
        index: int,
        name: str,
        summary: str,
        chance: random.Random,
        sellers: Sequence[Seller],
        shelves: Sequence[int],
        first: dict[str, int],
        call: Call,
    ) -> None:
        product, specification = first["product"] + index, first["specification"] + index
        sku, plan = first["sku"] + index, first["priceplan"] + index
        method = chance.choice(METHODS)
        released = call.at - timedelta(minutes=chance.randrange(3 * 365 * 24 * 60))
        mode, unit = _mode(method, chance)
        texts = {"code": f"software-{index + 1}", "slug": f"{slugify(name)[:90] or 'software'}-{index + 1}"}
        fixed: dict[str, Any] = {
            "id": product,
            **texts,
            "seller_id": sellers[int(chance.random() ** 2 * len(sellers))].pk,
            "state": "on_sale",
            "delivery_method": method,
            "supervised": method in SUPERVISED,
            "name": name[:120],
            "summary": summary[:300],
            "support_zone": "GMT+08:00",
            "sales_regions": [],
            "request_attachment_required": False,
            "supports_change": method == "saas",
            "supports_auto_renewal": mode == "PERIOD",
            "trial_days": 14 if method == "saas" and chance.random() < 0.3 else None,
            "contact_data": "none",
            "one_at_a_time": False,
            "max_items": 1,
            "platform_fee_percent": Decimal("10.00"),
            "security_group_rules": "[]",
            "created_at": released,
            "released_at": released,
            "changed_at": released,
            "popularity": int(chance.paretovariate(1.1)) - 1,
        }
        self.product = tuple(fixed.get(column, "") for column in PRODUCT)
        self.shelf = (product, chance.choice(shelves))
        name_en, name_zh = chance.choice(EDITIONS)
        self.specification = (specification, product, "standard", name_en, name_zh, "", "", 0, True)
        self.sku = (sku, product, specification, "standard", "{}", 0, True)
        lengths = [1, 2, 3] if unit == "year" else [1, 3, 6] if unit == "month" else []
        usage = ("hour", "hours", "小时") if mode == "ON_DEMAND" else ("", "", "")
        self.plan = (plan, sku, mode, "flat", unit, lengths, *usage, "", True)
        price = chance.choice(PRICES)
        self.price = (plan, "USD", price / 100 if mode == "ON_DEMAND" else price, "[]", "[]")


def _mode(method: str, chance: random.Random) -> tuple[str, str]:
    if method in ("professional_service", "cloud_host"):
        return "ONE_TIME", ""
    if method in ("image", "api") and chance.random() < 0.5:
        return "ON_DEMAND", ""
    return "PERIOD", chance.choice(("month", "year"))


def _shelves() -> list[int]:
    below: dict[str, list[str]] = {
        parent: [] for parent in Category.objects.filter(parent=None).values_list("code", flat=True)
    }
    for code, parent in Category.objects.exclude(parent=None).values_list("code", "parent__code"):
        below[parent].append(code)
    position = 100
    for parent, code, name, name_zh in LOAD_SHELVES:
        if code not in below[parent]:
            top = Category.objects.get(code=parent)
            Category.objects.create(code=code, parent=top, name=name, name_zh=name_zh, position=position)
            position += 1
    return list(Category.objects.exclude(parent=None).order_by("pk").values_list("pk", flat=True))


def _sellers(call: Call) -> list[Seller]:
    found = []
    for index in range(SELLERS):
        code = f"house-{index + 1}"
        name = f"{HOUSES[index % len(HOUSES)]} {TRADES[index // len(HOUSES)]}"
        seller = Seller.objects.filter(code=code).first()
        if seller is None:
            account = accounts.create(call, name=f"house-{index + 1}", email=f"service@house-{index + 1}.example")
            seller = Seller.objects.create(
                account=account,
                code=code,
                slug=code,
                name=name,
                email=f"service@house-{index + 1}.example",
                state=SellerState.APPROVED,
                decided_at=call.at,
            )
        found.append(seller)
    return found


def _reserve(table: str, count: int) -> int:
    """The first of `count` free ids of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), nextval(pg_get_serial_sequence(%s, 'id')) + %s)",
            [f"catalog_{table}", f"catalog_{table}", count],
        )
        return int(cursor.fetchone()[0]) - count


def _copy(columns: Sequence[str], table: str, rows: Iterable[Sequence[Any]]) -> None:
    names = ", ".join(columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
