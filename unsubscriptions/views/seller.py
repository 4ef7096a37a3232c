"""Orders > Unsubscriptions in the Seller Console: list, details, Review."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel.pages import page


@page(audience="seller", operations=["queryUnsubscriptionList"])
def request_list(request: HttpRequest) -> HttpResponseBase:
    """The requests of customers."""
    raise Http404


@page(audience="seller", operations=["queryUnsubscriptionDetail", "agreeUnsubscription", "rejectUnsubscription"])
def detail(request: HttpRequest, number: str) -> HttpResponseBase:
    """One request with Review."""
    raise Http404


@page(audience="seller", operations=["agreeUnsubscription"])
def agree(request: HttpRequest, number: str) -> HttpResponseBase:
    """Agree to a request."""
    raise Http404


@page(audience="seller", operations=["rejectUnsubscription"])
def reject(request: HttpRequest, number: str) -> HttpResponseBase:
    """Reject a request."""
    raise Http404
