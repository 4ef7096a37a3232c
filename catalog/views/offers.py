"""Exclusive Offers in My KooGallery: the offers that sellers made to the account."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.operations import offer_reading
from koogallery.kernel import pages
from koogallery.kernel.pages import page


@page(audience="buyer", operations=["queryPrivateOfferDetail"])
def offer(request: HttpRequest, number: str) -> HttpResponse:
    """One offer as its customer sees it."""
    found = offer_reading.query_detail(request.call, offer=number)
    context = {"page": {"title": found.name, "console": "buyer", "breadcrumbs": []}, "offer": found}
    return pages.render(request, "catalog/offer.html", context)
