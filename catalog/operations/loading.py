"""Loading a catalogue file: everything or nothing, again and again with the same result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from catalog.models import Category, Product, Seller
from catalog.operations import categories, discounts, products, sellers
from catalog.rules.catalogue_file import CatalogueFaults, CatalogueFile, Fault, SellerRecord
from koogallery.identity import queries as identity
from koogallery.identity.operations import accounts
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much a file held."""

    categories: int
    sellers: int
    products: int
    discounts: int


@operation("loadCatalogue", resource_type="Catalogue", roles={Role.OPERATOR, Role.SYSTEM})
def load(call: Call, *, file: CatalogueFile, name: str = "") -> Loaded:
    """Take over a checked file in one transaction; the guide's categories are made where they are missing.

    An account that a seller names is made if there is none. Raises `CatalogueFaults` for what the file refers to in
    vain.
    """
    categories.ensure_categories(call)
    faults: list[Fault] = []
    for shelf in file.categories:
        categories.save_category(
            call,
            code=shelf.code,
            name=shelf.name.en,
            name_zh=shelf.name.zh,
            parent=shelf.parent,
            summary=shelf.summary.en,
            summary_zh=shelf.summary.zh,
            icon=shelf.icon,
            position=shelf.position,
        )
    _check_references(file, faults)
    for index, seller in enumerate(file.sellers):
        try:
            with transaction.atomic():
                _save_seller(call, seller)
        except Refused as refused:
            faults.append(Fault(seller.line, f"sellers[{index}]", str(refused)))
    if faults:
        raise CatalogueFaults(faults)
    for index, product in enumerate(file.products):
        try:
            with transaction.atomic():
                products.save(call, record=product)
        except Refused as refused:
            faults.append(Fault(product.line, f"products[{index}].{refused.field}", str(refused)))
    if faults:
        raise CatalogueFaults(faults)
    for discount in file.discounts:
        account = identity.account_by_name(discount.account)
        assert account is not None
        discounts.grant(call, account=account, product=discount.product, share=discount.share)
    loaded = Loaded(len(file.categories), len(file.sellers), len(file.products), len(file.discounts))
    describe(resource_id="catalogue", resource_name=name or "catalogue file", loaded=loaded)
    return loaded


def _check_references(file: CatalogueFile, faults: list[Fault]) -> None:
    shelves = set(Category.objects.values_list("code", flat=True))
    known = set(Seller.objects.values_list("code", flat=True)) | {seller.code for seller in file.sellers}
    sold = set(Product.objects.values_list("code", flat=True)) | {product.code for product in file.products}
    for index, product in enumerate(file.products):
        if product.seller not in known:
            faults.append(Fault(product.line, f"products[{index}].seller", f"there is no seller {product.seller}"))
        faults += [
            Fault(product.line, f"products[{index}].categories", f"there is no category {code}")
            for code in product.categories
            if code not in shelves
        ]
    for index, discount in enumerate(file.discounts):
        place = f"discounts[{index}]"
        if discount.product not in sold:
            faults.append(Fault(discount.line, f"{place}.product", f"there is no product {discount.product}"))
        if identity.account_by_name(discount.account) is None:
            faults.append(Fault(discount.line, f"{place}.account", f"there is no account {discount.account}"))


def _save_seller(call: Call, record: SellerRecord) -> Seller:
    profile: dict[str, Any] = {
        "name": record.name.en,
        "name_zh": record.name.zh,
        "introduction": record.introduction.en,
        "introduction_zh": record.introduction.zh,
        "email": record.email,
        "phone": record.phone,
        "hours": record.hours.en,
        "hours_zh": record.hours.zh,
        "zone": record.zone,
        "website": record.website,
    }
    seller = Seller.objects.filter(code=record.code).first()
    if seller is not None:
        if any(getattr(seller, name) != value for name, value in profile.items()):
            sellers.update(call, seller=seller.code, **profile)
        return seller
    account = identity.account_by_name(record.account)
    if account is None:
        account = accounts.create(call, name=record.account, email=record.email, mobile=record.phone)
    seller = sellers.apply(call, account=account, code=record.code, company=record.name.en, **profile)
    return sellers.approve(call, seller=seller.code)
