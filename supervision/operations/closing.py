"""The closing date: a flow that was not completed by then stands still, as work for operations (supervision.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db.models import F
from django.utils.translation import gettext_noop

from audit.recording import system_traces
from billing.rules.calendar import working_day_deadline
from koogallery import clock
from koogallery.kernel import holidays, ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.notifications.operations import notify_many
from supervision.models import Appeal, Flow, FlowRecord
from supervision.operations import telling
from supervision.queries.flows import RELATED, flow_locked
from supervision.states import Actor, RecordKind

WHERE = "t.frozen_at IS NULL AND t.step NOT IN ('accepted', 'completed', 'canceled', 'unsubbed')"
"""Which flows of a passed closing date close; an accepted one is about to be completed."""

REASON = gettext_noop("The service was not completed by the closing date of its flow.")


@operation("closeSupervision", resource_type="Supervision", roles={Role.SYSTEM}, targets={"flow": flow_locked})
def close(call: Call, *, flow: Flow) -> Flow:
    """Freeze one flow whose closing date has passed. Its name is what the traces of the sweep, which freezes many at
    once, are registered under.
    """
    if flow.is_due_to_close(call.at):
        _freeze([flow])
    return flow


def close_due(flow_ids: list[int], upto: datetime) -> None:
    """Freeze claimed flows whose closing date has passed, dated at its end: one appeal by the platform each.

    The money stays held. Traces, operation records and messages to both sides come with it.
    """
    flows = list(Flow.objects.filter(pk__in=flow_ids).select_related(*RELATED, "account").order_by("pk"))
    appeals = _freeze(flows)
    system_traces(
        "closeSupervision",
        rows=[
            (
                flow.account_id,
                flow.order_number,
                flow.product_name,
                appeal.filed_at,
                {"flow": flow.number},
                {"appeal": appeal.number, "decision_due": appeal.decision_due_at},
            )
            for flow, appeal in zip(flows, appeals, strict=True)
        ],
    )


def _freeze(flows: Sequence[Flow]) -> list[Appeal]:
    """Freeze locked flows at their due times, with four statements however many they are; their appeals, in order."""
    due = {flow.pk: flow.auto_close_due_at for flow in flows if flow.auto_close_due_at is not None}
    if not due:
        return []
    known = holidays.days_from(clock.platform_date(min(due.values())))
    appeals = Appeal.objects.bulk_create([_appeal(flow, at=due[flow.pk], known=known) for flow in flows])
    FlowRecord.objects.bulk_create(
        [
            FlowRecord(
                flow=flow,
                at=appeal.filed_at,
                kind=RecordKind.CLOSE,
                step=flow.step,
                milestone=flow.milestone,
                actor=Actor.SYSTEM,
                data={"until": appeal.decision_due_at.isoformat()},
                appeal=appeal,
            )
            for flow, appeal in zip(flows, appeals, strict=True)
        ]
    )
    Flow.objects.filter(pk__in=list(due)).update(frozen_at=F("auto_close_due_at"))
    for flow in flows:
        flow.frozen_at = due[flow.pk]
    notify_many(
        [
            telling.notice(
                flow,
                to,
                "flow_closed",
                key=appeal.number,
                at=appeal.filed_at,
                params={"until": appeal.decision_due_at},
            )
            for flow, appeal in zip(flows, appeals, strict=True)
            for to in (Actor.BUYER, Actor.SELLER)
        ]
    )
    return appeals


def _appeal(flow: Flow, *, at: datetime, known: frozenset[date]) -> Appeal:
    days = flow.policies["appeal.decision_working_days"]
    return Appeal(
        number=ids.numbered("AP", at=at),
        flow=flow,
        filed_by=Actor.SYSTEM,
        reason=REASON,
        filed_at=at,
        decision_due_at=working_day_deadline(filed_at=at, working_days=days, holidays=known),
        currency=flow.order.currency,
    )
