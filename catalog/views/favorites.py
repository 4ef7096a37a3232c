"""**My Favorites**."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Favorite
from catalog.operations import favorites
from catalog.queries import storefront
from catalog.states import DeliveryMethod
from koogallery.kernel.display import badge_html, product_html
from koogallery.kernel.lists import Action, Column, Empty, ListPage, Search, actions
from koogallery.kernel.pages import page


def _product(row: Favorite) -> SafeString:
    product = row.product
    shown = product_html(
        product.label, url=product.get_absolute_url(), logo_url=product.logo.url if product.logo else ""
    )
    if product.is_on_sale:
        return shown
    return format_html("{} {}", shown, badge_html(_("No longer on sale"), tone="warning"))


def _actions(row: Favorite, request: HttpRequest) -> list[Action]:
    product = row.product
    buy = [Action(_("Buy"), f"{product.get_absolute_url()}?tab=pricing")] if product.is_on_sale else []
    return [
        *buy,
        Action(
            _("Remove"),
            reverse("catalog:unsave", args=[product.slug]) + "?from=favorites",
            post=True,
            confirm=_("%(product)s leaves your list. You can save it again.") % {"product": product.label},
        ),
    ]


FAVORITES = ListPage(
    name="favorites",
    caption=gettext_lazy("My Favorites"),
    columns=(
        Column("product", gettext_lazy("Product"), html=_product, sort="product__name", hideable=False),
        Column(
            "seller", gettext_lazy("Seller"), value=lambda row: row.product.seller.label, sort="product__seller__name"
        ),
        Column(
            "delivery",
            gettext_lazy("Delivery method"),
            value=lambda row: str(DeliveryMethod(row.product.delivery_method).label),
        ),
        Column("saved_at", gettext_lazy("Saved"), sort="saved_at"),
        actions(_actions),
    ),
    search=Search(
        ("product__name", "product__name_zh", "product__seller__name"), placeholder=gettext_lazy("Product, seller")
    ),
    default_sort="-saved_at",
    empty=Empty(
        gettext_lazy("Nothing saved yet"),
        gettext_lazy("Press Save to List on a product to find it again here."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)


@page(audience="buyer", operations=["queryFavorites", "deleteFavorites"])
def favorite_list(request: HttpRequest) -> HttpResponseBase:
    """What the user saved, with Buy and Remove."""
    favorites.query_list(request.call)
    context = {"page": {"title": _("My Favorites"), "console": "buyer", "breadcrumbs": []}}
    rows = storefront.favorites_of(request.call.user.pk)
    return FAVORITES.respond(request, rows, "catalog/favorite_list.html", context)


@page(audience="public")
def saved(request: HttpRequest) -> HttpResponse:
    """My Saved List of the older guide."""
    return redirect("catalog:favorites")
