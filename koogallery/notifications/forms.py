"""What a user chooses to get by mail and SMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koogallery.notifications.kinds import KINDS, Kind
from koogallery.notifications.models.choice import wants
from koogallery.notifications.states import Channel, Topic


def box_name(kind: Kind, channel: Channel) -> str:
    """The name of the checkbox of a kind and channel."""
    return f"{channel.value}:{kind.name}"


def boxes(choices: dict[str, dict[str, bool]]) -> list[dict[str, Any]]:
    """The preferences page: topics with their kinds, each with a box per channel."""
    found = []
    for topic in Topic:
        kinds = [kind for kind in KINDS.values() if kind.topic is topic]
        rows = [
            {
                "kind": kind,
                "boxes": [
                    {"name": box_name(kind, channel), "channel": channel, "checked": wants(choices, kind, channel)}
                    for channel in Channel
                ],
            }
            for kind in kinds
        ]
        if rows:
            found.append({"topic": topic, "rows": rows})
    return found


def read(posted: Mapping[str, Any]) -> dict[str, dict[str, bool]]:
    """The choices that a posted page makes: a box that is not there was unticked."""
    return {
        kind.name: {channel.value: box_name(kind, channel) in posted for channel in Channel}
        for kind in KINDS.values()
        if not kind.required
    }
