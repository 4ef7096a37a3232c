"""Discounts that an account may use on a product (pricing.md: they do not stack, the lowest total wins)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from billing.rules.discounts import Discount, DiscountSource, reseller_discount
from catalog.models import ResellerDiscount, StandingDiscount
from koogallery.kernel.prepared import Given, Prepared

_STANDING = Prepared(
    lambda: StandingDiscount.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=Given("at")),
        account=Given("account"),
        product_id=Given("product"),
        valid_from__lte=Given("at"),
    ).order_by("pk")
)


def discounts_for(*, product_id: int, account: Any, at: datetime) -> list[Discount]:
    """The standing discounts of the account on the product at `at`, and its reseller's discount that counts."""
    found = [
        Discount(source=DiscountSource.STANDING, share=each.share, reference=str(each.pk))
        for each in _STANDING.all(account=account.pk, product=product_id, at=at)
    ]
    reseller_id = getattr(account, "reseller_id", None)
    if reseller_id and (resold := _of_reseller(reseller_id=reseller_id, customer_id=account.pk, product_id=product_id)):
        found.append(resold)
    return found


def _of_reseller(*, reseller_id: int, customer_id: int, product_id: int) -> Discount | None:
    rows = ResellerDiscount.objects.filter(
        Q(customer_id=customer_id) | Q(product_id=product_id) | Q(customer__isnull=True, product__isnull=True),
        reseller_id=reseller_id,
    )
    found: dict[str, Discount] = {}
    for row in rows:
        kind, source = (
            ("customer", DiscountSource.RESELLER_CUSTOMER)
            if row.customer_id
            else ("product", DiscountSource.RESELLER_PRODUCT)
            if row.product_id
            else ("partner", DiscountSource.RESELLER_PARTNER)
        )
        found[kind] = Discount(source=source, share=row.share, reference=str(row.pk))
    return reseller_discount(**found)
