"""My Unsubscriptions: what can be given back, images, requests."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel.pages import page


@page(audience="buyer", operations=["queryUnsubscriptionList", "unSubscribeByNegotiation"])
def overview(request: HttpRequest) -> HttpResponseBase:
    """My Unsubscriptions with its tabs."""
    raise Http404
