"""The link of a private offer: the confirmation page, or why it cannot be opened."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from catalog import queries as catalog
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing
from orders.queries.quoting import quote_of_offer
from orders.rules.quote import sign


@page(audience="buyer", operations=["queryPrivateOfferDetail"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Open the confirmation page of an offer."""
    offer = catalog.offer_by_token(token)
    if offer is None or offer.account_id != request.call.account_id:
        raise Missing("offer")
    quote = quote_of_offer(offer, account=request.call.account, at=request.call.at)
    return redirect(f"{reverse('orders:checkout')}?quote={sign(quote).posted}")
