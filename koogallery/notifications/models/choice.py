"""What a user wants to get by mail and SMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.notifications.kinds import Kind
from koogallery.notifications.states import Channel


class MessageChoices(models.Model):
    """A user's choices: `{kind: {channel: yes or no}}`; what is not there follows the kind."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="message_choices", primary_key=True
    )
    choices: Any = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("message preferences")
        verbose_name_plural = _("message preferences")

    def __str__(self) -> str:
        return str(self.user_id)


def wants(choices: Mapping[str, Mapping[str, bool]], kind: Kind, channel: Channel) -> bool:
    """Whether a kind goes out by a channel, given a user's choices; required kinds follow the list alone."""
    default = kind.mail if channel is Channel.MAIL else kind.sms
    if kind.required:
        return default
    return bool(choices.get(kind.name, {}).get(channel.value, default))
