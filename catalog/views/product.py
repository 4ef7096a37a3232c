"""The product page with its tabs, and saving a product."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from catalog.models import Category, PrivateOffer, Product
from catalog.operations import favorites, offer_reading
from catalog.queries import storefront
from catalog.queries.configurator import Configurator, configurator
from catalog.queries.storefront import ProductPage
from catalog.rules.shown import Card
from catalog.states import BillingMode, DeliveryMethod
from catalog.views.storefront import currency
from koogallery.identity import queries as identity
from koogallery.kernel.display import date_html
from koogallery.kernel.markup import facts_html
from koogallery.kernel.operations import may
from koogallery.kernel.pages import page, render
from koogallery.kernel.reasons import Refused, sentence

OFFER = "offer"
TABS = (
    ("overview", gettext_lazy("Overview")),
    ("pricing", gettext_lazy("Pricing")),
    ("guide", gettext_lazy("Usage guide")),
    ("support", gettext_lazy("Support Range")),
    ("agreements", gettext_lazy("Agreements")),
)


@page(audience="public", operations=["createOrder", "addFavorites", "deleteFavorites", "queryPrivateOfferDetail"])
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """A product: tabs, configurator with live price, buying and saving."""
    call = request.call
    shown = storefront.product_page(slug, account_id=call.account_id, user_id=call.user_id)
    found = shown.product
    tab = request.GET.get("tab", "")
    tab = tab if tab in dict(TABS) else "overview"
    context = _frame(request, shown, tab)
    if tab == "pricing":
        context |= _pricing(request, shown, is_look=True)
    elif tab == "agreements":
        context["agreements"] = _agreements(found)
    if tab != "pricing":
        context["price"] = _price_html(
            storefront.card_of(shown.card, currency=currency(request)) if shown.card else None
        )
        context["support_line"] = _told_of_seller(_('Sold and supported by <a href="%(url)s">%(seller)s</a>.'), found)
    return _answer(request, context, fragment="configure" if tab == "pricing" else "")


@page(audience="public", operations=["queryPrivateOfferDetail"])
def price(request: HttpRequest, slug: str) -> HttpResponse:
    """The configurator alone, with the price of what is chosen; asked for on every change."""
    call = request.call
    shown = storefront.product_page(slug, account_id=call.account_id, user_id=call.user_id)
    context = _frame(request, shown, "pricing") | _pricing(request, shown, is_look=False)
    if getattr(request, "htmx", None):
        return _answer(request, context, fragment="configure")
    return redirect(f"{shown.product.get_absolute_url()}?{urlencode([('tab', 'pricing'), *_form_data(request)])}")


def _answer(request: HttpRequest, context: dict[str, Any], *, fragment: str) -> HttpResponse:
    """The page; one that was asked for with a private offer is kept nowhere."""
    response = render(request, "catalog/product.html", context, fragment=fragment)
    if OFFER in request.GET:
        add_never_cache_headers(response)
    return response


def _frame(request: HttpRequest, shown: ProductPage, tab: str) -> dict[str, Any]:
    """What every tab shows."""
    call = request.call
    product, trail = shown.product, shown.trail
    address = product.get_absolute_url()
    return {
        "page": {
            "title": product.label,
            "console": "storefront",
            "breadcrumbs": [(_("Products"), storefront.list_path())]
            + [(each.label, storefront.address(each)) for each in trail],
        },
        "product": product,
        "logo_url": product.logo.url if product.logo else "",
        "facts": "".join(f" · {fact}" for fact in _facts(product)),
        "tabs": [
            {
                "label": label,
                "url": address if key == "overview" else f"{address}?tab={key}",
                "current": key == tab,
            }
            for key, label in _tab_labels(get_language())
        ],
        "save_url": reverse("catalog:save", args=[product.slug]),
        "tab": tab,
        "saved": storefront.is_saved(product, user_id=call.user_id),
        "signed_in": call.user is not None and call.account is not None,
        "may_save": may(call, "addFavorites", product) if call.account is not None else None,
        "off_sale": None if product.is_on_sale else sentence("not_on_sale", name=product.label),
        "pricing_url": f"{address}?tab=pricing",
        "seller_line": _told_of_seller(_('by <a href="%(url)s">%(seller)s</a>'), product),
    } | _tab(product, trail, tab)


@lru_cache(maxsize=16)
def _tab_labels(language: str | None) -> tuple[tuple[str, str], ...]:
    """The tabs by key, in the language in force."""
    return tuple((key, str(label)) for key, label in TABS)


def _tab(product: Product, trail: list[Category], tab: str) -> dict[str, Any]:
    """What one tab shows besides; prices and agreements are asked for by the view."""
    if tab == "overview":
        return {
            "overview": product.text("overview") or product.one_line,
            "introduction": product.text("introduction"),
            "acceptance": product.text("acceptance_criteria"),
            "glance": _glance(product, trail),
        }
    if tab == "guide":
        return {"guide": product.text("usage_guide")}
    if tab == "support":
        return {"support_hours": product.text("support_hours"), "support_scope": product.text("support_scope")}
    return {}


def _told_of_seller(text: str, product: Product) -> SafeString:
    """A translated sentence with the seller's name and address in it."""
    return SafeString(text % {"url": escape(product.seller.get_absolute_url()), "seller": escape(product.seller.label)})


def _price_html(card: Card | None) -> SafeString:
    """The lowest price in the box beside a tab; nothing without one."""
    if card is None or not card.price:
        return SafeString("")
    unit = f'<div class="small muted">{escape(card.price_unit)}</div>' if card.price_unit else ""
    return SafeString(
        f'<div><span class="small muted">{escape(card.price_prefix or _("Price"))}</span>'
        f'<div class="price-big">{escape(card.price)}</div>{unit}</div>'
    )


