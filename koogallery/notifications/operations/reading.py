"""Marking messages as read."""

from __future__ import annotations

from collections.abc import Iterable

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.notifications import queries
from koogallery.notifications.models import Message

READERS = {Role.BUYER, Role.SELLER}


@operation(
    "readMessage",
    resource_type="Message",
    roles=READERS,
    targets={"message": queries.own_message},
    default_allowed=True,
)
def read(call: Call, *, message: Message) -> Message:
    """Mark one message as read; a read one stays as it is."""
    Message.objects.filter(pk=message.pk, read_at__isnull=True).update(read_at=call.at)
    return message


@operation("readMessages", resource_type="Message", roles=READERS, default_allowed=True)
def read_all(call: Call, *, messages: Iterable[str] | None = None) -> int:
    """Mark the given messages (by number), or all of the user's, as read; how many were unread."""
    unread = Message.objects.filter(user_id=call.user_id or 0, read_at__isnull=True)
    if messages is not None:
        unread = unread.filter(pk__in=[int(number) for number in messages if str(number).isdecimal()])
    count = unread.update(read_at=call.at)
    describe(resource_id="messages", resource_name="messages", read=count)
    return count
