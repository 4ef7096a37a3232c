"""One act on a ticket by the table of moves, with the message that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from koogallery.kernel import files
from koogallery.kernel.calls import Call
from koogallery.kernel.operations import describe
from koogallery.kernel.reasons import Refused
from koogallery.tickets.models import Ticket, TicketFile, TicketMessage
from koogallery.tickets.states import Act, Side, TicketState, after

Uploads = Sequence[files.Upload]


def make(
    call: Call, ticket: Ticket, act: Act, *, text: str = "", uploads: Uploads = (), **columns: Any
) -> TicketMessage:
    """Move a locked ticket, set `columns` with it, and write the message. Raises `Refused`."""
    state = after(act, ticket.state_enum)
    changed: dict[str, Any] = {"state": state, "changed_at": call.at, **columns}
    changed["closed_at"] = call.at if state is TicketState.CLOSED else None
    if state is not TicketState.CLOSED:
        changed["resolved_at"] = call.at if state is TicketState.RESOLVED else None
    for name, value in changed.items():
        setattr(ticket, name, value)
    ticket.save(update_fields=list(changed))
    describe(state=state.value)
    return say(call, ticket, act, text=text, uploads=uploads)


def say(call: Call, ticket: Ticket, act: Act, *, text: str, uploads: Uploads = ()) -> TicketMessage:
    """Write a message with its files. Raises `Refused("too_many_files")`."""
    if len(uploads) > files.MAX_FILES:
        raise Refused("too_many_files", field="files", limit=files.MAX_FILES)
    name = (call.user.username if call.user else ticket.contact.get("contact", "")) if act.side is Side.CUSTOMER else ""
    message = TicketMessage.objects.create(
        ticket=ticket,
        at=call.at,
        act=act,
        user=call.user,
        name=str(name)[:150],
        text=text,
    )
    stored = files.record(call, uploads)
    TicketFile.objects.bulk_create([TicketFile(message=message, file=file) for file in stored])
    return message
