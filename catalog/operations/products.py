"""Products: taking over a checked record, and their life on sale."""

from __future__ import annotations

import hashlib
from datetime import datetime, time
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from catalog.models import (
    Attribute,
    AttributeOption,
    Category,
    ChangePath,
    PlanPrice,
    PricePlan,
    Product,
    Seller,
    Sku,
    Specification,
)
from catalog.operations import indexing
from catalog.rules.catalogue_file import (
    AttributeRecord,
    PlanRecord,
    ProductRecord,
    SkuRecord,
    SpecificationRecord,
)
from catalog.states import PRODUCT_MOVES, AttributeKind, ProductState
from koogallery import clock
from koogallery.identity.operations import agreements
from koogallery.kernel import pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing, Refused

OPERATIONS = {Role.OPERATOR, Role.SYSTEM}


def _locked(call: Call, code: str) -> Product:
    """The product for an operations manager or the platform; for a seller only its own."""
    rows = Product.objects.select_for_update(of=("self",)).select_related("seller").filter(code=code)
    if call.role not in OPERATIONS:
        rows = rows.filter(seller__account_id=call.account_id or 0)
    product = rows.first()
    if product is None:
        raise Missing(f"No product {code}.")
    return product


# Life on sale


@operation("releaseProduct", resource_type="Product", roles=OPERATIONS, targets={"product": _locked})
def release(call: Call, *, product: Product) -> Product:
    """Put a product on sale, or on sale again. Raises `Refused("state_move")`."""
    product.released_at = product.released_at or call.at
    return _move(call, product, ProductState.ON_SALE, "")


@operation("hideProduct", resource_type="Product", roles=OPERATIONS, targets={"product": _locked})
def hide(call: Call, *, product: Product, reason: str = "") -> Product:
    """Take a product out of lists and search; running resources live on."""
    return _move(call, product, ProductState.HIDDEN, reason)


@operation("removeProduct", resource_type="Product", roles=OPERATIONS, targets={"product": _locked})
def remove(call: Call, *, product: Product, reason: str = "") -> Product:
    """Remove a product from the catalogue; running resources live on."""
    return _move(call, product, ProductState.REMOVED, reason)


def _move(call: Call, product: Product, state: ProductState, reason: str) -> Product:
    PRODUCT_MOVES.check(ProductState(product.state), state)
    product.state, product.state_reason, product.changed_at = state, reason[:300], call.at
    product.save(update_fields=["state", "state_reason", "changed_at", "released_at"])
    indexing.refresh([product.pk])
    pagecache.bump()
    describe(resource=product, state=state, reason=reason)
    return product


# Content


@operation("saveProduct", resource_type="Product", roles=OPERATIONS)
def save(call: Call, *, record: ProductRecord) -> Product:
    """Make or change a product as a checked record says, by code; a new one is put on sale.

    An unchanged record changes nothing. Specifications, SKUs and plans that left the record are no longer sold; running
    resources keep theirs. Raises `Refused("seller_unknown")` or `Refused("category_unknown")`.
    """
    seller = Seller.objects.filter(code=record.seller).first()
    if seller is None:
        raise Refused("seller_unknown", field="seller", name=record.seller)
    categories = {each.code: each for each in Category.objects.filter(code__in=record.categories)}
    if missing := [code for code in record.categories if code not in categories]:
        raise Refused("category_unknown", field="categories", name=missing[0])
    product = Product.objects.select_for_update(of=("self",)).filter(code=record.code).first()
    digest = record.digest()
    if product is not None and product.content_digest == digest:
        untraced()
        return product
    made = product is None
    if product is None:
        released = datetime.combine(record.released, time(10), clock.platform_zone()) if record.released else call.at
        product = Product(
            code=record.code,
            slug=record.code,
            state=ProductState.ON_SALE,
            created_at=min(released, call.at),
            released_at=released,
        )
    for name, value in _columns(record).items():
        setattr(product, name, value)
    product.seller = seller
    product.content_digest = digest
    product.changed_at = call.at
    product.save()
    product.categories.set([categories[code] for code in record.categories])
    _save_specifications(product, record)
    _save_paths(product, record)
    if record.agreement.en:
        titles = {"en": f"{record.texts['name'].en}: agreement", "zh-hans": f"{record.texts['name'].zh}协议"}
        agreements.publish_text(
            call,
            kind="eula",
            subject=product.agreement_subject,
            titles=titles if record.texts["name"].zh else {"en": titles["en"]},
            texts={"en": record.agreement.en, "zh-hans": record.agreement.zh},
        )
    indexing.refresh([product.pk])
    pagecache.bump()
    describe(resource=product, made=made, account_id=seller.account_id)
    return product


def _columns(record: ProductRecord) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "delivery_method": record.delivery,
        "supervised": record.supervised,
        "eula": record.agreement.en,
        "eula_zh": record.agreement.zh,
        "request_template": _kept_template(record),
        **record.values,
    }
    for name, text in record.texts.items():
        columns[name], columns[f"{name}_zh"] = text.en, text.zh
    return columns


