"""Who may enter a page: the kernel's port `gate`, filled."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import add_never_cache_headers

from koogallery.identity import sellers
from koogallery.kernel.pages import refusal
from koogallery.kernel.reasons import Refused


def admit(request: HttpRequest, audience: str) -> HttpResponse | None:
    """None to let the request in, else the answer; raises `Http404` where the page does not exist for this user (R20).

    API pages authenticate their callers themselves.
    """
    if audience in ("public", "api"):
        return None
    user = request.user
    if not user.is_authenticated:
        return sign_in_first(request)
    if audience == "operator" and not user.is_staff:
        raise Http404
    if audience in ("buyer", "seller") and user.account_id is None:
        raise Http404
    if audience == "seller":
        if sellers.seller_of(user.account_id) is None:
            raise Http404
        if user.role_in_seller is None:
            return refusal(request, Refused("role_not_allowed"), audience=audience)
    return None


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """The way to the sign-in page and back: to the page for a GET, to where the form stood for a POST."""
    back = request.get_full_path()
    htmx = getattr(request, "htmx", None)
    if htmx:
        back = htmx.current_url_abs_path or "/"
    elif request.method not in ("GET", "HEAD"):
        back = "/"
    address = f"{settings.LOGIN_URL}?{urlencode({'next': back})}"
    response: HttpResponse
    if htmx:
        response = HttpResponse(headers={"HX-Redirect": address})
    else:
        response = HttpResponseRedirect(address)
    add_never_cache_headers(response)
    return response
