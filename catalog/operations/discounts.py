"""Standing discounts of accounts, and those that a reseller's customers get."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import Product, ResellerDiscount, StandingDiscount
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing, Refused


def _product(code: str) -> Product:
    product = Product.objects.select_related("seller").filter(code=code).first()
    if product is None:
        raise Missing(f"No product {code}.")
    return product


def _check_share(share: Decimal) -> None:
    if not 0 < share < 1:
        raise Refused("discount_share", field="share")


@operation("grantStandingDiscount", resource_type="StandingDiscount", roles={Role.OPERATOR, Role.SYSTEM, Role.SELLER})
def grant(
    call: Call, *, account: Any, product: str, share: Decimal, valid_to: datetime | None = None, note: str = ""
) -> StandingDiscount:
    """Let an account pay `share` of a product's price (0.90 = 10 % off) from now on; replaces the one in force.

    A seller grants it on its own products only. Raises `Refused("discount_share")` or `Missing`.
    """
    _check_share(share)
    sold = _product(product)
    if call.role is Role.SELLER and sold.seller.account_id != call.account_id:
        raise Missing(f"No product {product}.")
    in_force = StandingDiscount.objects.select_for_update().filter(
        account=account, product=sold, valid_to__isnull=True, valid_from__lte=call.at
    )
    same = in_force.filter(share=share).first()
    if same is not None and valid_to is None:
        untraced()
        return same
    in_force.filter(valid_from__lt=call.at).update(valid_to=call.at)
    in_force.filter(valid_from=call.at).delete()
    granted = StandingDiscount.objects.create(
        account=account, product=sold, share=share, valid_from=call.at, valid_to=valid_to, note=note
    )
    describe(resource=granted, share=share)
    return granted


@operation("setResellerDiscount", resource_type="ResellerDiscount", roles={Role.BUYER, Role.OPERATOR, Role.SYSTEM})
def set_of_reseller(
    call: Call, *, share: Decimal, reseller: Any = None, customer: Any = None, product: str = ""
) -> ResellerDiscount:
    """What a reseller's customers pay: one customer, else all, else on one product (pricing.md).

    A reseller sets its own. Raises `Refused("discount_share")` or `Missing` for another's customer.
    """
    _check_share(share)
    own = reseller if call.role in (Role.OPERATOR, Role.SYSTEM) else call.account
    if own is None or not own.is_reseller or (customer is not None and customer.reseller_id != own.pk):
        raise Missing("No such customer.")
    discount, _made = ResellerDiscount.objects.update_or_create(
        reseller=own,
        customer=customer,
        product=_product(product) if product else None,
        defaults={"share": share},
    )
    describe(resource=discount, share=share)
    return discount
