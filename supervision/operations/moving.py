"""One move of a flow by its table, and the operation record that tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from koogallery.kernel import files
from koogallery.kernel.calls import Call
from koogallery.kernel.operations import describe
from koogallery.kernel.reasons import Refused
from supervision.models import Appeal, Flow, FlowFile, FlowMessage, FlowRecord
from supervision.rules.clocks import delivery_due
from supervision.states import ACTOR_OF_ROLE, Actor, FilePurpose, MoveName, RecordKind, Step

Uploads = Sequence[files.Upload]


def check_running(flow: Flow, at: datetime) -> None:
    """Raise `Refused` unless a locked flow may move at `at`; passed deadlines bind before the sweep runs (R19)."""
    if flow.step == Step.CANCELED:
        raise Refused("flow_canceled")
    if flow.step == Step.UNSUBSCRIBED:
        raise Refused("flow_unsubscribed")
    if flow.step == Step.COMPLETED or flow.is_due_to_complete(at):
        raise Refused("flow_completed")
    if flow.is_frozen or flow.is_due_to_close(at):
        raise Refused("flow_frozen")


def check_move(call: Call, flow: Flow, name: MoveName) -> Step:
    """The step that a move leads to. Raises `Refused` for a move that the flow's table does not hold here."""
    check_running(flow, call.at)
    move = flow.table.moves.get(name)
    if move is None or move.source != flow.step or move.actor is not ACTOR_OF_ROLE[call.role]:
        raise Refused("flow_step", step=flow.step_enum.label)
    return move.target


def make(
    call: Call,
    flow: Flow,
    name: MoveName,
    *,
    comment: str = "",
    uploads: Mapping[FilePurpose, Uploads] | None = None,
    data: Mapping[str, Any] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> FlowRecord:
    """Make a move of a locked flow, set `columns` with it, and record it. Raises `Refused`."""
    target = check_move(call, flow, name)
    told = record(call, flow, RecordKind(name.value), comment=comment, uploads=uploads, data=data)
    counts = flow.table.moves[name].counts
    changed = dict(columns or {})
    if counts is not None:
        changed[counts.value] = getattr(flow, counts.value) + 1
    enter(flow, target, at=call.at, **changed)
    describe(step=target.value)
    return told


def enter(flow: Flow, step: Step, *, at: datetime, **columns: Any) -> None:
    """Bring a locked flow to `step` and start its clocks anew."""
    changed: dict[str, Any] = {"step": step, "step_since": at, "turn_since": at, "reminded_at": None, **columns}
    if step.is_delivery:
        changed["delivery_due_at"] = delivery_due(at=at, days=flow.order.product.delivery_days)
    for name, value in changed.items():
        setattr(flow, name, value)
    flow.save(update_fields=list(changed))


def record(
    call: Call,
    flow: Flow,
    kind: RecordKind,
    *,
    comment: str = "",
    uploads: Mapping[FilePurpose, Uploads] | None = None,
    data: Mapping[str, Any] | None = None,
    appeal: Appeal | None = None,
) -> FlowRecord:
    """Write an operation record of the caller with its files, as both sides will see it."""
    by = ACTOR_OF_ROLE[call.role]
    told = FlowRecord.objects.create(
        flow=flow,
        at=call.at,
        kind=kind,
        step=flow.step,
        milestone=flow.milestone,
        actor=by,
        user=call.user if by in (Actor.BUYER, Actor.SELLER, Actor.OPERATOR) else None,
        name=name_of(call, flow, by),
        comment=comment,
        data=dict(data or {}),
        appeal=appeal,
    )
    keep_files(call, flow, uploads or {}, told=told)
    return told


def name_of(call: Call, flow: Flow, actor: Actor) -> str:
    """Under which name both sides see who acted: the account's, the seller's, never a person's (contact data)."""
    if actor is Actor.SELLER:
        return str(flow.seller.name)[:150]
    if actor is Actor.BUYER and call.account is not None:
        return str(call.account.name)[:150]
    return ""


def keep_files(
    call: Call,
    flow: Flow,
    uploads: Mapping[FilePurpose, Uploads],
    *,
    told: FlowRecord | None = None,
    message: FlowMessage | None = None,
) -> None:
    """Make rows of uploads and bind them to a record or a message. Raises `Refused("too_many_files")`."""
    purposes = [purpose for purpose, sent in uploads.items() for _each in sent]
    if any(len(sent) > files.MAX_FILES for sent in uploads.values()):
        raise Refused("too_many_files", field="files", limit=files.MAX_FILES)
    stored = files.record(call, [upload for sent in uploads.values() for upload in sent])
    FlowFile.objects.bulk_create(
        [
            FlowFile(flow=flow, record=told, message=message, file=file, purpose=purpose)
            for file, purpose in zip(stored, purposes, strict=True)
        ]
    )


def thaw(flow: Flow, *, at: datetime) -> timedelta:
    """Let a frozen flow go on: every due time, and every clock, moves by the time it stood still, which is returned."""
    assert flow.frozen_at is not None
    stood = at - flow.frozen_at
    changed: dict[str, Any] = {"frozen_at": None}
    for name in ("turn_since", "delivery_due_at", "completion_due_at", "auto_close_due_at", "reminded_at"):
        if (moment := getattr(flow, name)) is not None:
            changed[name] = moment + stood
    for name, value in changed.items():
        setattr(flow, name, value)
    flow.save(update_fields=list(changed))
    return stood


def freeze(flow: Flow, *, at: datetime) -> None:
    """Stop a locked flow: no move, no reminder, no completion until it is thawed."""
    flow.frozen_at = at
    flow.save(update_fields=["frozen_at"])


__all__ = [
    "Uploads", "check_move", "check_running", "enter", "freeze", "keep_files", "make", "name_of",
    "record", "thaw",
]  # fmt: skip
