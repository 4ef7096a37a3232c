"""The buyer asks to unsubscribe, follows the request, takes it back, reminds the seller."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel.pages import page


@page(audience="buyer", operations=["unSubscribeByNegotiation"])
def new(request: HttpRequest, line: str) -> HttpResponseBase:
    """Unsubscribe: the form, and the dialog that repeats it."""
    raise Http404


@page(audience="buyer", operations=["queryUnsubscriptionDetail"])
def detail(request: HttpRequest, number: str) -> HttpResponseBase:
    """One request and its refund."""
    raise Http404


@page(audience="buyer", operations=["withdrawUnsubscription"])
def withdraw(request: HttpRequest, number: str) -> HttpResponseBase:
    """Take a request back."""
    raise Http404


@page(audience="buyer", operations=["remindUnsubscription"])
def remind(request: HttpRequest, number: str) -> HttpResponseBase:
    """Remind the seller."""
    raise Http404
