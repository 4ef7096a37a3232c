"""Saving products: saving twice keeps one row, and saving only adds."""

from __future__ import annotations

from catalog.models import Favorite, Product
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation, untraced
from koogallery.kernel.reasons import Missing


def _known(call: Call, slug: str) -> Product:
    """A product on sale, or one that the user has saved."""
    product = Product.objects.select_related("seller").filter(slug=slug).first()
    if product is None or not (product.is_on_sale or Favorite.objects.filter(user=call.user, product=product).exists()):
        raise Missing(f"No product {slug}.")
    return product


@operation(
    "addFavorites", resource_type="Favorites", action="marketplace:favorite:create", roles={Role.BUYER},
    targets={"product": _known}, default_allowed=True,
)  # fmt: skip
def save(call: Call, *, product: Product) -> Favorite:
    """Save a product to the user's list (**Save to List**); a saved one stays as it is."""
    favorite, made = Favorite.objects.get_or_create(
        user=call.user, product=product, defaults={"account": call.account, "saved_at": call.at}
    )
    if not made:
        untraced()
    return favorite


@operation(
    "deleteFavorites", resource_type="Favorites", action="marketplace:favorite:delete", roles={Role.BUYER},
    targets={"product": _known}, default_allowed=True,
)  # fmt: skip
def remove(call: Call, *, product: Product) -> None:
    """Take a product off the user's list (**Remove from List**)."""
    removed, _rows = Favorite.objects.filter(user=call.user, product=product).delete()
    if not removed:
        untraced()


@operation(
    "queryFavorites", resource_type="Favorites", action="marketplace:favorite:list", roles={Role.BUYER}, read=True,
    default_allowed=True,
)  # fmt: skip
def query_list(call: Call) -> None:
    """Look at **My Favorites**."""
