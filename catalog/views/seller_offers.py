"""Seller Offers in the Seller Console: the list, and one offer with Send and Withdraw."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import PrivateOffer, Product
from catalog.operations import offer_reading, offers
from catalog.queries.offers import showing
from catalog.queries.seller_offers import all_uses_of
from catalog.states import OFFER_MOVES, OfferState, UseState
from catalog.views.offers import milestones_note, terms_shown
from koogallery import clock
from koogallery.kernel import operations, qr
from koogallery.kernel.calls import Call
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page, render
from koogallery.kernel.reasons import Refused


def edit_url(offer: PrivateOffer) -> str:
    """Where a draft is changed."""
    return reverse("catalog:seller_offer_edit", args=[offer.number])


def _send_url(offer: PrivateOffer) -> str:
    return reverse("catalog:seller_offer_send", args=[offer.number])


def _withdraw_url(offer: PrivateOffer) -> str:
    return reverse("catalog:seller_offer_withdraw", args=[offer.number])


def sending(offer: PrivateOffer) -> str:
    """What sending does, for the dialog that asks."""
    return _(
        "“%(name)s” goes to %(customer)s by message, by one e-mail with the link and its QR code, and by one SMS. "
        "Afterwards it can be withdrawn, but no longer changed."
    ) % {"name": offer.name, "customer": offer.customer}


def _withdrawing(offer: PrivateOffer) -> str:
    """What withdrawing does, for the dialog that asks."""
    named = {"name": offer.name, "customer": offer.customer}
    if not offer.state_enum.is_sent:
        return _("The draft “%(name)s” for %(customer)s can no longer be sent. The customer never hears of it.") % named
    return (
        _("%(customer)s can no longer use “%(name)s” and is told so. An order that was placed with it stays as it is.")
        % named
    )


def _may_be_withdrawn(offer: PrivateOffer) -> bool:
    return OFFER_MOVES.allowed(offer.shown_state(clock.now()), OfferState.WITHDRAWN)


def _row_actions(offer: PrivateOffer, request: HttpRequest) -> list[Action]:
    call: Call = request.call  # type: ignore[attr-defined]
    found = [Action(_("View Details"), offer.get_seller_url())]
    if offer.state == OfferState.DRAFT:
        found += [
            Action(_("Edit"), edit_url(offer), refused=operations.may(call, "updatePrivateOffer", offer)),
            Action(
                _("Send"),
                _send_url(offer),
                confirm=sending(offer),
                refused=operations.may(call, "sendPrivateOffer", offer),
            ),
        ]
    if _may_be_withdrawn(offer):
        found.append(
            Action(
                _("Withdraw"),
                _withdraw_url(offer),
                confirm=_withdrawing(offer),
                danger=True,
                refused=operations.may(call, "withdrawPrivateOffer", offer),
            )
        )
    return found


def _uses_text(offer: PrivateOffer, placed: int) -> str:
    return f"{placed} / {offer.uses}"


def _by_milestones(rows: QuerySet[PrivateOffer], value: str) -> QuerySet[PrivateOffer]:
    return rows.filter(milestones__gt=0) if value == "yes" else rows.filter(milestones=0)


def _product_choices(request: HttpRequest) -> list[tuple[str, str]]:
    account_id = request.call.account_id  # type: ignore[attr-defined]
    rows = Product.objects.filter(seller__account_id=account_id).order_by("name", "pk")
    return [(each.code, each.label) for each in rows.only("code", "name", "name_zh")]


def _state_tab(state: OfferState) -> Tab:
    return Tab(state.value, state.label, lambda request: showing(state, request.call.at))  # type: ignore[attr-defined]


OFFERS = ListPage(
    name="seller-offers",
    caption=gettext_lazy("Seller Offers"),
    columns=(
        Column(
            "number",
            gettext_lazy("Offer No."),
            link=PrivateOffer.get_seller_url,
            note=lambda offer: offer.name,
            mono=True,
            hideable=False,
        ),
        Column("name", gettext_lazy("Offer name"), sort="name", wide=True, strong=True, shown=False),
        Column("customer", gettext_lazy("Customer"), value="customer_name", sort="customer_name", wide=True),
        Column(
            "product",
            gettext_lazy("Product"),
            value="product.label",
            note=lambda offer: offer.specification,
            sort="product__name",
        ),
        Column("state", gettext_lazy("Status"), value=lambda offer: offer.shown_state(clock.now()), sort="state"),
        Column("valid_from", gettext_lazy("Valid from"), sort="valid_from", shown=False),
        Column("valid_to", gettext_lazy("Valid to"), sort="valid_to"),
        Column(
            "milestones",
            gettext_lazy("Milestones"),
            value=lambda offer: offer.milestones or None,
            sort="milestones",
            numeric=True,
            shown=False,
        ),
        Column(
            "uses",
            gettext_lazy("Orders"),
            value=lambda offer: _uses_text(offer, offer.placed),
            sort="placed",
            numeric=True,
            shown=False,
        ),
        Column("created", gettext_lazy("Created"), value="created_at", sort="created_at", shown=False),
        Column("sent", gettext_lazy("Sent"), value="sent_at", sort="sent_at", shown=False),
        Column("opened", gettext_lazy("Opened"), value="opened_at", sort="opened_at", shown=False),
        Column(
            "amount",
            gettext_lazy("Amount"),
            value="total",
            sort=("currency", "amount"),
            numeric=True,
            note=milestones_note,
        ),
        actions(_row_actions),
    ),
    tabs=(Tab("all", gettext_lazy("All")), *(_state_tab(state) for state in OfferState)),
    filters=(
        ChoiceFilter("product", gettext_lazy("Product"), field="product__code", choices=_product_choices),
        ChoiceFilter(
            "milestones",
            gettext_lazy("Milestones"),
            choices=(("yes", gettext_lazy("With milestones")), ("no", gettext_lazy("Without milestones"))),
            apply=_by_milestones,
        ),
        DateRangeFilter("created", gettext_lazy("Created"), field="created_at"),
        DateRangeFilter("valid_to", gettext_lazy("Valid to"), field="valid_to"),
    ),
    search=Search(
        ("number", "name", "customer_name", "customer_number", "product__name", "product__name_zh"),
        placeholder=gettext_lazy("Offer No., name, customer, product"),
    ),
    default_sort="-created",
    empty=Empty(
        gettext_lazy("No offers yet"),
        gettext_lazy("Make a customer a price of its own, with milestones if you like."),
        gettext_lazy("Create Offer"),
        "/seller/offers/new/",
        operation="createPrivateOffer",
    ),
)


@page(audience="seller", operations=["querySellerOfferList"])
def offer_list(request: HttpRequest) -> HttpResponseBase:
    """**Seller Offers**."""
    rows = offer_reading.query_seller_list(request.call, filters=request.GET.dict())
    context = {
        "page": {"title": _("Seller Offers"), "console": "seller", "breadcrumbs": [(_("Sales"), "")]},
        "may_create": operations.may(request.call, "createPrivateOffer"),
    }
    return OFFERS.respond(request, rows, "catalog/seller_offer_list.html", context)


# One offer


@page(audience="seller", operations=["querySellerOfferDetail"])
def offer(request: HttpRequest, number: str) -> HttpResponse:
    """One offer as its seller sees it: terms, link, states and times, and the orders made with it."""
    call = request.call
    found = offer_reading.query_seller_detail(call, offer=number)
    link = urljoin(settings.SITE_ADDRESS, found.get_link()) if found.state_enum.is_sent else ""
    state = found.shown_state(call.at)
    uses = [(use, use.shown_state(call.at)) for use in all_uses_of(found)]
    placed = sum(shown is not UseState.FREED for _use, shown in uses)
    context = {
        "page": {"title": found.name, "console": "seller", "breadcrumbs": [parent()]},
        "party": "seller",
        "state": state,
        "is_draft": state is OfferState.DRAFT,
        "can_withdraw": OFFER_MOVES.allowed(state, OfferState.WITHDRAWN),
        "link": link,
        "code": qr.svg_address(link) if link else "",
        "uses": [(use, shown, reverse("orders:seller_detail", args=[use.order_number])) for use, shown in uses],
        "uses_text": _uses_text(found, placed),
        "timeline": _timeline(found, state),
        "edit_url": edit_url(found),
        "send_url": _send_url(found),
        "withdraw_url": _withdraw_url(found),
        "sending": sending(found),
        "withdrawing": _withdrawing(found),
        "may_update": operations.may(call, "updatePrivateOffer", found),
        "may_send": operations.may(call, "sendPrivateOffer", found),
        "may_withdraw": operations.may(call, "withdrawPrivateOffer", found),
        **terms_shown(found, list(found.parts.all()), call, placed=placed),
    }
    return render(request, "catalog/seller_offer.html", context)


@page(audience="seller", operations=["sendPrivateOffer"])
def send(request: HttpRequest, number: str) -> HttpResponse:
    """**Send** a draft to its customer."""
    if request.method != "POST":
        return _asked_first(request, number, "send")
    try:
        sent = offers.send(request.call, offer=number)
        messages.success(request, sent_text(sent))
    except Refused as refused:
        messages.error(request, refused.sentence)
    return redirect("catalog:seller_offer", number)


@page(audience="seller", operations=["withdrawPrivateOffer"])
def withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """**Withdraw** an offer."""
    if request.method != "POST":
        return _asked_first(request, number, "withdraw")
    try:
        withdrawn = offers.withdraw(request.call, offer=number)
        messages.success(request, _("The offer %(number)s is withdrawn.") % {"number": withdrawn.number})
    except Refused as refused:
        messages.error(request, refused.sentence)
    return redirect("catalog:seller_offer", number)


def _asked_first(request: HttpRequest, number: str, dialog: str) -> HttpResponse:
    """The offer's page with the dialog open."""
    found = offer_reading.query_seller_detail(request.call, offer=number)  # type: ignore[attr-defined]
    return redirect(f"{found.get_seller_url()}?confirm={dialog}")


