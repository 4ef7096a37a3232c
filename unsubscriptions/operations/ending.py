"""What the end of an appeal means for an open request: it waits on, or ends with the order, or for want of money."""

from __future__ import annotations

from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.events import AppealEnded
from supervision.states import Actor
from unsubscriptions.models import Request
from unsubscriptions.operations import moving, telling
from unsubscriptions.queries.requests import open_request_of, request_locked
from unsubscriptions.queries.standing import money_of
from unsubscriptions.states import RequestState


def on_appeal_ended(happened: AppealEnded) -> None:
    """Let an open request go on with its flow: its clocks move by the time that the flow stood still.

    One whose order ended, or for which too little is left after a refund, ends.
    """
    flow = happened.flow
    asked = open_request_of(flow.line_id)
    if asked is None:
        return
    asked.turn_since += happened.stood
    if asked.reminded_at is not None:
        asked.reminded_at += happened.stood
    asked.save(update_fields=["turn_since", "reminded_at"])
    if flow.step_enum.is_over:
        end(system_call(at=happened.at), request=asked.number, code="unsub_decided")
    elif asked.negotiated > money_of(flow.line).actual_payment:
        end(system_call(at=happened.at), request=asked.number, code="unsub_left_short")


@operation("endUnsubscription", resource_type="Subscription", roles={Role.SYSTEM}, targets={"request": request_locked})
def end(call: Call, *, request: Request, code: str) -> Request:
    """End an open request that a decision left without its object; `code` is the reason that both sides read."""
    describe(reason=code)
    moving.end(call, request, RequestState.REJECTED, end_code=code)
    for party in (Actor.BUYER, Actor.SELLER):
        telling.tell(request, party, "unsubscription_ended", at=call.at, params={"why": Refused(code)})
    return request
