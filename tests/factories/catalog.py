"""Sellers and products for tests, made through the rows with the guard open.

product = saas_product()                                  # yearly/monthly, USD 10.00 a user and month
product = make_product(delivery_method="hardware", stock=1, plans=[plan(mode="ONE_TIME", unit_price="250.00")])
configure(product, {"quantity": "5", "term": "1-year"})
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from catalog.models import (
    Attribute,
    AttributeOption,
    Category,
    PlanPrice,
    PricePlan,
    Product,
    Seller,
    Sku,
    Specification,
    StandingDiscount,
)
from catalog.states import ALWAYS_SUPERVISED, SellerState
from koogallery import clock
from koogallery.kernel import guard
from tests.factories.identity import UserFactory

_numbers = itertools.count(1)


def make_seller(account: Any = None, **fields: Any) -> Seller:
    """An approved seller; with an account of its own unless one is given."""
    number = next(_numbers)
    if account is None:
        account = UserFactory().account
    values = {
        "code": f"seller-{number}",
        "slug": f"seller-{number}",
        "name": f"Seller {number}",
        "email": f"service{number}@seller.test",
        "phone": "+86 755 0000 0000",
        "hours": "Mon–Fri 09:00–18:00",
        "state": SellerState.APPROVED,
    }
    with guard.opened("test"):
        return Seller.objects.create(account=account, **(values | fields))


def make_category(code: str = "", *, parent: Category | None = None, **fields: Any) -> Category:
    """A category; below `parent` if given."""
    code = code or f"category-{next(_numbers)}"
    with guard.opened("test"):
        return Category.objects.create(code=code, parent=parent, **({"name": code.title()} | fields))


def plan(
    *,
    mode: str = "PERIOD",
    model: str = "flat",
    term_unit: str | None = None,
    lengths: Sequence[int] = (),
    unit_price: str | Decimal = "10.00",
    bands: Sequence[tuple[str, str]] = (),
    length_prices: Sequence[dict[str, Any]] = (),
    currencies: Sequence[str] = ("USD",),
    **fields: Any,
) -> dict[str, Any]:
    """The description of a price plan for `make_product`."""
    if mode == "ON_DEMAND_PKG":
        fields = {"package_quota": Decimal(1000), "package_months": 12, "overflow": "stop", **fields}
    if mode in ("ON_DEMAND", "ON_DEMAND_PKG"):
        fields.setdefault("usage_unit", "hour")
    return {
        "plan": {
            "billing_mode": mode,
            "model": model,
            "term_unit": (term_unit or "month") if mode == "PERIOD" else "",
            "lengths": list(lengths),
            **fields,
        },
        "price": {
            "unit_price": Decimal(unit_price),
            "bands": [list(band) for band in bands],
            "length_prices": list(length_prices),
        },
        "currencies": currencies,
    }


def make_product(
    *,
    seller: Seller | None = None,
    categories: Sequence[Category] = (),
    plans: Sequence[dict[str, Any]] | None = None,
    quantity: tuple[str, str, str] | None = None,
    options: dict[str, Sequence[str]] | None = None,
    specifications: Sequence[str] = ("standard",),
    indexed: bool = True,
    **fields: Any,
) -> Product:
    """A product on sale whose every SKU has the same `plans`.

    `quantity`: from, to, step of users. `options`: enumerations with the codes of their options.
    """
    number = next(_numbers)
    now = clock.now()
    method = fields.get("delivery_method", "saas")
    values = {
        "code": f"product-{number}",
        "slug": f"product-{number}",
        "name": f"Product {number}",
        "summary": "A product for tests",
        "delivery_method": method,
        "supervised": method in ALWAYS_SUPERVISED,
        "state": "on_sale",
        "created_at": now,
        "released_at": now,
        "changed_at": now,
    }
    with guard.opened("test"):
        product = Product.objects.create(seller=seller or make_seller(), **(values | fields))
        product.categories.set(categories)
        for position, code in enumerate(specifications):
            specification = Specification.objects.create(
                product=product, code=code, name=code.title(), position=position
            )
            _fill(specification, quantity=quantity, options=options or {}, plans=[plan()] if plans is None else plans)
    if indexed:
        index(product)
    return product


def index(*products: Product) -> None:
    """Let search find the products."""
    try:
        from catalog.operations import indexing  # search needs it, orders do not
    except ImportError:
        return
    indexing.refresh([product.pk for product in products])


def _fill(
    specification: Specification,
    *,
    quantity: tuple[str, str, str] | None,
    options: dict[str, Sequence[str]],
    plans: Sequence[dict[str, Any]],
) -> None:
    for code, choices in options.items():
        attribute = Attribute.objects.create(
            specification=specification, code=code, kind="enumeration", name=code.title()
        )
        for choice in choices:
            AttributeOption.objects.create(attribute=attribute, code=choice, name=choice.title())
    if quantity:
        low, high, step = (Decimal(each) for each in quantity)
        Attribute.objects.create(
            specification=specification,
            code="users",
            kind="quantity",
            name="Users",
            unit="users",
            minimum=low,
            maximum=high,
            step=step,
        )
    for cell in itertools.product(*options.values()):
        sku = Sku.objects.create(
            product=specification.product,
            specification=specification,
            code="-".join([specification.code, *cell]),
            choices=dict(zip(options, cell, strict=True)),
        )
        for each in plans:
            row = PricePlan.objects.create(sku=sku, **each["plan"])
            for currency in each["currencies"]:
                PlanPrice.objects.create(plan=row, currency=currency, **each["price"])


def saas_product(**fields: Any) -> Product:
    """An unsupervised SaaS product by the user, monthly and yearly, with the interface 2.0."""
    values: dict[str, Any] = {
        "delivery_method": "saas",
        "interface_version": "2",
        "interface_url": "http://127.0.0.1:8765/",
        "interface_key": "0123456789abcdef0123456789abcdef",
        "quantity": ("1", "5000", "1"),
        "supports_change": True,
        "supports_auto_renewal": True,
        "plans": [
            plan(model="linear", unit_price="10.00", lengths=[1, 3, 6]),
            plan(model="linear", term_unit="year", unit_price="100.00", lengths=[1, 2, 3]),
        ],
    }
    return make_product(**(values | fields))


def pay_per_use_product(**fields: Any) -> Product:
    """A pay-per-use API, USD 0.002 a call."""
    values: dict[str, Any] = {
        "delivery_method": "api",
        "plans": [plan(mode="ON_DEMAND", unit_price="0.002", usage_unit="call")],
    }
    return make_product(**(values | fields))


def package_product(**fields: Any) -> Product:
    """A package of 1,000 calls for USD 50.00."""
    values: dict[str, Any] = {
        "delivery_method": "api",
        "plans": [plan(mode="ON_DEMAND_PKG", unit_price="50.00", usage_unit="call")],
    }
    return make_product(**(values | fields))


def content_product(**fields: Any) -> Product:
    """A one-time content service, USD 300.00, handed over by text."""
    values: dict[str, Any] = {
        "delivery_method": "content_service",
        "handover_text": "We write to you within a day.",
        "plans": [plan(mode="ONE_TIME", unit_price="300.00")],
    }
    return make_product(**(values | fields))


def hardware_product(**fields: Any) -> Product:
    """A device with a stock of 5, USD 250.00 each."""
    values: dict[str, Any] = {
        "delivery_method": "hardware",
        "stock": 5,
        "max_items": 100,
        "plans": [plan(mode="ONE_TIME", unit_price="250.00")],
    }
    return make_product(**(values | fields))


def standing_discount(account: Any, product: Product, share: str = "0.90", **fields: Any) -> StandingDiscount:
    """The account pays `share` of the product's price from now on."""
    values = {"share": Decimal(share), "valid_from": clock.now()}
    with guard.opened("test"):
        return StandingDiscount.objects.create(account=account, product=product, **(values | fields))
