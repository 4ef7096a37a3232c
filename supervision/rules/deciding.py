"""What a decision on an appeal does to money, and from which step a flow may be restarted: pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from koogallery.kernel.money import Money
from orders.states import OrderState
from supervision.states import Decision, FlowTable, Step


@dataclass(frozen=True, slots=True)
class Effects:
    """What a decision moves: back to the buyer, on to the seller, and what stays held."""

    refunded: Money
    earned: Money
    held: Money

    @property
    def moved(self) -> Money:
        """What changes hands, by which a second signature is asked for."""
        return self.refunded + self.earned

    def needs_second_signature(self, *, above: Decimal) -> bool:
        """Whether another operations manager must sign, too."""
        return self.moved.amount > above

    def to_json(self) -> dict[str, Any]:
        """As kept with the appeal."""
        return {
            "refunded": str(self.refunded.rounded().amount),
            "earned": str(self.earned.rounded().amount),
            "held": str(self.held.rounded().amount),
            "currency": self.held.currency,
        }


def effects(decision: Decision, *, held: Money, refund: Money) -> Effects:
    """The effects of a decision on the money `held` for a line; `refund` counts only where a part is refunded."""
    nothing = Money.zero(held.currency)
    if decision is Decision.REFUND_ALL:
        return Effects(refunded=held, earned=nothing, held=nothing)
    refunded = refund if decision.refunds_part else nothing
    left = held - refunded
    return (
        Effects(refunded=refunded, earned=left, held=nothing)
        if decision.completes
        else Effects(refunded=refunded, earned=nothing, held=left)
    )


def step_after(decision: Decision, step: Step, *, restart: Step | None = None) -> Step:
    """Where a flow that stands at `step` stands once a decision is carried out."""
    if decision is Decision.REFUND_ALL:
        return Step.CANCELED
    if decision.completes:
        return Step.COMPLETED
    return restart if decision is Decision.RESTART and restart is not None else step


def order_after(step: Step) -> OrderState:
    """What the order of a flow is that stands at `step`."""
    return {Step.COMPLETED: OrderState.COMPLETED, Step.CANCELED: OrderState.CANCELED}.get(step, OrderState.PROCESSING)


def restart_steps(table: FlowTable, step: Step, *, milestone: int, milestones: int) -> list[Step]:
    """The steps from which a flow that stands at `step` may be restarted: reached ones, never before the last accepted
    milestone. None once it is over, or its last milestone is accepted.
    """
    if step.is_over or (step is Step.ACCEPTED and milestones):
        return []
    reached = [each for each in table.steps[: table.position(step) + 1] if not each.is_over]
    if milestone > 1:
        reached = [each for each in reached if each.is_delivery or each.is_acceptance]
    return reached
