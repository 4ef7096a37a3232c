"""The buyer accepts or rejects what was delivered."""

from __future__ import annotations

from datetime import timedelta

from billing.operations import milestones
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.models import Flow
from supervision.operations import completing, moving, telling
from supervision.queries.flows import own_flow_locked
from supervision.rules import texts
from supervision.states import Actor, MoveName


@operation(
    "confirmAcceptance",
    resource_type="Supervision",
    roles={Role.BUYER},
    targets={"flow": own_flow_locked},
    once=True,
    default_allowed=True,
)
def accept(call: Call, *, flow: Flow) -> Flow:
    """Accept the delivery, or with milestones its part; the final acceptance starts the timer of completion (R7).

    With milestones the bill of the next part is generated with it. Raises `Refused("flow_step")`,
    `Refused("flow_frozen")`, `Refused("flow_completed")`, `Refused("milestone_bill_overdue")` by policy,
    `Refused("milestone_credit_short")`, and `Refused("acceptance_term_over")` when the delivered term would be over
    before it could be used.
    """
    _check_bills(call, flow)
    if not flow.is_last_part:
        told = moving.make(
            call,
            flow,
            MoveName.ACCEPT_PART,
            data={"milestone": flow.milestone, "milestones": flow.milestones},
            columns={
                "milestone": flow.milestone + 1,
                "customer_rejects": 0,
                "seller_rejects": 0,
                "delivered_at": None,
                "enabling_at": None,
            },
        )
        telling.tell(
            flow, Actor.SELLER, "milestone_accepted", key=str(told.pk), at=call.at,
            params={"milestone": flow.milestone - 1, "milestones": flow.milestones},
        )  # fmt: skip
        milestones.accept(call, line_number=flow.number, position=flow.milestone - 1)
        return flow
    moving.check_move(call, flow, MoveName.ACCEPT)
    due_at = call.at + timedelta(hours=flow.policies["order.completion_delay_hours"])
    term = completing.term_of(flow, accepted_at=call.at)
    if term is not None and term.expires_at <= due_at:
        raise Refused("acceptance_term_over", expires=term.expires_at)
    told = moving.make(
        call,
        flow,
        MoveName.ACCEPT,
        columns={"accepted_at": call.at, "completion_due_at": due_at},
    )
    if flow.milestones:
        milestones.accept(call, line_number=flow.number, position=flow.milestone)
    describe(completes=due_at)
    telling.tell(flow, Actor.SELLER, "service_accepted", key=str(told.pk), at=call.at, params={"until": due_at})
    return flow


def _check_bills(call: Call, flow: Flow) -> None:
    """Raise `Refused("milestone_bill_overdue")` while the policy stamped on the order lets an overdue bill block."""
    if not flow.milestones or not flow.policies["milestone.block_on_overdue"]:
        return
    name = MoveName.ACCEPT if flow.is_last_part else MoveName.ACCEPT_PART
    moving.check_move(call, flow, name)
    if milestones.is_overdue(line_number=flow.number, at=call.at):
        raise Refused("milestone_bill_overdue")


@operation(
    "rejectDelivery",
    resource_type="Supervision",
    roles={Role.BUYER},
    targets={"flow": own_flow_locked},
    once=True,
    default_allowed=True,
)
def reject(call: Call, *, flow: Flow, reason: str) -> Flow:
    """Give the delivery back to the seller with a reason; counted. Raises `Refused`."""
    moving.check_move(call, flow, MoveName.REJECT)
    if not flow.policies["delivery.reject"]:
        raise Refused("rejection_switched_off")
    comment = texts.written(reason, field="reason")
    told = moving.make(
        call, flow, MoveName.REJECT, comment=comment, columns={"delivered_at": None, "enabling_at": None}
    )
    telling.tell(
        flow, Actor.SELLER, "delivery_rejected", key=str(told.pk), at=call.at, params={"reason": comment}, sms=True
    )
    return flow
