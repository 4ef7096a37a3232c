"""What follows once something is given back: UNSUBSCRIBE order, refund, the end of what it gives back, payout.

One transaction does all that is ours; what is left to the card gateway is told by the payout. `request` and its order
are locked by the caller, its flow before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.operations import milestones, refunding
from billing.rules.refunds import price_negotiated_refund
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from orders.operations import returning
from orders.queries import returns
from unsubscriptions.models import Payout, Request
from unsubscriptions.operations import paying_out
from unsubscriptions.queries.standing import money_of
from unsubscriptions.rules.waiting import refund_due
from unsubscriptions.states import PayoutState

REASON = "unsubscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An order line that is given back: for how much, and how that came about."""

    line: Any
    amount: Money
    explanation: Mapping[str, Any]


def carry_out(call: Call, request: Request, *, parts: Sequence[Part]) -> Payout:
    """Give the lines of an agreed request back; the caller settles the payout and tells both sides.

    What a line still owes for milestones is lowered first, the rest goes back to where it came from, what is left is
    the seller's. The order of the request is marked, too, where only its renewals are given back. Raises
    `Refused("unsub_done")`, `Refused("payment_in_progress")`, and what billing refuses.
    """
    nothing = Money.zero(request.currency)
    order = returning.place(
        call,
        order=request.order,
        reversals=[
            returning.Reversal(line=part.line, amount=part.amount, explanation=part.explanation) for part in parts
        ],
        user=request.user,
    )
    lowered = nothing
    for returned, part in zip(returns.lines_given_back_by(order), parts, strict=True):
        lowered += _give_back(call, returned, part)
    for number in dict.fromkeys([request.order.number, *(part.line.order.number for part in parts)]):
        returning.complete(call, order=number)
    due_at = refund_due(began_at=call.at, policies=request.order.policies)
    return Payout.objects.create(
        request=request,
        order=order,
        amount=sum((part.amount for part in parts), nothing).amount - lowered.amount,
        lowered=lowered.amount,
        currency=request.currency,
        state=PayoutState.DUE,
        began_at=call.at,
        due_at=due_at,
        breach_due_at=due_at,
    )


def _give_back(call: Call, returned: Any, part: Part) -> Money:
    """Book the refund of one line, made once by the negative line's number; what was taken off unpaid bills instead."""
    line, explanation = part.line, part.explanation
    lowered = Money.zero(part.amount.currency)
    if line.milestones and part.amount:
        money = money_of(line)
        lowered = milestones.lower(call, line_number=line.number, amount=part.amount, key=returned.number)
        if lowered and lowered < part.amount:
            priced = price_negotiated_refund(
                agreed=part.amount, paid=money.paid, refunded=money.refunded, unpaid=money.unpaid, lowered=lowered
            )
            explanation = priced.explanation.to_json()
    if back := part.amount - lowered:
        refunding.refund(
            call,
            order_number=line.order.number,
            line_number=line.number,
            amount=back,
            reason=REASON,
            key=paying_out.refund_key(returned.number),
            explanation=explanation,
        )
    return lowered


def close_resources(call: Call, request: Request, *, order: Any, delivered: bool) -> None:
    """Close what the request's line produced; `delivered` says whether the seller had handed it over."""
    for resource in returns.resources_of_line(request.line):
        returning.close(call, resource=resource.number, order=order, delivered=delivered)
