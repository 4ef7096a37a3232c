"""Reads of a seller's products that leave a trace."""

from __future__ import annotations

from catalog.models import Product
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Missing


@operation("queryProductList", resource_type="Product", roles={Role.SELLER}, read=True)
def query_product_list(call: Call) -> None:
    """Look at the list of the seller's own products."""


def _own(call: Call, code: str) -> Product:
    """A product of the seller that calls."""
    product = (
        Product.objects.select_related("seller")
        .prefetch_related("categories")
        .filter(code=code, seller__account_id=call.account_id or 0)
        .first()
    )
    if product is None:
        raise Missing(f"No product {code}.")
    return product


@operation("queryProductDetail", resource_type="Product", roles={Role.SELLER}, read=True, targets={"product": _own})
def query_product(call: Call, *, product: Product) -> Product:
    """Look at one of the seller's own products."""
    return product