def _kept_template(record: ProductRecord) -> str:
    """The stored file of the request template, named by its content; nothing without one."""
    if not record.request_template:
        return ""
    content = record.request_template.encode()
    name = f"products/requests/{record.code}-{hashlib.sha256(content).hexdigest()[:12]}.txt"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(content))


def _save_specifications(product: Product, record: ProductRecord) -> None:
    codes = [each.code for each in record.specifications]
    product.specifications.exclude(code__in=codes).update(is_active=False)
    Sku.objects.filter(product=product).exclude(
        code__in=[sku.code for each in record.specifications for sku in each.skus]
    ).update(is_active=False)
    position = 0
    for order, each in enumerate(record.specifications):
        specification, _made = Specification.objects.update_or_create(
            product=product,
            code=each.code,
            defaults={
                "name": each.name.en,
                "name_zh": each.name.zh,
                "description": each.description.en,
                "description_zh": each.description.zh,
                "limit_per_account": each.limit_per_account,
                "position": order,
                "is_active": True,
            },
        )
        _save_attributes(specification, each)
        for sku in each.skus:
            _save_sku(product, specification, sku, position)
            position += 1


def _save_attributes(specification: Specification, record: SpecificationRecord) -> None:
    """Attributes are replaced: nothing but their options refers to them."""
    AttributeOption.objects.filter(attribute__specification=specification).delete()
    specification.attributes.all().delete()
    for position, each in enumerate(record.attributes):
        attribute = Attribute.objects.create(specification=specification, position=position, **_attribute(each))
        AttributeOption.objects.bulk_create(
            AttributeOption(
                attribute=attribute,
                code=option.code,
                name=option.name.en,
                name_zh=option.name.zh,
                position=place,
            )
            for place, option in enumerate(each.options)
        )


def _attribute(record: AttributeRecord) -> dict[str, Any]:
    return {
        "code": record.code,
        "kind": AttributeKind.QUANTITY if record.is_quantity else AttributeKind.ENUMERATION,
        "name": record.name.en,
        "name_zh": record.name.zh,
        "unit": record.unit_many,
        "unit_one": record.unit_one,
        "unit_zh": record.unit_zh,
        "minimum": record.low,
        "maximum": record.high,
        "step": record.step,
    }


def _save_sku(product: Product, specification: Specification, record: SkuRecord, position: int) -> None:
    Sku.objects.filter(specification=specification, choices=record.choices).exclude(code=record.code).update(
        choices={"replaced": record.code}
    )
    sku, _made = Sku.objects.update_or_create(
        product=product,
        code=record.code,
        defaults={
            "specification": specification,
            "choices": record.choices,
            "position": position,
            "is_active": True,
        },
    )
    kept = []
    for each in record.plans:
        plan, _made = PricePlan.objects.update_or_create(
            sku=sku, billing_mode=each.mode, term_unit=each.term, defaults=_plan(each)
        )
        kept.append(plan.pk)
        plan.prices.exclude(currency__in=[price.currency for price in each.prices]).delete()
        for price in each.prices:
            PlanPrice.objects.update_or_create(
                plan=plan,
                currency=price.currency,
                defaults={
                    "unit_price": price.unit,
                    "bands": [[str(first), str(unit)] for first, unit in price.bands],
                    "length_prices": list(price.lengths),
                    "overflow_price": price.overflow,
                },
            )
    sku.plans.exclude(pk__in=kept).update(is_active=False)


def _plan(record: PlanRecord) -> dict[str, Any]:
    return {
        "model": record.model,
        "lengths": list(record.lengths),
        "usage_unit": record.usage_one,
        "usage_units": record.usage_many,
        "usage_unit_zh": record.usage_zh,
        "package_quota": record.quota,
        "package_months": record.months,
        "overflow": record.overflow,
        "is_active": True,
    }


def _save_paths(product: Product, record: ProductRecord) -> None:
    """Change paths are replaced. A path between specifications joins their SKUs of equal choices, else all of them."""
    product.change_paths.all().delete()
    skus = {sku.code: sku for sku in Sku.objects.filter(product=product, is_active=True)}
    of_specification = {each.code: [skus[sku.code] for sku in each.skus] for each in record.specifications}
    made: dict[tuple[int, int], ChangePath] = {}
    for path in record.changes:
        sources = [skus[path.source]] if path.source in skus else of_specification[path.source]
        targets = [skus[path.target]] if path.target in skus else of_specification[path.target]
        for source in sources:
            alike = [target for target in targets if target.choices == source.choices] or targets
            for target in alike:
                if source.pk != target.pk:
                    made[source.pk, target.pk] = ChangePath(
                        product=product, source=source, target=target, is_upgrade=path.upgrade
                    )
    ChangePath.objects.bulk_create(made.values())
