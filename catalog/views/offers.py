"""Exclusive Offers in My KooGallery: the offers that sellers made to the account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import OfferMilestone, PrivateOffer
from catalog.operations import offer_reading
from catalog.queries import Configuration, uses_of, why_unusable
from catalog.queries.offers import showing
from catalog.states import OfferState
from koogallery import clock
from koogallery.kernel import display, operations, pages, policies
from koogallery.kernel.addresses import Address
from koogallery.kernel.calls import Call
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.prepared import Given
from koogallery.kernel.reasons import Refused

IN_MILESTONES, AT_ONCE = "milestones", "once"
_ORDER = Address("orders:detail")


def state_of(offer: PrivateOffer) -> OfferState:
    """The state a row shows now."""
    return offer.shown_state(clock.now())


def discount_text(offer: PrivateOffer) -> str:
    """What the offer takes off: `10 % off`, or that its price is fixed."""
    if offer.share is None:
        return _("Fixed price")
    percent = format(((1 - offer.share) * 100).normalize(), "f")
    return _("%(percent)s %% off") % {"percent": percent}


def terms_shown(offer: PrivateOffer, parts: Sequence[OfferMilestone], call: Call, *, placed: int = 0) -> dict[str, Any]:
    """What `catalog/offer_terms.html` and `offer_price.html` show of an offer, saved or not.

    `placed` orders hold it.
    """
    return {
        "offer": offer,
        "parts": parts,
        "placed": placed,
        "configuration": Configuration.from_json(offer.configuration),
        "discount_text": discount_text(offer),
        "due_days": policies.in_force(call.at)["milestone.due_days"] if parts else 0,
    }


def use_now_url(offer: PrivateOffer) -> str:
    """Where **Use Now** leads: the product's Pricing tab with the offer."""
    return f"{offer.product.get_absolute_url()}?{urlencode({'tab': 'pricing', 'offer': offer.number})}"


def why_not_now(request: HttpRequest, offer: PrivateOffer) -> Refused | None:
    """Why **Use Now** is not possible for this user, or None."""
    call = request.call  # type: ignore[attr-defined]
    if (why := why_unusable(offer, call.at)) is not None:
        return why
    if not offer.product.is_on_sale:
        return Refused("not_on_sale", name=offer.product.label)
    return operations.may(call, "createOrder", offer.product)


def _row_actions(offer: PrivateOffer, request: HttpRequest) -> list[Action]:
    details = Action(_("Details"), offer.get_absolute_url())
    if state_of(offer) not in (OfferState.IN_EFFECT, OfferState.SCHEDULED):
        return [details]
    return [Action(_("Use Now"), use_now_url(offer), refused=why_not_now(request, offer)), details]


def _orders(offer: PrivateOffer) -> SafeString:
    """The orders that hold the offer, each leading to its page."""
    numbers: list[str] = getattr(offer, "order_numbers", [])
    links = format_html_join(
        SafeString("<br>"), '<a class="mono" href="{}">{}</a>', ((_ORDER(number), number) for number in numbers)
    )
    return links or SafeString(display.NOTHING)


def _by_payment(rows: QuerySet[PrivateOffer], kind: str) -> QuerySet[PrivateOffer]:
    return rows.filter(milestones__gt=0) if kind == IN_MILESTONES else rows.filter(milestones=0)


def milestones_note(offer: PrivateOffer) -> str:
    return _("%(count)s milestones") % {"count": offer.milestones} if offer.milestones else ""


OFFERS = ListPage(
    name="offers",
    caption=gettext_lazy("Exclusive Offers"),
    columns=(
        Column(
            "name",
            gettext_lazy("Offer"),
            link=PrivateOffer.get_absolute_url,
            note=lambda offer: offer.number,
            sort="name",
            strong=True,
            hideable=False,
        ),
        Column(
            "product",
            gettext_lazy("Product"),
            value="product.label",
            html=lambda offer: display.product_html(
                offer.product.label,
                url=offer.product.get_absolute_url(),
                logo_url=offer.product.logo.url if offer.product.logo else "",
                note=offer.specification,
            ),
            sort="product__name",
            wide=True,
        ),
        Column("seller", gettext_lazy("Seller"), value="seller.label", sort="seller__name", shown=False),
        Column("discount", gettext_lazy("Discount"), value=discount_text, note=milestones_note),
        Column("list_price", gettext_lazy("List price"), value="list_total", numeric=True, shown=False),
        Column("amount", gettext_lazy("Amount"), value="total", sort="amount", numeric=True),
        Column("state", gettext_lazy("Status"), value=state_of),
        Column("valid_from", gettext_lazy("Valid from"), value="valid_from", sort="valid_from", shown=False),
        Column("valid_to", gettext_lazy("Valid to"), value="valid_to", sort="valid_to"),
        Column(
            "order",
            gettext_lazy("Order No."),
            value=lambda offer: " ".join(getattr(offer, "order_numbers", [])),
            html=_orders,
        ),
        Column("sent", gettext_lazy("Received"), value="sent_at", sort="sent_at", shown=False),
        actions(_row_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        *(
            Tab(state.value, state.label, showing(state, Given("at")))
            for state in (
                OfferState.IN_EFFECT,
                OfferState.SCHEDULED,
                OfferState.RESERVED,
                OfferState.USED,
                OfferState.EXPIRED,
                OfferState.WITHDRAWN,
            )
        ),
    ),
    filters=(
        ChoiceFilter(
            "payment",
            gettext_lazy("Payment"),
            choices=((AT_ONCE, gettext_lazy("At once")), (IN_MILESTONES, gettext_lazy("In milestones"))),
            apply=_by_payment,
        ),
        DateRangeFilter("ends", gettext_lazy("Valid to"), field="valid_to"),
        DateRangeFilter("received", gettext_lazy("Received"), field="sent_at"),
    ),
    search=Search(
        ("number", "name", "product__name", "product__name_zh", "seller__name", "seller__name_zh"),
        placeholder=gettext_lazy("Offer, product, seller"),
    ),
    default_sort="-sent",
    empty=Empty(
        gettext_lazy("No exclusive offers yet"),
        gettext_lazy("Sellers can make you an offer with a discount of its own. It appears here once it is sent."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)


@page(audience="buyer", operations=["queryPrivateOfferList"])
def offer_list(request: HttpRequest) -> HttpResponseBase:
    """Exclusive Offers."""
    found = offer_reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Exclusive Offers"), "console": "buyer", "breadcrumbs": [(_("Discounts"), "")]}}
    return OFFERS.respond(request, found, "catalog/offer_list.html", context)


@page(audience="buyer", operations=["queryPrivateOfferDetail"])
def offer(request: HttpRequest, number: str) -> HttpResponse:
    """One offer as its customer sees it."""
    call = request.call
    found = offer_reading.open_offer(call, number=number)
    uses = uses_of(found, at=call.at)
    context: dict[str, Any] = {
        "page": {
            "title": found.name,
            "console": "buyer",
            "breadcrumbs": [(_("Discounts"), ""), (_("Exclusive Offers"), reverse("catalog:offers"))],
        },
        "state": found.shown_state(call.at),
        "is_buyer": True,
        "uses": uses,
        "unusable": why_unusable(found, call.at),
        "use_now_url": use_now_url(found),
        "refused": why_not_now(request, found),
        "order_link": request.build_absolute_uri(found.get_link()),
        **terms_shown(found, list(found.parts.all()) if found.milestones else [], call, placed=len(uses)),
    }
    return pages.render(request, "catalog/offer.html", context)
