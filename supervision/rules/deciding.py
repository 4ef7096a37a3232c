"""What a decision on an appeal does to money, and from which step a flow may be restarted: pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from koogallery.kernel.money import Money
from orders.states import OrderState
from supervision.states import Decision, FlowTable, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The money of a flow's line before a decision: held, the seller's by now, billed and unpaid, not billed yet.

    The last two are of milestone orders; `unbilled` lapses when the order ends.
    """

    held: Money
    earned: Money
    unpaid: Money
    unbilled: Money

    @property
    def refundable(self) -> Money:
        """What was paid and not given back."""
        return self.held + self.earned

    @property
    def order(self) -> Money:
        """What the order comes to, less what was given back."""
        return self.refundable + self.unpaid + self.unbilled

    def takes_refund(self, refund: Money) -> bool:
        """Whether `refund` is a part: no more than was paid, and less than all that the order comes to."""
        return refund <= self.refundable and refund < self.order


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a decision moves: back to the buyer, on to the seller, and what stays held.

    `taken_back` is the part of the refund that the seller had earned. Of milestone orders: bills that are `withdrawn`,
    bills that stay `due` and are the seller's once repaid, and what `lapsed` as it was not billed.
    """

    refunded: Money
    earned: Money
    held: Money
    taken_back: Money
    withdrawn: Money
    due: Money
    lapsed: Money

    @property
    def moved(self) -> Money:
        """What the decision is about, by which a second signature is asked for: paid or not, all that it settles."""
        return self.refunded + self.earned + self.withdrawn + self.due + self.lapsed

    def needs_second_signature(self, *, above: Decimal) -> bool:
        """Whether another operations manager must sign, too."""
        return self.moved.amount > above

    @property
    def of_bills(self) -> dict[str, Money]:
        """What there is to say of milestones, by its name; nothing for other orders."""
        named = {name: getattr(self, name) for name in OF_BILLS}
        return {name: money for name, money in named.items() if money}

    def to_json(self) -> dict[str, Any]:
        """As kept with the appeal."""
        always = {"refunded": self.refunded, "earned": self.earned, "held": self.held}
        amounts = {name: str(money.rounded().amount) for name, money in (always | self.of_bills).items()}
        return {**amounts, "currency": self.held.currency}


OF_BILLS = ("taken_back", "withdrawn", "due", "lapsed")
"""Effects that only milestone orders have."""


def effects(decision: Decision, *, standing: Standing, refund: Money) -> Effects:
    """The effects of a decision on the money of a line; `refund` counts only where a part is refunded.

    A refund takes what is held first, then what the seller has earned.
    """
    nothing = Money.zero(standing.held.currency)
    is_all = decision is Decision.REFUND_ALL
    refunded = standing.refundable if is_all else refund if decision.refunds_part else nothing
    from_held = min(refunded, standing.held)
    left = standing.held - from_held
    is_last = is_all or decision.completes
    return Effects(
        refunded=refunded,
        earned=left if decision.completes else nothing,
        held=nothing if is_last else left,
        taken_back=refunded - from_held,
        withdrawn=standing.unpaid if is_all else nothing,
        due=standing.unpaid if decision.completes else nothing,
        lapsed=standing.unbilled if is_last else nothing,
    )


def step_after(decision: Decision, step: Step, *, restart: Step | None = None) -> Step:
    """Where a flow that stands at `step` stands once a decision is carried out."""
    if decision is Decision.REFUND_ALL:
        return Step.CANCELED
    if decision.completes:
        return Step.COMPLETED
    return restart if decision is Decision.RESTART and restart is not None else step


def request_waits_on(amount: Money, *, step: Step, standing: Standing, moved: Effects) -> bool:
    """Whether an open request to give the order back for `amount` outlives a decision that leads to `step`.

    It ends with the order, and where a refund leaves less than was asked for.
    """
    left = standing.refundable + standing.unpaid - moved.refunded - moved.withdrawn
    return not step.is_over and amount <= left


def order_after(step: Step) -> OrderState:
    """What the order of a flow is that stands at `step`."""
    ends = {
        Step.COMPLETED: OrderState.COMPLETED,
        Step.UNSUBSCRIBED: OrderState.COMPLETED,
        Step.CANCELED: OrderState.CANCELED,
    }
    return ends.get(step, OrderState.PROCESSING)


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
