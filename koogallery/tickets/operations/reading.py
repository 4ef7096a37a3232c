"""Reads of tickets that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.tickets.models import Ticket, TicketFile
from koogallery.tickets.queries import tickets


@operation(
    "queryTicketList",
    resource_type="Ticket",
    action="marketplace:ticket:view",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[Ticket]:
    """List the account's service tickets."""
    return tickets.tickets_of(call.account_id)


@operation(
    "queryTicketDetail",
    resource_type="Ticket",
    action="marketplace:ticket:view",
    roles={Role.BUYER},
    targets={"ticket": tickets.visible_ticket},
    read=True,
    default_allowed=True,
)
def query_detail(call: Call, *, ticket: Ticket) -> Ticket:
    """Show one of the account's service tickets with its conversation."""
    describe(state=ticket.state)
    return ticket


@operation(
    "downloadTicketFile",
    resource_type="Ticket",
    action="marketplace:ticket:view",
    roles={Role.BUYER},
    targets={"ticket": tickets.visible_ticket},
    read=True,
    default_allowed=True,
)
def download_file(call: Call, *, ticket: Ticket, file: str) -> TicketFile:
    """A file of one of the account's service tickets. Raises `Missing`."""
    return _described(tickets.file_of(ticket, file))


@operation(
    "downloadTicketAttachment",
    resource_type="Ticket",
    roles={Role.OPERATOR},
    targets={"ticket": tickets.visible_ticket},
)
def download_attachment(call: Call, *, ticket: Ticket, file: str) -> TicketFile:
    """The same for whom handles tickets; the customer's list of traces shows it. Raises `Missing`.

    Not a read, which every operations manager may do.
    """
    return _described(tickets.file_of(ticket, file))


def _described(found: TicketFile) -> TicketFile:
    describe(name=found.file.name, sha256=found.file.sha256)
    return found
