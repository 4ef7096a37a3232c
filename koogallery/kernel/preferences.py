"""Display preferences of visitors: language and theme in cookies, so that cached pages need no form and no token."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

from koogallery.kernel.pages import page

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
YEAR = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """The theme in force: the signed-in user's, else the cookie's, else the device's."""
    user = getattr(request, "user", None)
    own = getattr(user, "theme", "") if user is not None and user.is_authenticated else ""
    chosen = own or request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def safe_next(request: HttpRequest, address: str) -> str:
    """`address` if it lies on this site, else the home page."""
    allowed = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if allowed else "/"


@page(audience="public")
def display_preferences(request: HttpRequest) -> HttpResponse:
    """Keep the language or theme of the query string in a cookie and go back to where the visitor was."""
    response = HttpResponseRedirect(safe_next(request, request.GET.get("next", "")))
    language, theme = request.GET.get("language", ""), request.GET.get("theme", "")
    if language in dict(settings.LANGUAGES):
        _keep(request, response, settings.LANGUAGE_COOKIE_NAME, language)
    if theme in THEMES:
        _keep(request, response, THEME_COOKIE, theme)
    response["Cache-Control"] = "no-store"
    return response


def _keep(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR, secure=request.is_secure(), httponly=True, samesite="Lax")
