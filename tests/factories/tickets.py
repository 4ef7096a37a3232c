"""Service tickets for tests, opened and moved as people do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from koogallery.kernel import pages
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import handling, opening, replying
from koogallery.tickets.states import TicketKind, TicketState
from tests.personas import Persona, make_buyer, make_operator

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")


@dataclass
class Case:
    """A ticket with its customer and an operations manager, and the moment at which they act."""

    ticket: Ticket
    buyer: Persona
    officer: Persona
    at: datetime

    @property
    def state(self) -> TicketState:
        """Where it stands."""
        self.ticket.refresh_from_db()
        return self.ticket.state_enum

    def _do(self, who: Persona, act: Any, **arguments: Any) -> Ticket:
        self.at += timedelta(minutes=1)
        act(who.call(at=self.at, key=pages.new_key()), ticket=self.ticket.number, **arguments)
        self.ticket.refresh_from_db()
        return self.ticket

    def reply(self, text: str = "More about it.", **arguments: Any) -> Ticket:
        return self._do(self.buyer, replying.reply, text=text, **arguments)

    def close(self) -> Ticket:
        return self._do(self.buyer, replying.close)

    def assign(self, **arguments: Any) -> Ticket:
        return self._do(self.officer, handling.assign, **arguments)

    def answer(self, text: str = "What exactly?") -> Ticket:
        return self._do(self.officer, handling.answer, text=text)

    def resolve(self, text: str = "It is done.") -> Ticket:
        return self._do(self.officer, handling.resolve, text=text)


def opened(kind: str = TicketKind.OTHER, *, buyer: Persona | None = None, at: datetime = AT, **arguments: Any) -> Case:
    """A ticket as a customer opened it."""
    who = buyer or make_buyer()
    values: dict[str, Any] = {"subject": "Help wanted", "description": "Nothing works."}
    ticket = opening.create(who.call(at=at, key=pages.new_key()), kind=kind, **(values | arguments))
    return Case(ticket=ticket, buyer=who, officer=make_operator(), at=at)
