"""A flow whose order may be given back: its completion and its bills wait; then it goes on, or ends with the order.

Who calls holds the flow locked and runs an operation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.operations import milestones
from koogallery.kernel.calls import Call
from supervision.models import Flow
from supervision.operations import completing, moving
from supervision.states import RecordKind, Step


def hold(call: Call, flow: Flow, *, told: Mapping[str, Any]) -> None:
    """Let the completion of a running flow, and its bills to come, wait; `told` is what the operation record names.

    Deliveries and acceptances go on. Raises `Refused` for a flow that is over or frozen.
    """
    moving.check_running(flow, call.at)
    moving.record(call, flow, RecordKind.UNSUB_ASKED, data=told)
    flow.held_at = call.at
    flow.save(update_fields=["held_at"])
    milestones.hold(call, line_number=flow.number)


def let_go(call: Call, flow: Flow, *, told: Mapping[str, Any], comment: str = "") -> None:
    """Let a held flow go on; one whose completion became due meanwhile is completed at once, at this moment.

    One that is over is only told of it; one that is frozen completes no sooner than it goes on.
    """
    if flow.step_enum.is_over:
        return
    moving.record(call, flow, RecordKind.UNSUB_OVER, data=told, comment=comment)
    flow.held_at = None
    overdue = flow.completion_due_at is not None and flow.completion_due_at <= (flow.frozen_at or call.at)
    if overdue:
        flow.completion_due_at = flow.frozen_at or call.at
    flow.save(update_fields=["held_at", "completion_due_at"])
    milestones.let_go(call, line_number=flow.number)
    if overdue and not flow.is_frozen:
        completing.complete_due([flow.pk], call.at)
        flow.refresh_from_db()


def end(call: Call, flow: Flow, *, told: Mapping[str, Any]) -> None:
    """End a running flow whose order is given back."""
    moving.check_running(flow, call.at)
    moving.record(call, flow, RecordKind.UNSUBSCRIBED, data=told)
    moving.enter(
        flow,
        Step.UNSUBSCRIBED,
        at=call.at,
        ended_at=call.at,
        held_at=None,
        completion_due_at=None,
        auto_close_due_at=None,
    )
