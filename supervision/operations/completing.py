"""The good end of a flow: the order Completed, the resource in use, the money earned (R7)."""

from __future__ import annotations

from datetime import datetime

from koogallery.kernel.calls import Call
from koogallery.notifications.operations import notify_many
from orders.operations import provisioning
from supervision.models import Flow
from supervision.operations import moving, telling
from supervision.rules.terms import period_start
from supervision.states import Actor, RecordKind, Step


def complete_now(call: Call, flow: Flow) -> None:
    """Complete a locked, running flow at the moment of the call, by a decision of operations."""
    moving.record(call, flow, RecordKind.COMPLETE)
    accepted_at = flow.accepted_at or call.at
    moving.enter(
        flow,
        Step.COMPLETED,
        at=call.at,
        accepted_at=accepted_at,
        ended_at=call.at,
        completion_due_at=None,
        auto_close_due_at=None,
    )
    provisioning.finish_delivery(
        call, order=flow.order_number, starts_at=period_start_of(flow, accepted_at=accepted_at)
    )
    notify_many([telling.notice(flow, Actor.SELLER, "service_completed", key="end", at=call.at)])


def period_start_of(flow: Flow, *, accepted_at: datetime) -> datetime:
    """From when on the delivered term runs, by the policies of the order."""
    return period_start(flow.policies, accepted_at=accepted_at, enabling_at=flow.enabling_at)
