"""Kinds and states of tickets, and who moves a ticket from where to where: data."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from koogallery.kernel.reasons import Refused


class TicketKind(models.TextChoices):
    """What is asked for. A room above may offer an action for a kind (`tickets.actions`).

    Returning an invoice has no action before invoices are kept; until then operations answer by hand.
    """

    CREDIT_PAYMENT = "credit_payment", _("Credit payment")
    RETURN_INVOICE = "return_invoice", _("Return invoice")
    SELLER_UNREACHABLE = "seller_unreachable", _("Seller unreachable")
    DEMAND = "demand", _("Demand")
    OTHER = "other", pgettext_lazy("kind of ticket", "Other")


CHOOSABLE = tuple(kind for kind in TicketKind if kind is not TicketKind.DEMAND)
"""The kinds of the ticket form; a demand has a form of its own in the store."""


class TicketState(models.TextChoices):
    """Where a ticket stands."""

    OPEN = "open", pgettext_lazy("state", "Open")
    IN_PROGRESS = "in_progress", _("In progress")
    WAITING = "waiting", _("Waiting for customer")
    RESOLVED = "resolved", _("Resolved")
    CLOSED = "closed", pgettext_lazy("state", "Closed")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _TONES[self]


_TONES = {
    TicketState.OPEN: "info",
    TicketState.IN_PROGRESS: "accent",
    TicketState.WAITING: "warning",
    TicketState.RESOLVED: "success",
    TicketState.CLOSED: "neutral",
}

QUEUED = (TicketState.OPEN, TicketState.IN_PROGRESS)
"""States in which operations are to act."""

UNFINISHED = (*QUEUED, TicketState.WAITING)


class Side(models.TextChoices):
    """Who wrote."""

    CUSTOMER = "customer", _("Customer")
    OPERATIONS = "operations", _("Operations")


class Act(models.TextChoices):
    """What a message did, beside saying something."""

    OPEN = "open", _("Ticket opened")
    REPLY = "reply", _("Reply")
    ASSIGN = "assign", _("Taken on")
    ANSWER = "answer", _("Answer")
    RESOLVE = "resolve", _("Ticket resolved")
    CLOSE = "close", _("Ticket closed")

    @property
    def side(self) -> Side:
        """Who does it."""
        return Side.CUSTOMER if self in (Act.OPEN, Act.REPLY, Act.CLOSE) else Side.OPERATIONS


MOVES: Mapping[Act, Mapping[TicketState, TicketState]] = {
    Act.REPLY: {
        TicketState.OPEN: TicketState.OPEN,
        TicketState.IN_PROGRESS: TicketState.IN_PROGRESS,
        TicketState.WAITING: TicketState.IN_PROGRESS,
        TicketState.RESOLVED: TicketState.OPEN,
        TicketState.CLOSED: TicketState.OPEN,
    },
    Act.ASSIGN: {
        TicketState.OPEN: TicketState.IN_PROGRESS,
        TicketState.IN_PROGRESS: TicketState.IN_PROGRESS,
        TicketState.WAITING: TicketState.WAITING,
    },
    Act.ANSWER: dict.fromkeys(UNFINISHED, TicketState.WAITING),
    Act.RESOLVE: dict.fromkeys(UNFINISHED, TicketState.RESOLVED),
    Act.CLOSE: dict.fromkeys((*UNFINISHED, TicketState.RESOLVED), TicketState.CLOSED),
}
"""Where an act leads from each state; what is not listed is refused."""


def after(act: Act, state: TicketState) -> TicketState:
    """The state that an act leads to. Raises `Refused("ticket_state")`."""
    target = MOVES[act].get(state)
    if target is None:
        raise Refused("ticket_state", state=state.label)
    return target
