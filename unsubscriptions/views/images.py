"""Unsubscribing images by formula, and renewals that have not started."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel.pages import page


@page(audience="buyer", operations=["queryUnsubscriptionList"])
def image(request: HttpRequest, resource: str) -> HttpResponseBase:
    """What an image gives back, and the confirmation."""
    raise Http404


@page(audience="buyer", operations=["queryUnsubscriptionList"])
def renewal(request: HttpRequest, resource: str) -> HttpResponseBase:
    """A renewal that has not started, alone."""
    raise Http404
