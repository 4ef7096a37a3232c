"""Reminding the seller that it is its turn, and messages between the parties."""

from __future__ import annotations

from datetime import datetime, timedelta

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Refused
from supervision.models import Flow, FlowMessage
from supervision.operations import moving, telling
from supervision.operations.moving import Uploads
from supervision.queries.flows import own_flow_locked, party_flow_locked
from supervision.rules import texts
from supervision.states import ACTOR_OF_ROLE, Actor, FilePurpose, RecordKind


def why_not(flow: Flow, *, at: datetime) -> Refused | None:
    """Why the seller cannot be reminded now, or None; for a disabled control and for the operation itself."""
    try:
        moving.check_running(flow, at)
    except Refused as refused:
        return refused
    if flow.turn is not Actor.SELLER:
        return Refused("reminder_not_sellers_turn")
    cooldown = timedelta(hours=flow.policies["reminder.cooldown_hours"])
    if flow.reminded_at is not None and at < flow.reminded_at + cooldown:
        return Refused("reminder_cooldown", next=flow.reminded_at + cooldown)
    return None


@operation(
    "remindSeller",
    resource_type="Supervision",
    roles={Role.BUYER},
    targets={"flow": own_flow_locked},
    once=True,
    default_allowed=True,
)
def remind(call: Call, *, flow: Flow) -> Flow:
    """Remind the seller, while it must act: at once, then once per cooldown and step.

    Raises `Refused("reminder_not_sellers_turn")`, `Refused("reminder_cooldown")`, and what a flow is refused for.
    """
    if (refused := why_not(flow, at=call.at)) is not None:
        raise refused
    told = moving.record(call, flow, RecordKind.REMIND)
    flow.reminded_at = call.at
    flow.save(update_fields=["reminded_at"])
    telling.tell(flow, Actor.SELLER, "seller_reminded", key=str(told.pk), at=call.at, sms=True)
    return flow


@operation(
    "sendSupervisionMessage",
    resource_type="Supervision",
    roles={Role.BUYER, Role.SELLER, Role.OPERATOR},
    targets={"flow": party_flow_locked},
    once=True,
    default_allowed=True,
)
def send_message(call: Call, *, flow: Flow, text: str, uploads: Uploads = ()) -> FlowMessage:
    """Write to the other side, also while the flow is frozen; operations write to both. Raises `Refused`."""
    clean = texts.written(text, field="text")
    actor = ACTOR_OF_ROLE[call.role]
    message = FlowMessage.objects.create(
        flow=flow, at=call.at, actor=actor, user=call.user, name=moving.name_of(call, flow, actor), text=clean
    )
    moving.keep_files(call, flow, {FilePurpose.ATTACHMENT: uploads}, message=message)
    for to in {Actor.BUYER, Actor.SELLER} - {actor}:
        telling.tell(flow, to, "flow_message", key=str(message.pk), at=call.at)
    return message
