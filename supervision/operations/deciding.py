"""Operations decide an appeal: one signature, or two above the policy's limit; the effects are previewed before."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from billing.operations import milestones, refunding
from billing.queries import order_money
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.operations import ending
from supervision.events import AppealEnded
from supervision.models import Appeal, Flow
from supervision.operations import completing, moving, telling
from supervision.queries.flows import appeal_locked
from supervision.rules import deciding as rules
from supervision.rules import texts
from supervision.states import Actor, AppealState, Decision, RecordKind, Step

OFFICERS = {Role.OPERATOR}


def preview(appeal: Appeal, *, decision: Decision, refund: Money | None = None, restart: str = "") -> rules.Effects:
    """What a decision would do to the money of the flow's line, its bills included.

    Raises `Refused("refund_needed")`, `Refused("amount_not_positive")`, `Refused("refund_part_too_much")` for more than
    was paid or for all, `Refused("restart_step")`.
    """
    flow = appeal.flow
    standing = standing_of(flow)
    nothing = Money.zero(standing.held.currency)
    if decision.refunds_part:
        if refund is None:
            raise Refused("refund_needed", field="refund")
        if refund.amount <= 0:
            raise Refused("amount_not_positive", field="refund")
        if not refund.is_whole():
            raise Refused("amount_not_whole", field="refund", currency=refund.currency)
        if not standing.takes_refund(refund):
            raise Refused("refund_part_too_much", field="refund", paid=standing.refundable)
    if decision is Decision.RESTART and restart not in steps_to_restart(flow):
        raise Refused("restart_step", field="restart")
    return rules.effects(decision, standing=standing, refund=refund or nothing)


def standing_of(flow: Flow) -> rules.Standing:
    """Where the money of the flow's line is now."""
    currency = flow.order.currency
    money = order_money(flow.order_number, currency=currency)
    owed = milestones.outstanding(line_number=flow.number, currency=currency)
    return rules.Standing(
        held=money.held, earned=money.earned + money.settled, unpaid=owed.unpaid, unbilled=owed.unbilled
    )


def needs_second_signature(appeal: Appeal, result: rules.Effects) -> bool:
    """Whether a decision with these effects waits for another operations manager, by the policies of the order.

    What earlier appeals of the flow gave back counts with it; the limit is in the order's currency.
    """
    limit = Decimal(appeal.flow.policies["appeal.countersign_above"])
    decided = Appeal.objects.filter(flow=appeal.flow, state=AppealState.DECIDED).exclude(pk=appeal.pk)
    refunded = decided.aggregate(refunded=Sum("refund_amount"))["refunded"] or Decimal(0)
    return result.needs_second_signature(above=limit - refunded)


def steps_to_restart(flow: Flow) -> list[Step]:
    """The steps from which the flow may be restarted, never before the last accepted milestone."""
    return rules.restart_steps(flow.table, flow.step_enum, milestone=flow.milestone, milestones=flow.milestones)


@operation("decideAppeal", resource_type="Appeal", roles=OFFICERS, targets={"appeal": appeal_locked}, once=True)
def decide(
    call: Call,
    *,
    appeal: Appeal,
    decision: str,
    note: str,
    refund: Money | None = None,
    restart: str = "",
    previewed: Mapping[str, Any] | None = None,
) -> Appeal:
    """Sign a decision; above `appeal.countersign_above` it waits for another operations manager.

    `previewed` are the effects that were shown before. Raises `Refused("effects_changed")` when they are others now,
    `Refused("appeal_not_open")`, what `preview` and texts refuse, and what billing refuses.
    """
    describe(account_id=appeal.flow.account_id)
    if appeal.state != AppealState.OPEN:
        raise Refused("appeal_not_open", state=appeal.state_enum.label)
    chosen = Decision(decision)
    explained = texts.written(note, field="note")
    result = preview(appeal, decision=chosen, refund=refund, restart=restart)
    if previewed is not None and dict(previewed) != result.to_json():
        raise Refused("effects_changed")
    appeal.decision, appeal.note, appeal.effects = chosen, explained, result.to_json()
    appeal.refund_amount = result.refunded.amount if chosen.refunds_part else Decimal(0)
    appeal.restart_step = restart if chosen is Decision.RESTART else ""
    appeal.proposed_by, appeal.proposed_at = call.user, call.at
    describe(decision=chosen.value, **appeal.effects)
    if needs_second_signature(appeal, result):
        appeal.state = AppealState.PROPOSED
        appeal.save()
        moving.record(call, appeal.flow, RecordKind.PROPOSE, appeal=appeal)
        return appeal
    _carry_out(call, appeal)
    return appeal


