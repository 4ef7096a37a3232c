"""Choosing what comes by mail and SMS."""

from __future__ import annotations

from collections.abc import Mapping

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.notifications.kinds import KINDS
from koogallery.notifications.models import MessageChoices
from koogallery.notifications.states import Channel


@operation("setMessagePreferences", resource_type="Message", roles={Role.BUYER, Role.SELLER}, default_allowed=True)
def choose(call: Call, *, choices: Mapping[str, Mapping[str, bool]]) -> None:
    """Keep the user's choices, `{kind: {channel: yes or no}}`; unknown and required kinds are left out."""
    kept = {
        kind: {channel: bool(value) for channel, value in chosen.items() if channel in Channel.values}
        for kind, chosen in choices.items()
        if kind in KINDS and not KINDS[kind].required
    }
    MessageChoices.objects.update_or_create(user_id=call.user_id or 0, defaults={"choices": kept})
    describe(resource_id=str(call.user_id), resource_name=str(call.user), choices=kept)
