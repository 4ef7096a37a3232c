"""Taking a product off sale while its server does not answer, and putting it back (purchase.md, SaaS interface)."""

from __future__ import annotations

from typing import Any

from catalog.models import Product
from catalog.operations import indexing
from catalog.states import PRODUCT_MOVES, ProductState
from koogallery.kernel import pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing

INTERFACE_FAILED = "interface_failed"


def product_locked(call: Call, code: Any) -> Product:
    """Any product, locked for a change of its state. Raises `Missing`."""
    found = Product.objects.select_related("seller").select_for_update(of=("self",), no_key=True)
    product = found.filter(code=str(code)[:60]).first()
    if product is None:
        raise Missing(f"product {code}")
    return product


@operation("suspendProduct", resource_type="Product", roles={Role.SYSTEM}, targets={"product": product_locked})
def suspend(call: Call, *, product: Product, reason: str) -> Product:
    """Take a product off sale for `reason`, a reason code; one that is not on sale is left as it is."""
    if product.state != ProductState.ON_SALE:
        untraced()
        return product
    return _move(call, product, ProductState.SUSPENDED, reason=reason)


@operation("resumeProduct", resource_type="Product", roles={Role.SYSTEM}, targets={"product": product_locked})
def resume(call: Call, *, product: Product) -> Product:
    """Put a product back on sale that `suspend` took off; any other is left as it is."""
    if product.state != ProductState.SUSPENDED:
        untraced()
        return product
    return _move(call, product, ProductState.ON_SALE, reason="")


def _move(call: Call, product: Product, target: ProductState, *, reason: str) -> Product:
    before = ProductState(product.state)
    PRODUCT_MOVES.check(before, target)
    product.state, product.state_reason, product.changed_at = target, reason, call.at
    product.save(update_fields=["state", "state_reason", "changed_at"])
    indexing.refresh([product.pk])
    pagecache.bump()
    describe(before=before.value, after=target.value, reason=reason)
    return product
