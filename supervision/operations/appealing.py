"""A party appeals, or takes its appeal back."""

from __future__ import annotations

from datetime import datetime

from billing.rules.calendar import working_day_deadline
from koogallery import clock
from koogallery.kernel import events, holidays, ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.events import AppealEnded
from supervision.models import Appeal, Flow
from supervision.operations import moving, telling
from supervision.operations.moving import Uploads
from supervision.queries.flows import party_flow_locked, undecided_appeal
from supervision.rules import appealing as rules
from supervision.rules import texts
from supervision.states import ACTOR_OF_ROLE, Actor, AppealState, FilePurpose, RecordKind, Template


def standing_of(flow: Flow) -> rules.Standing:
    """What the rule of appeals asks of a flow."""
    return rules.Standing(
        is_license=flow.template == Template.LICENSE,
        turn=flow.turn,
        turn_since=flow.turn_since,
        customer_rejects=flow.customer_rejects,
        seller_rejects=flow.seller_rejects,
        closes_on=flow.closes_on,
    )


def why_not(flow: Flow, *, party: Actor, at: datetime) -> Refused | None:
    """Why a party may not appeal now, or None; for a disabled control and for the operation itself."""
    try:
        moving.check_running(flow, at)
    except Refused as refused:
        return refused
    found = rules.gate(standing_of(flow), party=party, policies=flow.policies, at=at)
    return Refused(found.code, **found.params) if found is not None else None


def decision_due(*, at: datetime, working_days: int) -> datetime:
    """Until when an appeal that is filed at `at` is to be decided (R9)."""
    known = holidays.days_from(clock.platform_date(at))
    return working_day_deadline(filed_at=at, working_days=working_days, holidays=known)


@operation(
    "initiateAppeal",
    resource_type="Supervision",
    roles={Role.BUYER, Role.SELLER},
    targets={"flow": party_flow_locked},
    once=True,
    default_allowed=True,
)
def initiate(call: Call, *, flow: Flow, reason: str, uploads: Uploads = ()) -> Appeal:
    """Freeze the flow and ask operations to decide.

    Raises `Refused("appeal_gate")`, `Refused("appeal_blackout")`, `Refused("flow_frozen")` while another appeal is
    open, `Refused("flow_completed")`, and what texts and files are refused for.
    """
    party = ACTOR_OF_ROLE[call.role]
    if (refused := why_not(flow, party=party, at=call.at)) is not None:
        raise refused
    appeal = file(call, flow, by=party, reason=texts.written(reason, field="reason"))
    moving.record(
        call,
        flow,
        RecordKind.APPEAL,
        comment=appeal.reason,
        uploads={FilePurpose.ATTACHMENT: uploads},
        appeal=appeal,
        data={"until": appeal.decision_due_at.isoformat()},
    )
    moving.freeze(flow, at=call.at)
    describe(appeal=appeal.number, decision_due=appeal.decision_due_at)
    telling.tell_both(
        flow,
        "appeal_filed",
        key=appeal.number,
        at=call.at,
        params={"appeal": appeal.number, "party": party.label, "until": appeal.decision_due_at},
        users=telling.filer(appeal),
    )
    return appeal


def file(call: Call, flow: Flow, *, by: Actor, reason: str) -> Appeal:
    """Write an appeal about a locked flow."""
    return Appeal.objects.create(
        number=ids.numbered("AP", at=call.at),
        flow=flow,
        filed_by=by,
        account=call.account,
        user=call.user,
        reason=reason,
        filed_at=call.at,
        decision_due_at=decision_due(at=call.at, working_days=flow.policies["appeal.decision_working_days"]),
        currency=flow.order.currency,
    )


@operation(
    "withdrawAppeal",
    resource_type="Supervision",
    roles={Role.BUYER, Role.SELLER},
    targets={"flow": party_flow_locked},
    once=True,
    default_allowed=True,
)
def withdraw(call: Call, *, flow: Flow) -> Appeal:
    """Take one's own undecided appeal back: the flow goes on exactly where it stood.

    Raises `Refused("appeal_none")` without an undecided one, `Refused("appeal_not_yours")` for the other side's.
    """
    appeal = undecided_appeal(flow)
    if appeal is None:
        raise Refused("appeal_none")
    if appeal.filed_by != ACTOR_OF_ROLE[call.role]:
        raise Refused("appeal_not_yours")
    appeal.state, appeal.ended_at = AppealState.WITHDRAWN, call.at
    appeal.save(update_fields=["state", "ended_at", *appeal.forget_proposal()])
    stood = moving.thaw(flow, at=call.at)
    moving.record(call, flow, RecordKind.WITHDRAW, appeal=appeal)
    events.publish(AppealEnded(flow=flow, appeal=appeal.number, stood=stood, at=call.at))
    describe(appeal=appeal.number)
    telling.tell_both(
        flow,
        "appeal_withdrawn",
        key=appeal.number,
        at=call.at,
        params={"appeal": appeal.number, "party": Actor(appeal.filed_by).label},
        users=telling.filer(appeal),
    )
    return appeal
