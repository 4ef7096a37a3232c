"""Messages and mails of a ticket to whoever asked."""

from __future__ import annotations

from koogallery.notifications.operations import mail, notify
from koogallery.tickets.models import Ticket, TicketMessage
from koogallery.tickets.states import TicketKind

ANSWERED = ("ticket_answered", "ticket_resolved")


def tell(ticket: Ticket, kind: str, *, message: TicketMessage) -> None:
    """Tell the account's root user and who opened the ticket; what answers a demand is mailed to its address."""
    by_mail = ticket.kind == TicketKind.DEMAND and bool(ticket.contact.get("email"))
    key = f"{kind}:{ticket.number}:{message.pk}"
    if ticket.account_id is not None:
        notify(
            account_id=ticket.account_id,
            kind=kind,
            params={"ticket": ticket.number, "subject": ticket.subject},
            link=ticket.get_absolute_url(),
            key=key,
            at=message.at,
            user_ids=[ticket.user_id] if ticket.user_id else [],
            mail=not by_mail,
        )
    if by_mail and kind in ANSWERED:
        mail(
            to=ticket.contact["email"],
            kind="demand_answered",
            params={"subject": ticket.subject, "text": message.text},
            language=ticket.contact.get("language", "en"),
            link=ticket.get_absolute_url() if ticket.account_id is not None else "/products/",
            key=key,
            at=message.at,
        )
