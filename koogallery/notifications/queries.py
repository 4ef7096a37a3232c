"""Reads of messages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from koogallery.kernel import navigation
from koogallery.kernel.calls import Call
from koogallery.kernel.prepared import Given, PreparedCounts
from koogallery.kernel.reasons import Missing
from koogallery.notifications.models import Message

SHOWN_AT_MOST = 100


def unread_given() -> QuerySet[Message]:
    """What a user, given, has not read."""
    return Message.objects.filter(user_id=Given("user"), read_at__isnull=True)


_UNREAD = PreparedCounts(lambda: {"unread": unread_given()}, limit=SHOWN_AT_MOST)


def messages_of(user: Any) -> QuerySet[Message]:
    """A user's messages, newest first."""
    return Message.objects.filter(user_id=user.pk)


def unread_count(user: Any) -> int:
    """How many messages a user has not read, counted to 100."""
    return _UNREAD.all(user=user.pk)["unread"]


def unread_of_request(request: HttpRequest) -> int:
    """The unread count of the signed-in user of an account; counted once a request."""
    return int(navigation.provided("unread_messages", request, 0))


def own_message(call: Call, number: str) -> Message:
    """The caller's message of a number, locked. Raises `Missing`."""
    message = Message.objects.filter(user_id=call.user_id or 0, pk=int(number) if str(number).isdecimal() else 0)
    found = message.select_for_update().first()
    if found is None:
        raise Missing(f"No message {number}.")
    return found
