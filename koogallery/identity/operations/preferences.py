"""How a user wants to see the platform."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.http import HttpRequest

from koogallery.identity.models import User
from koogallery.identity.states import Theme
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.lists import PREFERENCE
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused


@operation(
    "setPreferences",
    resource_type="User",
    action="iam:self:setPreferences",
    roles={Role.BUYER, Role.OPERATOR, Role.SELLER},
)
def set_preferences(
    call: Call,
    *,
    language: str | None = None,
    zone: str | None = None,
    theme: str | None = None,
    lists: Mapping[str, Any] | None = None,
) -> User:
    """Change what is given of language, display zone (empty for the platform's), theme, and what is kept for lists.

    Raises `Refused`.
    """
    changed: dict[str, Any] = {}
    if lists is not None:
        kept = call.user.preferences
        changed["preferences"] = {**kept, PREFERENCE: {**kept.get(PREFERENCE, {}), **lists}}
    if language is not None:
        if language not in dict(settings.LANGUAGES):
            raise Refused("invalid_input", field="language")
        changed["language"] = language
    if zone is not None:
        if zone and zone not in available_timezones():
            raise Refused("invalid_input", field="zone")
        changed["zone"] = zone
    if theme is not None:
        if theme not in Theme.values:
            raise Refused("invalid_input", field="theme")
        changed["theme"] = theme
    for name, value in changed.items():
        setattr(call.user, name, value)
    if changed:
        User.objects.filter(pk=call.user.pk).update(**changed)
    describe(resource=call.user, **changed)
    return call.user


def keep_list(request: HttpRequest, name: str, kept: dict[str, Any]) -> None:
    """Keep a list's page size and hidden columns for the user of a page; a refusal leaves them as they were."""
    with suppress(Refused):
        set_preferences(request.call, lists={name: kept})  # type: ignore[attr-defined]
