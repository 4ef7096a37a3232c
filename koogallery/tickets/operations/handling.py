"""What operations do with a ticket: take it on, answer, resolve. The customer is told each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from koogallery.identity import queries as identity
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, may, operation
from koogallery.kernel.reasons import Refused
from koogallery.tickets import rules
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import moving, telling
from koogallery.tickets.queries.tickets import visible_ticket_locked
from koogallery.tickets.states import Act


@operation(
    "assignTicket", resource_type="Ticket", roles={Role.OPERATOR}, targets={"ticket": visible_ticket_locked}, once=True
)
def assign(call: Call, *, ticket: Ticket, officer: str = "") -> Ticket:
    """Let an operations manager, by default the caller, take the ticket on.

    Raises `Refused("ticket_state")`, and `Refused("officer_unknown")` for who may not answer tickets.
    """
    chosen = identity.operators().filter(number=officer).first() if officer else call.user
    if chosen is None or may(replace(call, user=chosen), "answerTicket", ticket) is not None:
        raise Refused("officer_unknown", field="officer")
    is_first = ticket.assigned_to_id is None
    message = moving.make(call, ticket, Act.ASSIGN, assigned_to=chosen)
    describe(officer=str(chosen))
    if is_first:
        telling.tell(ticket, "ticket_assigned", message=message)
    return ticket


@operation(
    "answerTicket", resource_type="Ticket", roles={Role.OPERATOR}, targets={"ticket": visible_ticket_locked}, once=True
)
def answer(call: Call, *, ticket: Ticket, text: str) -> Ticket:
    """Write to the customer and wait for its reply; who answers first has taken the ticket on.

    Raises `Refused`: `ticket_state`, `text_required`, `text_too_long`.
    """
    message = moving.make(call, ticket, Act.ANSWER, text=rules.written(text, field="text"), **_taken_on(call, ticket))
    telling.tell(ticket, "ticket_answered", message=message)
    return ticket


@operation(
    "resolveTicket",
    resource_type="Ticket",
    roles={Role.OPERATOR, Role.SYSTEM},
    targets={"ticket": visible_ticket_locked},
    once=True,
)
def resolve(call: Call, *, ticket: Ticket, text: str) -> Ticket:
    """Say what was done; the customer may close the ticket, or reply and open it again.

    Raises `Refused`: `ticket_state`, `text_required`, `text_too_long`.
    """
    message = moving.make(call, ticket, Act.RESOLVE, text=rules.written(text, field="text"), **_taken_on(call, ticket))
    telling.tell(ticket, "ticket_resolved", message=message)
    return ticket


def _taken_on(call: Call, ticket: Ticket) -> dict[str, Any]:
    is_free = ticket.assigned_to_id is None and call.role is Role.OPERATOR
    return {"assigned_to": call.user} if is_free else {}
