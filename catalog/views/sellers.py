"""The public seller page, and a seller's own products."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.rules.linter import lint_plan
from catalog.models import Product
from catalog.operations import reading
from catalog.queries import search, sheet_of, storefront
from catalog.queries.configurator import configurator
from catalog.rules.facets import Selection
from catalog.states import DeliveryMethod, ProductState
from catalog.views.storefront import currency
from koogallery.kernel.lists import Action, ChoiceFilter, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page, render


@page(audience="public")
def seller(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, introduction, service hours and contact of a seller, and what it sells."""
    found = storefront.seller_shown(slug)
    number = request.GET.get("page", "1")
    here = min(int(number), 500) if number.isascii() and number.isdigit() and len(number) <= 4 else 1
    sold = search.find(selection=Selection(seller=found.pk), sort="popularity", page=max(1, here))
    paginator = Paginator(range(min(sold.total, search.BROWSED_AT_MOST)), search.PER_PAGE)
    context = {
        "page": {
            "title": found.label,
            "console": "storefront",
            "breadcrumbs": [(_("Products"), reverse("catalog:list"))],
        },
        "seller": found,
        "logo_url": found.logo.url if found.logo else "",
        "cards": storefront.card_htmls(sold.cards, currency=currency(request)),
        "total": sold.total,
        "sold": paginator.get_page(here),
        "all_url": f"{reverse('catalog:list')}?seller={found.slug}",
    }
    return render(request, "catalog/seller.html", context)


PRODUCTS = ListPage(
    name="seller-products",
    caption=gettext_lazy("My Products"),
    columns=(
        Column(
            "name",
            gettext_lazy("Product"),
            value=lambda row: row.label,
            link=lambda row: reverse("catalog:seller_product", args=[row.code]),
            sort="name",
            hideable=False,
        ),
        Column("code", gettext_lazy("Code"), mono=True, sort="code"),
        Column(
            "delivery",
            gettext_lazy("Delivery method"),
            value=lambda row: str(DeliveryMethod(row.delivery_method).label),
        ),
        Column("supervised", gettext_lazy("Supervised"), value=lambda row: row.supervised),
        Column("state", gettext_lazy("Status"), value=lambda row: ProductState(row.state)),
        Column("popularity", gettext_lazy("Orders in 30 days"), sort="popularity", numeric=True),
        Column("released_at", gettext_lazy("Released"), sort="released_at"),
        actions(
            lambda row, request: [
                Action(_("Details"), reverse("catalog:seller_product", args=[row.code])),
                *([Action(_("View on site"), row.get_absolute_url())] if row.is_on_sale else []),
            ]
        ),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("on_sale", ProductState.ON_SALE.label, Q(state=ProductState.ON_SALE)),
        Tab("off", gettext_lazy("Not on sale"), ~Q(state=ProductState.ON_SALE)),
    ),
    filters=(
        ChoiceFilter("state", gettext_lazy("Status"), field="state", choices=ProductState.choices),
        ChoiceFilter(
            "method", gettext_lazy("Delivery method"), field="delivery_method", choices=DeliveryMethod.choices
        ),
    ),
    search=Search(("name", "name_zh", "code"), placeholder=gettext_lazy("Product, code")),
    default_sort="-released_at",
    empty=Empty(
        gettext_lazy("No products yet"),
        gettext_lazy("Products are loaded by operations from a catalogue file until applications open."),
    ),
)


@page(audience="seller", operations=["queryProductList"])
def product_list(request: HttpRequest) -> HttpResponseBase:
    """**My Products**."""
    reading.query_product_list(request.call)
    context = {"page": {"title": _("My Products"), "console": "seller", "breadcrumbs": []}}
    rows = storefront.products_of_seller(request.call.account_id)
    return PRODUCTS.respond(request, rows, "catalog/seller_products.html", context)


@page(audience="seller", operations=["queryProductDetail"])
def product_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One of the seller's products: its content, specifications, prices and what the linter warns of."""
    found: Product = reading.query_product(request.call, product=code)
    if found is None:
        raise Http404
    sheet = sheet_of(found)
    own = currency(request)
    context = {
        "page": {
            "title": found.label,
            "console": "seller",
            "breadcrumbs": [(_("My Products"), reverse("catalog:seller_products"))],
        },
        "product": found,
        "state": ProductState(found.state),
        "delivery": DeliveryMethod(found.delivery_method).label,
        "categories": [each.label for each in found.categories.all()],
        "specifications": [
            {
                "name": specification.label,
                "code": specification.code,
                "attributes": specification.attributes,
                "skus": [
                    {
                        "code": sku.code,
                        "prices": configurator(
                            found,
                            {"specification": specification.code, **{f"attr_{k}": v for k, v in sku.choices.items()}},
                            account=request.call.account,
                            at=request.call.at,
                            sheet=sheet,
                        ).prices,
                    }
                    for sku in specification.skus
                ],
            }
            for specification in sheet.specifications
        ],
        "warnings": sorted(
            {
                warning.sentence
                for plan in sheet.plans()
                if own in plan.values
                for warning in lint_plan(plan=plan.values[own])
            }
        ),
    }
    return render(request, "catalog/seller_product.html", context)
