"""The demand form, "not found what you need?": a service ticket of kind *demand*, also from a visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import get_language

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Refused
from koogallery.tickets.operations import opening
from koogallery.tickets.states import TicketKind

if TYPE_CHECKING:
    from koogallery.tickets.models import Ticket


@operation("submitDemand", resource_type="Demand", roles={Role.BUYER, Role.ANONYMOUS}, once=True, default_allowed=True)
def submit(
    call: Call,
    *,
    subject: str,
    description: str,
    email: str,
    company: str = "",
    contact: str = "",
    phone: str = "",
    searched_for: str = "",
) -> Ticket:
    """Tell operations what was not found; they answer by e-mail, and on the ticket's page who signed in.

    Raises `Refused("invalid_input")`.
    """
    for field, text in (("subject", subject), ("description", description), ("email", email)):
        if not text.strip():
            raise Refused("invalid_input", field=field)
    told = {"company": company, "contact": contact, "phone": phone, "email": email, "searched_for": searched_for}
    return opening.file(
        call,
        kind=TicketKind.DEMAND,
        subject=subject,
        description=description,
        contact={**{name: text.strip()[:254] for name, text in told.items()}, "language": get_language() or "en"},
    )
