"""Tickets as their account and operations may know them (R20), and what was said in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Min, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Missing
from koogallery.tickets.models import Ticket, TicketFile, TicketMessage
from koogallery.tickets.states import QUEUED, UNFINISHED, TicketKind

NOBODY = 0


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a message; `size` is in bytes."""

    number: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Told:
    """A message with its files."""

    row: TicketMessage
    files: Sequence[SentFile] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many tickets wait for operations, how many of them for somebody to take them on, since when the oldest."""

    all: int
    unassigned: int
    oldest_at: datetime | None


def tickets_of(account_id: int | None) -> QuerySet[Ticket]:
    """The tickets of an account."""
    return Ticket.objects.filter(account_id=account_id or NOBODY)


def latest_unfinished(account_id: int, kind: TicketKind) -> Ticket | None:
    """The account's latest ticket of a kind that is neither resolved nor closed."""
    return tickets_of(account_id).filter(kind=kind, state__in=UNFINISHED).order_by("-opened_at", "-pk").first()


def queued() -> QuerySet[Ticket]:
    """The tickets that wait for operations, the oldest first."""
    return Ticket.objects.filter(state__in=QUEUED).order_by("opened_at", "pk")


def waiting() -> Waiting:
    """What waits for operations, in one query."""
    found = queued().order_by().aggregate(
        all=Count("pk"), unassigned=Count("pk", filter=Q(assigned_to=None)), oldest_at=Min("opened_at")
    )  # fmt: skip
    return Waiting(**found)


def visible_ticket(call: Call, number: Any) -> Ticket:
    """A ticket as the caller's role may know it: the account's own, any for operations. Raises `Missing`."""
    return _one(_visible(call), number)


def visible_ticket_locked(call: Call, number: Any) -> Ticket:
    """The same, locked for a move. Raises `Missing`."""
    return _one(_visible(call).select_for_update(of=("self",), no_key=True), number)


def conversation(ticket: Ticket, *, newest: int | None = None) -> list[Told]:
    """What was said, oldest first, each with its files: one query. `newest` is how many are wanted."""
    files = TicketFile.objects.filter(message=OuterRef("pk")).order_by("pk")
    told = JSONObject(number="file__number", name="file__name", size="file__size")
    rows = ticket.messages.select_related("user").annotate(sent=ArraySubquery(files.values(sent=told)))
    found = list(rows.order_by("-at", "-pk")[:newest])
    return [Told(row, [SentFile(**each) for each in row.sent]) for row in reversed(found)]


def file_of(ticket: Ticket, number: Any) -> TicketFile:
    """A file of a ticket. Raises `Missing`."""
    found = TicketFile.objects.filter(message__ticket=ticket, file__number=str(number)[:32]).select_related("file")
    if (file := found.first()) is None:
        raise Missing(f"file {number}")
    return file


def _visible(call: Call) -> QuerySet[Ticket]:
    if call.role is Role.BUYER:
        return tickets_of(call.account_id)
    if call.role in (Role.OPERATOR, Role.SYSTEM):
        return Ticket.objects.select_related("account")
    return Ticket.objects.none()


def _one(tickets: QuerySet[Ticket], number: Any) -> Ticket:
    ticket = tickets.filter(number=str(number)[:24]).first()
    if ticket is None:
        raise Missing(f"ticket {number}")
    return ticket
