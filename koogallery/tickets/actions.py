"""What operations can do on a ticket of a kind beside answering it: rooms above offer their buttons here.

    actions.offer(TicketKind.CREDIT_PAYMENT, OperationButton("grantCreditPayment", …))

The button's operation does what was asked and ends the ticket with `operations.handling.resolve`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from koogallery.tickets.states import TicketKind

if TYPE_CHECKING:
    from koogallery.kernel.admin import OperationButton

_offered: dict[TicketKind, list[OperationButton]] = {}


def offer(kind: TicketKind, button: OperationButton) -> None:
    """Put a button on every unfinished ticket of a kind. Raises `ValueError` when the kind has it already."""
    buttons = _offered.setdefault(kind, [])
    if any(button.name == other.name for other in buttons):
        raise ValueError(f"{button.name!r} is offered twice.")
    buttons.append(replace(button, shown=lambda row: row.kind == kind and row.is_unfinished and button.shown(row)))


def offered() -> tuple[OperationButton, ...]:
    """Every button; each says itself on which tickets it is shown."""
    return tuple(button for buttons in _offered.values() for button in buttons)


def offered_for(kind: TicketKind) -> tuple[OperationButton, ...]:
    """The buttons of a kind."""
    return tuple(_offered.get(kind, ()))