def _glance(product: Product, trail: list[Category]) -> SafeString:
    """The panel At a glance."""
    seller = format_html('<a href="{}">{}</a>', product.seller.get_absolute_url(), product.seller.label)
    pairs: list[tuple[str, Any]] = [
        (_("Delivery method"), str(DeliveryMethod(product.delivery_method).label)),
        (_("Seller"), seller),
        (_("Category"), ", ".join(each.label for each in trail)),
        (_("Released"), date_html(product.released_at)),
    ]
    if days := product.delivery_days:
        pairs.append((_("Delivery time"), ngettext("%(days)s day", "%(days)s days", days) % {"days": days}))
    if product.sales_regions:
        pairs.append((_("Sales regions"), ", ".join(product.sales_regions)))
    return facts_html(pairs)


def _facts(product: Product) -> list[str]:
    """The line below the name."""
    facts = [str(DeliveryMethod(product.delivery_method).label)]
    if product.supervised:
        facts.append(_("supervised delivery"))
    if product.supports_change and product.supports_auto_renewal:
        facts.append(_("changes and auto-renewal supported"))
    elif product.supports_change:
        facts.append(_("changes supported"))
    elif product.supports_auto_renewal:
        facts.append(_("auto-renewal supported"))
    if product.trial_days:
        facts.append(_("%(days)s-day trial") % {"days": product.trial_days})
    return facts


def _form_data(request: HttpRequest) -> list[tuple[str, str]]:
    names = {"specification", "plan", "term", "items", "quantity", OFFER}
    return [
        (name, str(value)[:60])
        for name, value in request.GET.items()
        if value and (name in names or name.startswith("attr_")) and len(name) <= 50
    ]


def _pricing(request: HttpRequest, page_of: ProductPage, *, is_look: bool) -> dict[str, Any]:
    call, product = request.call, page_of.product
    data = dict(_form_data(request))
    offer = _offer(request, product, data.pop(OFFER, ""), is_look=is_look)
    shown = configurator(product, data, account=call.account, at=call.at, sheet=page_of.sheet, offer=offer)
    return {
        "shown": shown,
        "sign_in_for_offer": OFFER in request.GET and call.account is None,
        "checkout": reverse("orders:checkout"),
        "price_url": reverse("catalog:price", args=[product.slug]),
        "may_buy": _may_buy(request, product),
        "limits": _limits(product),
        "mode_note": _mode_note(shown),
    }


def _offer(request: HttpRequest, product: Product, number: str, *, is_look: bool) -> PrivateOffer | None:
    """The private offer of that number that was sent to the account for the product, if this user may see it."""
    call = request.call
    if not number or call.account is None or may(call, "queryPrivateOfferDetail", product) is not None:
        return None
    return offer_reading.linked_offer(call, number=number, product=product, is_look=is_look)


def _may_buy(request: HttpRequest, product: Product) -> Refused | None:
    """Why this user may not buy, for the disabled button; visitors are asked to sign in after pressing it."""
    if not product.is_on_sale:
        return Refused("not_on_sale", name=product.label)
    if product.stock == 0:
        return Refused("sold_out", left=0)
    if request.call.account is None:
        return None
    return may(request.call, "createOrder", product)


def _limits(product: Product) -> list[str]:
    """What limits a purchase, in words."""
    limits = []
    if product.one_at_a_time:
        limits.append(_("One at a time for each account."))
    if product.limit_per_account:
        limits.append(_("At most %(count)s for each account.") % {"count": product.limit_per_account})
    if product.stock is not None:
        limits.append(_("%(count)s in stock.") % {"count": product.stock})
    if product.delivery_days:
        limits.append(_("Delivered within %(days)s days.") % {"days": product.delivery_days})
    if product.request_attachment_required:
        limits.append(_("After paying, you submit a request with an attachment."))
    return limits


def _mode_note(shown: Configurator) -> str:
    if shown.priced is None:
        return ""
    mode = shown.priced.configuration.billing_mode
    return {
        BillingMode.PERIOD: _("You confirm the order on the next page. Prices are held for 30 minutes."),
        BillingMode.ONE_TIME: _("You confirm the order on the next page. Prices are held for 30 minutes."),
        BillingMode.ON_DEMAND: _("Nothing is due now; use is billed by the hour."),
        BillingMode.ON_DEMAND_PKG: _("The package starts when the order is paid."),
    }[BillingMode(mode)]


def _agreements(product: Product) -> list[Any]:
    subjects = ["terms", product.agreement_subject] if product.eula else ["terms"]
    return list(reversed(identity.current_agreements(subjects)))


# Saving


@page(audience="buyer", operations=["addFavorites"])
def save(request: HttpRequest, slug: str) -> HttpResponse:
    """**Save to List**."""
    if request.method == "POST":
        try:
            favorites.save(request.call, product=slug)
            messages.success(request, _("Saved to My Favorites."))
        except Refused as refused:
            messages.error(request, refused.sentence)
    return redirect(_back(request, slug))


@page(audience="buyer", operations=["deleteFavorites"])
def unsave(request: HttpRequest, slug: str) -> HttpResponse:
    """**Remove from List**."""
    if request.method == "POST":
        favorites.remove(request.call, product=slug)
        messages.success(request, _("Removed from My Favorites."))
    return redirect(_back(request, slug))


def _back(request: HttpRequest, slug: str) -> str:
    """My Favorites, if the form stood there; else the product."""
    if request.GET.get("from") == "favorites":
        return reverse("catalog:favorites")
    return reverse("catalog:product", args=[slug])
