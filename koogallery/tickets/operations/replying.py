"""What the customer does with its ticket: reply, which also reopens it, and close."""

from __future__ import annotations

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.tickets import rules
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import moving
from koogallery.tickets.operations.moving import Uploads
from koogallery.tickets.queries.tickets import visible_ticket_locked
from koogallery.tickets.states import Act


@operation(
    "replyTicket",
    resource_type="Ticket",
    roles={Role.BUYER},
    targets={"ticket": visible_ticket_locked},
    once=True,
    default_allowed=True,
)
def reply(call: Call, *, ticket: Ticket, text: str, uploads: Uploads = ()) -> Ticket:
    """Write to operations; what was resolved or closed is open again.

    Raises `Refused`: `text_required`, `text_too_long`, `too_many_files`.
    """
    moving.make(call, ticket, Act.REPLY, text=rules.written(text, field="text"), uploads=uploads)
    return ticket


@operation(
    "closeTicket",
    resource_type="Ticket",
    roles={Role.BUYER},
    targets={"ticket": visible_ticket_locked},
    once=True,
    default_allowed=True,
)
def close(call: Call, *, ticket: Ticket) -> Ticket:
    """Say that nothing more is to be done. Raises `Refused("ticket_state")` when it is closed already."""
    moving.make(call, ticket, Act.CLOSE)
    return ticket
