"""Products as other rooms ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from catalog.models import Product, Seller, Specification
from catalog.states import SellerState
from koogallery.kernel.prepared import Given, Prepared
from koogallery.kernel.reasons import Missing

_BY_CODE = Prepared(
    lambda: (
        Product.objects.select_related("seller")
        .annotate(
            limits_json=ArraySubquery(
                Specification.objects.filter(product=OuterRef("pk"), limit_per_account__isnull=False)
                .order_by()
                .values(limit_json=JSONObject(code="code", limit="limit_per_account"))
            )
        )
        .filter(code=Given("code"))
    )
)


def approved_sellers_given() -> QuerySet[Seller]:
    """The approved seller that an account given is."""
    return Seller.objects.filter(account_id=Given("account"), state=SellerState.APPROVED)


_SELLER_ID = Prepared(lambda: approved_sellers_given().values_list("pk", flat=True)[:1])


def product_on_sale(slug: str) -> Product:
    """The product at this address. Raises `Missing` unless it is on sale."""
    product = Product.objects.on_sale().select_related("seller").filter(slug=slug).first()
    if product is None:
        raise Missing(f"No product {slug}.")
    return product


def product_by_code(code: str) -> Product:
    """The product with this code, in whatever state. Raises `Missing`."""
    product = _BY_CODE.first(code=code)
    if product is None:
        raise Missing(f"No product {code}.")
    return product


def products_by_id(product_ids: Iterable[int]) -> dict[int, Product]:
    """The products with these row numbers, each with its seller, in whatever state: one query."""
    return Product.objects.select_related("seller").in_bulk(set(product_ids))


def codes_on_sale() -> list[str]:
    """The codes of everything on sale, in alphabetical order."""
    return list(Product.objects.on_sale().order_by("code").values_list("code", flat=True))


def products_by_code(codes: list[str]) -> dict[str, Product]:
    """Products by code with their sellers; for lists that show many. One query."""
    return {each.code: each for each in Product.objects.select_related("seller").filter(code__in=codes)}


def interface_products(account_id: int | None) -> list[Product]:
    """The products of the seller that an account is whose servers the platform calls, by name."""
    products = Product.objects.filter(seller__account_id=account_id or 0).exclude(interface_version="")
    return list(products.select_related("seller").order_by("name", "pk"))


def seller_of_account(account_id: int | None) -> Seller | None:
    """The approved seller that an account is, or None."""
    if account_id is None:
        return None
    return Seller.objects.filter(account_id=account_id, state=SellerState.APPROVED).first()


def seller_id_of_account(account_id: int) -> int | None:
    """The id of the account's approved seller profile, or None; fills identity's port."""
    return _SELLER_ID.first(account=account_id)


def seller_by_id(seller_id: int) -> Seller:
    """A seller. Raises `Missing`."""
    seller = Seller.objects.filter(pk=seller_id).first()
    if seller is None:
        raise Missing(f"No seller {seller_id}.")
    return seller


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseConditions:
    """What a product asks of a purchase, besides its price.

    `agreement_subjects` are given to identity; `contact_data` is a `ContactData` value; `stock` None never runs out.
    """

    limit_per_account: int | None
    limits_per_specification: dict[str, int]
    one_at_a_time: bool
    contact_data: str
    agreement_subjects: tuple[str, ...]
    trial_days: int | None
    stock: int | None
    sales_regions: tuple[str, ...]
    is_on_sale: bool


def purchase_conditions(product: Product) -> PurchaseConditions:
    """Limits, contact data, agreements, trial and stock of a product; one query unless `product_by_code` read it."""
    stored: Any = getattr(product, "limits_json", None)
    if stored is None:
        limited = product.specifications.filter(limit_per_account__isnull=False)
        stored = limited.values("code", limit=F("limit_per_account"))
    return PurchaseConditions(
        limit_per_account=product.limit_per_account,
        limits_per_specification={each["code"]: each["limit"] for each in stored},
        one_at_a_time=product.one_at_a_time,
        contact_data=product.contact_data,
        agreement_subjects=("terms", product.agreement_subject) if product.eula else ("terms",),
        trial_days=product.trial_days,
        stock=product.stock,
        sales_regions=tuple(product.sales_regions),
        is_on_sale=product.is_on_sale,
    )
