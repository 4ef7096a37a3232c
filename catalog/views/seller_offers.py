"""Seller Offers in the Seller Console."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.operations import offer_reading
from koogallery.kernel import pages
from koogallery.kernel.pages import page


@page(audience="seller", operations=["querySellerOfferDetail"])
def offer(request: HttpRequest, number: str) -> HttpResponse:
    """One offer as its seller sees it."""
    found = offer_reading.query_seller_detail(request.call, offer=number)
    context = {"page": {"title": found.name, "console": "seller", "breadcrumbs": []}, "offer": found}
    return pages.render(request, "catalog/seller_offer.html", context)
