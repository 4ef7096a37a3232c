"""Language and display zone of the signed-in user; visitors have theirs by cookie and browser (R1)."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation


class PreferencesMiddleware:
    """Stands behind authentication: a user's own language and zone come before what the browser says."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        if user.language and user.language != translation.get_language():
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        zone = user.zone or (user.account.zone if user.account is not None else "")
        with timezone.override(ZoneInfo(zone) if zone else None):
            return self.get_response(request)
