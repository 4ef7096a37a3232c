"""The link of a private offer: the confirmation page with everything fixed, or why it cannot be opened (catalog.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog import queries as catalog
from catalog.operations import offer_reading
from catalog.states import OfferState
from koogallery.identity.gate import sign_in_first
from koogallery.kernel import operations, pages, rates
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing, Refused
from orders.queries.quoting import quote_of_offer
from orders.views.checkout import show

if TYPE_CHECKING:
    from catalog.models import PrivateOffer

LINKS_A_MINUTE = 60
TITLES = {
    OfferState.SCHEDULED: gettext_lazy("This offer is not in effect yet"),
    OfferState.EXPIRED: gettext_lazy("This offer has expired"),
    OfferState.RESERVED: gettext_lazy("An order holds this offer"),
    OfferState.USED: gettext_lazy("This offer was used"),
    OfferState.WITHDRAWN: gettext_lazy("This offer was withdrawn"),
}


@page(audience="public", operations=["queryPrivateOfferDetail", "createOrder"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Open the confirmation page of an offer, for its account alone; the answer is kept nowhere.

    Raises `Missing` for a token that names no offer, whoever asks.
    """
    response = _answer(request, token)
    add_never_cache_headers(response)
    return response


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    call = request.call
    if not rates.is_within(what="offer-link", who=call.address, per_minute=LINKS_A_MINUTE):
        response = pages.refusal(request, Refused("requests_too_many"), audience="public")
        response["Retry-After"] = "60"
        return response
    offer = catalog.offer_by_token(token)
    if offer is None:
        raise Missing("offer link")
    if call.user is None:
        return sign_in_first(request)
    if offer.account_id != call.account_id:
        return _other_account(request)
    found = offer_reading.open_offer(call, number=offer.number)
    why = catalog.why_unusable(found, call.at)
    if why is None:
        try:
            quote = quote_of_offer(found, account=call.account, at=call.at)
        except Refused as refused:
            why = refused
        else:
            return show(request, quote, found.product, offer=found)
    return _unusable(request, found, why)


def _unusable(request: HttpRequest, offer: PrivateOffer, why: Refused) -> HttpResponse:
    at = request.call.at  # type: ignore[attr-defined]
    state = offer.shown_state(at)
    context: dict[str, Any] = {
        "page": {
            "title": TITLES.get(state, _("This offer cannot be used now")),
            "console": "plain",
            "breadcrumbs": [],
        },
        "offer": offer,
        "state": state,
        "why": why,
        "orders": [use.order_number for use in catalog.uses_of(offer, at=at)],
    }
    return pages.render(request, "orders/offer_link.html", context)


def _other_account(request: HttpRequest) -> HttpResponse:
    """Say that the link is another account's, and nothing of the offer; who tried it finds this in the traces."""
    if request.call.account_id is not None:
        operations.refuse(request.call, "queryPrivateOfferDetail", Refused("offer_of_other_account"))
    context = {
        "page": {"title": _("This link is for another account"), "console": "plain", "breadcrumbs": []},
        "user": request.call.user,
    }
    return pages.render(request, "orders/offer_other_account.html", context, status=404)
