"""Stock: taken when an order is placed, given back when it is canceled before delivery (purchase.md)."""

from __future__ import annotations

from django.db.models import F

from catalog.models import Product, StockMovement
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing, Refused

EVERYONE = set(Role) - {Role.ANONYMOUS}


def left_locked(*, product_code: str) -> int | None:
    """How many pieces are left, the product locked until the transaction ends; None without a stock."""
    rows = Product.objects.select_for_update(of=("self",)).filter(code=product_code)
    return rows.values_list("stock", flat=True).first()


@operation("takeStock", resource_type="Product", roles=EVERYONE, default_allowed=True)
def take(call: Call, *, product_code: str, count: int, order_number: str) -> None:
    """Take `count` pieces for an order, under a lock of the product's row; nothing for a product without stock.

    Called inside the operation that places the order. Raises `Refused("sold_out")` or `Missing`.
    """
    product = Product.objects.select_for_update(of=("self",)).filter(code=product_code).first()
    if product is None:
        raise Missing(f"No product {product_code}.")
    if product.stock is None:
        untraced()
        return
    if product.stock < count:
        raise Refused("sold_out", field="items", left=product.stock)
    Product.objects.filter(pk=product.pk).update(stock=F("stock") - count)
    StockMovement.objects.create(product=product, order_number=order_number, count=count, taken_at=call.at)
    describe(resource=product, order=order_number, taken=count, left=product.stock - count)


@operation("giveBackStock", resource_type="Product", roles=EVERYONE, default_allowed=True)
def give_back(call: Call, *, order_number: str) -> None:
    """Give back what an order took; a second call changes nothing."""
    given = StockMovement.objects.filter(order_number=order_number, given_back_at__isnull=True).first()
    if given is None:
        untraced()
        return
    product = Product.objects.select_for_update(of=("self",)).get(pk=given.product_id)
    if not StockMovement.objects.filter(pk=given.pk, given_back_at__isnull=True).update(given_back_at=call.at):
        untraced()
        return
    Product.objects.filter(pk=product.pk).update(stock=F("stock") + given.count)
    describe(resource=product, order=order_number, given_back=given.count)
