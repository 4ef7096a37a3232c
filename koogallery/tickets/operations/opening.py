"""A ticket is opened: by a customer's form, or by a room above for what its own form asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koogallery.identity.states import AccountKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.tickets import rules
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import moving
from koogallery.tickets.operations.moving import Uploads
from koogallery.tickets.queries import linked
from koogallery.tickets.states import CHOOSABLE, Act, TicketKind


@operation("createTicket", resource_type="Ticket", roles={Role.BUYER}, once=True, default_allowed=True)
def create(
    call: Call,
    *,
    kind: str,
    subject: str,
    description: str,
    linked_kind: str = "",
    linked_number: str = "",
    uploads: Uploads = (),
) -> Ticket:
    """Ask operations for something.

    Raises `Refused`: `invalid_input` for another kind, `reseller_pays` when a reseller's customer asks for credit,
    `linked_unknown`, `text_required`, `text_too_long`, `too_many_files`.
    """
    if kind not in CHOOSABLE:
        raise Refused("invalid_input", field="kind")
    if kind == TicketKind.CREDIT_PAYMENT and call.account.kind == AccountKind.RESELLER_CUSTOMER:
        raise Refused("reseller_pays", field="kind")
    about = linked.checked(account_id=call.account.pk, key=linked_kind, number=linked_number)
    return file(call, kind=TicketKind(kind), subject=subject, description=description, about=about, uploads=uploads)


def file(
    call: Call,
    *,
    kind: TicketKind,
    subject: str,
    description: str,
    about: tuple[str, str] = ("", ""),
    contact: Mapping[str, Any] | None = None,
    uploads: Uploads = (),
) -> Ticket:
    """Write a ticket with its first message, inside the caller's operation. Raises `Refused`."""
    ticket = Ticket.objects.create(
        number=ids.numbered("TK", at=call.at),
        account=call.account,
        user=call.user,
        kind=kind,
        subject=rules.written(subject, field="subject", limit=rules.MAX_SUBJECT),
        linked_kind=about[0],
        linked_number=about[1],
        contact=dict(contact or {}),
        opened_at=call.at,
        changed_at=call.at,
    )
    moving.say(call, ticket, Act.OPEN, text=rules.written(description, field="description"), uploads=uploads)
    describe(ticket=ticket.number, kind=kind.value)
    return ticket
