"""The good end of a flow: the order Completed, the resource in use, the money earned (R7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.urls import reverse

from billing.rules.terms import Term
from koogallery.kernel import prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call
from koogallery.kernel.policies import PolicySet
from koogallery.notifications.operations import Notice, notify_many
from orders.operations import finishing, provisioning
from supervision.models import Flow
from supervision.operations import moving, telling
from supervision.rules.terms import period_start
from supervision.states import Actor, RecordKind, Step

WHERE = "t.frozen_at IS NULL AND t.held_at IS NULL"
"""Which accepted flows complete when they are due; a frozen one waits for the decision, a held one for the answer to
the request to give its order back."""

_NUMBER = "NUMBER"
_SOON = timedelta(days=1)
"""A completion that comes so soon after the start of a term is before its end."""
_COMPLETE = """
WITH moved AS (
    UPDATE supervision_flow
    SET step = 'completed', step_since = completion_due_at, turn_since = completion_due_at,
        ended_at = completion_due_at, reminded_at = NULL, completion_due_at = NULL, auto_close_due_at = NULL
    WHERE id = ANY (%s::bigint[])
    RETURNING id, number, order_id, order_number, product_name, seller_id, milestone, accepted_at, enabling_at, ended_at
), told AS (
    INSERT INTO supervision_flowrecord (flow_id, at, kind, step, milestone, actor, name, comment, data)
    SELECT id, ended_at, 'complete', 'accepted', milestone, 'system', '', '', '{}' FROM moved
)
SELECT m.number, m.order_id, m.order_number, m.product_name, m.accepted_at, m.enabling_at, m.ended_at, o.policy,
    s.account_id, s.name
FROM moved m CROSS JOIN LATERAL (SELECT policy FROM orders_order x WHERE x.id = m.order_id OFFSET 0) o
JOIN catalog_seller s ON s.id = m.seller_id
"""


class _Completed(NamedTuple):
    number: str
    order_id: int
    order_number: str
    product_name: str
    accepted_at: datetime
    enabling_at: datetime | None
    at: datetime
    policy: str
    seller_account_id: int
    seller_name: str


@lru_cache(maxsize=256)
def _policies(stamp: str) -> PolicySet:
    """The policies of a stamp as it is stored; the same for most orders of a season."""
    return PolicySet.from_json(json.loads(stamp))


def complete_due(flow_ids: list[int], upto: datetime) -> None:
    """Complete claimed flows whose time has come, each dated at its due time (R7), set-wise.

    The orders are Completed, the resources can be used, the money is earned, both sides are told. A term that would
    be over by then, as the completion was held or frozen, starts with it. Money comes last, as the ledger accounts of
    large sellers are what parallel chunks wait for.
    """
    with prepared.cursor() as cursor:
        cursor.execute(_COMPLETE, [array(flow_ids)])
        completed = [_Completed(*row) for row in cursor.fetchall()]
    starts = _starts(completed)
    page = reverse("supervision:seller_detail", args=[_NUMBER])
    notify_many(
        [
            Notice(
                account_id=row.seller_account_id,
                kind="service_completed",
                params={"order": row.order_number, "product": row.product_name, "seller": row.seller_name},
                link=page.replace(_NUMBER, row.number),
                key=f"service_completed:{row.number}:end:{Actor.SELLER.value}",
                at=row.at,
            )
            for row in completed
        ]
    )
    finishing.finish_deliveries(
        [
            finishing.Ending(
                order_id=row.order_id,
                at=row.at,
                starts_at=starts[row.number],
            )
            for row in completed
        ]
    )


def _starts(completed: Sequence[_Completed]) -> dict[str, datetime]:
    """From when on the term of each runs, by line number."""
    starts = {
        row.number: period_start(_policies(row.policy), accepted_at=row.accepted_at, enabling_at=row.enabling_at)
        for row in completed
    }
    late = {row.number: row.at for row in completed if row.at - starts[row.number] > _SOON}
    if late:
        for flow in Flow.objects.filter(number__in=late).select_related("order", "line"):
            starts[flow.number] = _start_decided(flow, at=late[flow.number])
    return starts


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
        held_at=None,
        completion_due_at=None,
        auto_close_due_at=None,
    )
    provisioning.finish_delivery(call, order=flow.order_number, starts_at=_start_decided(flow, at=call.at))
    notify_many([telling.notice(flow, Actor.SELLER, "service_completed", key="end", at=call.at)])


def _start_decided(flow: Flow, *, at: datetime) -> datetime:
    """From when on the term runs that is completed late or by a decision; from then where it would be over already."""
    term = term_of(flow, accepted_at=flow.accepted_at or at)
    if term is not None and term.expires_at <= at:
        return at
    return period_start(flow.policies, accepted_at=flow.accepted_at or at, enabling_at=flow.enabling_at)


def term_of(flow: Flow, *, accepted_at: datetime) -> Term | None:
    """The term that an acceptance at this time would give, by the policies of the order; None without one."""
    starts_at = period_start(flow.policies, accepted_at=accepted_at, enabling_at=flow.enabling_at)
    return provisioning.first_term(flow.order, flow.line, at=starts_at)