def parent() -> tuple[str, str]:
    """The list in the breadcrumb."""
    return _("Seller Offers"), reverse("catalog:seller_offers")


def sent_text(sent: PrivateOffer) -> str:
    """What is said once an offer is sent."""
    return _("The offer %(number)s is sent to %(customer)s.") % {"number": sent.number, "customer": sent.account.name}


def _timeline(offer: PrivateOffer, state: OfferState) -> list[dict[str, Any]]:
    """What became of an offer, newest last."""
    entries: list[dict[str, Any]] = [
        {"title": _("Created"), "at": offer.created_at, "actor": str(offer.created_by or "")}
    ]
    if offer.sent_at is not None:
        entries.append({"title": _("Sent"), "at": offer.sent_at})
        if state is not OfferState.SCHEDULED and not (offer.ended_at and offer.ended_at < offer.valid_from):
            entries.append({"title": _("In effect"), "at": max(offer.valid_from, offer.sent_at), "tone": "success"})
    if offer.opened_at is not None:
        entries.append({"title": _("Opened by the customer"), "at": offer.opened_at})
    if state is OfferState.EXPIRED:
        entries.append({"title": state.label, "at": offer.ended_at or offer.over_from})
    elif state is OfferState.WITHDRAWN:
        entries.append({"title": state.label, "at": offer.ended_at, "tone": "danger"})
    return sorted(entries, key=lambda entry: entry["at"])