@operation("countersignAppeal", resource_type="Appeal", roles=OFFICERS, targets={"appeal": appeal_locked}, once=True)
def countersign(call: Call, *, appeal: Appeal) -> Appeal:
    """Sign a colleague's decision, which is carried out at once.

    Raises `Refused("appeal_not_proposed")`, `Refused("countersign_own")`, and `Refused("effects_changed")` when the
    money is no longer what was previewed.
    """
    describe(account_id=appeal.flow.account_id)
    _check_proposed(call, appeal)
    again = preview(
        appeal, decision=Decision(appeal.decision), refund=appeal.refund or None, restart=appeal.restart_step
    )
    if again.to_json() != appeal.effects:
        raise Refused("effects_changed")
    appeal.countersigned_by = call.user
    describe(decision=appeal.decision, **appeal.effects)
    _carry_out(call, appeal)
    return appeal


@operation(
    "declineCountersignature", resource_type="Appeal", roles=OFFICERS, targets={"appeal": appeal_locked}, once=True
)
def decline(call: Call, *, appeal: Appeal, note: str) -> Appeal:
    """Do not sign: the appeal waits for a decision again. Raises `Refused("appeal_not_proposed")`."""
    describe(account_id=appeal.flow.account_id)
    _check_proposed(call, appeal)
    texts.written(note, field="note")
    moving.record(call, appeal.flow, RecordKind.DECLINE, appeal=appeal)
    describe(declined=appeal.decision, note=note)
    appeal.state = AppealState.OPEN
    appeal.save(update_fields=["state", *appeal.forget_proposal()])
    return appeal


def _check_proposed(call: Call, appeal: Appeal) -> None:
    if appeal.state != AppealState.PROPOSED:
        raise Refused("appeal_not_proposed")
    if call.user is None or call.user.pk == appeal.proposed_by_id:
        raise Refused("countersign_own")


def _carry_out(call: Call, appeal: Appeal) -> None:
    flow, decision = appeal.flow, Decision(appeal.decision)
    appeal.state, appeal.ended_at = AppealState.DECIDED, call.at
    appeal.save()
    stood = moving.thaw(flow, at=call.at)
    _clear_passed_closing_date(flow, appeal)
    moving.record(call, flow, RecordKind.DECIDE, comment=appeal.note, appeal=appeal, data=_told(appeal))
    if decision.refunds_part:
        refunding.refund(
            call,
            order_number=flow.order_number,
            line_number=flow.number,
            amount=appeal.refund,
            reason="appeal",
            key=f"appeal:{appeal.number}",
            explanation={"appeal": appeal.number},
        )
    if decision is Decision.RESTART:
        _restart(call, flow, Step(appeal.restart_step))
    elif decision.completes:
        completing.complete_now(call, flow)
    elif decision is Decision.REFUND_ALL:
        _cancel(call, flow, appeal)
    events.publish(AppealEnded(flow=flow, appeal=appeal.number, stood=stood, at=call.at))
    _tell(call, flow, appeal)


def _clear_passed_closing_date(flow: Flow, appeal: Appeal) -> None:
    """Let a flow be decided after its closing date: it closes no second time."""
    due_at = flow.auto_close_due_at
    if due_at is not None and (appeal.filed_by == Actor.SYSTEM or due_at <= (appeal.ended_at or due_at)):
        flow.auto_close_due_at = None
        flow.save(update_fields=["auto_close_due_at"])


def _restart(call: Call, flow: Flow, step: Step) -> None:
    """Let the flow start again from a step; what was delivered after it counts no more, the rejections still do."""
    undone: dict[str, Any] = {"accepted_at": None, "completion_due_at": None}
    if not step.is_acceptance:
        undone |= {"delivered_at": None, "enabling_at": None}
    moving.enter(flow, step, at=call.at, **undone)


def _tell(call: Call, flow: Flow, appeal: Appeal) -> None:
    decision, refund = Decision(appeal.decision), appeal_refund(appeal)
    kind = "appeal_decided_refund" if refund else "appeal_decided"
    params: dict[str, Any] = {"appeal": appeal.number, "outcome": decision.told, "refund": refund, "note": appeal.note}
    if decision is Decision.RESTART:
        kind, params["step"] = "appeal_decided_restart", Step(appeal.restart_step).label
    telling.tell_both(flow, kind, key=appeal.number, at=call.at, params=params, users=telling.filer(appeal))


def _cancel(call: Call, flow: Flow, appeal: Appeal) -> None:
    moving.record(call, flow, RecordKind.CANCEL, appeal=appeal)
    moving.enter(
        flow,
        Step.CANCELED,
        at=call.at,
        ended_at=call.at,
        held_at=None,
        completion_due_at=None,
        auto_close_due_at=None,
    )
    delivered = flow.records.filter(kind=RecordKind.DELIVER).exists()
    ending.cancel_by_decision(call, order=flow.order_number, reason=appeal.number, delivered=delivered)


def appeal_refund(appeal: Appeal) -> Money:
    """What a decided appeal gave back to the buyer."""
    return Money(Decimal(appeal.effects.get("refunded", "0")), appeal.currency)


def _told(appeal: Appeal) -> dict[str, Any]:
    return {"decision": appeal.decision, "restart": appeal.restart_step, **appeal.effects}
