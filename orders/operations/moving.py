"""One move of an order and the line of its timeline that tells of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from koogallery.kernel.calls import Call, Role
from orders.models import Order, OrderEvent
from orders.states import ORDER_MOVES, OrderState, OrderStep


def move(order: Order, target: OrderState, **columns: Any) -> None:
    """Bring a locked order to `target` and set `columns` with it. Raises `Refused("state_move")`."""
    ORDER_MOVES.check(order.state_enum, target)
    order.state = target
    for name, value in columns.items():
        setattr(order, name, value)
    order.save(update_fields=["state", *columns])


def tell(order: Order, *steps: OrderStep, at: datetime, actor: str = "", note: str = "") -> None:
    """Write steps of an order's timeline; `actor` empty means the platform."""
    OrderEvent.objects.bulk_create(
        [OrderEvent(order=order, at=at, step=step, actor=actor[:150], note=note[:500]) for step in steps]
    )


def actor_of(call: Call) -> str:
    """The name under which a timeline shows who called; empty for the platform."""
    return "" if call.role is Role.SYSTEM or call.user is None else str(call.user)
