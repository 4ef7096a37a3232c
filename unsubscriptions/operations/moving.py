"""Moves of a request, and what they mean for its flow."""

from __future__ import annotations

from datetime import datetime

from koogallery.kernel.calls import Call
from koogallery.kernel.operations import describe
from koogallery.kernel.reasons import Refused
from supervision.operations import holding
from supervision.states import ACTOR_OF_ROLE
from unsubscriptions.models import Request
from unsubscriptions.operations import telling
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.states import REQUEST_MOVES, RequestState


def not_open(asked: Request) -> Refused | None:
    """Why a request is not to be answered any more, or None."""
    return None if asked.is_open else Refused("unsub_not_open", state=asked.status.label)


def stands(asked: Request, *, at: datetime) -> Refused | None:
    """Why a request waits because an appeal froze its flow, or None."""
    flow = flow_of(asked.line)
    return Refused("flow_frozen") if flow is not None and flow.stopped_at(at) is not None else None


def move(call: Call, asked: Request, target: RequestState, *, comment: str = "", end_code: str = "") -> None:
    """Bring a locked, open request to its end. Raises `Refused("unsub_not_open")`."""
    if (refused := not_open(asked)) is not None:
        raise refused
    REQUEST_MOVES.check(asked.state_enum, target)
    asked.state, asked.ended_at, asked.ended_by = target, call.at, ACTOR_OF_ROLE[call.role]
    asked.decided_by, asked.comment, asked.end_code = call.user, comment, end_code
    asked.save(update_fields=["state", "ended_at", "ended_by", "decided_by", "comment", "end_code"])
    describe(request=asked.number, state=target)


def end(call: Call, asked: Request, target: RequestState, *, comment: str = "", end_code: str = "") -> None:
    """End a locked request with nothing given back: its order goes on, completed at once if past its time."""
    move(call, asked, target, comment=comment, end_code=end_code)
    if (flow := flow_of(asked.line)) is not None and flow.is_held:
        holding.let_go(call, flow, told=telling.told(asked), comment=comment)
