"""The good end of many supervised orders at once, for sweeps: what `provisioning.finish_delivery` does, set-wise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.urls import reverse

from audit.recording import system_traces
from billing.operations import earning, milestones
from billing.rules.terms import Term, TermLength, TermUnit
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel import events, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify_many
from orders.events import OrderCompleted, ResourceReady
from orders.models import Order, Resource
from orders.rules import life
from orders.states import OrderState, OrderType

_NUMBER = "NUMBER"
_COMPLETE = """
WITH due AS (
    SELECT * FROM unnest(%(orders)s::bigint[], %(moments)s::timestamptz[]) AS d(id, at)
), moved AS (
    UPDATE orders_order o SET state = 'completed', completed_at = d.at FROM due d
    WHERE o.id = d.id AND o.state = 'processing'
    RETURNING o.id, o.number, o.type, o.account_id, o.user_id, o.product_name, o.project_code
)
SELECT m.*, l.id, l.number, l.amount, l.milestones, l.billing_mode, l.term_unit, l.term_count,
    CASE WHEN m.type = 'TRIAL' THEN (l.configuration ->> 'trial_days')::integer END, r.id, r.number
FROM moved m CROSS JOIN LATERAL (SELECT * FROM orders_orderline x WHERE x.order_id = m.id OFFSET 0) l
CROSS JOIN LATERAL (
    SELECT id, number FROM orders_resource x WHERE x.line_id = l.id AND x.item = 1 AND x.status = 'in_delivery' OFFSET 0
) r
"""
_ENABLE = """
WITH given AS (
    SELECT * FROM unnest(%(orders)s::bigint[], %(lines)s::bigint[], %(resources)s::bigint[], %(moments)s::timestamptz[],
        %(starts)s::date[], %(ends)s::date[], %(expiries)s::timestamptz[], %(steps)s::timestamptz[],
        %(notices)s::timestamptz[])
        AS g(order_id, line_id, resource_id, at, starts, ends, expires_at, life_due_at, notice_due_at)
), told AS (
    INSERT INTO orders_orderevent (order_id, at, step, actor, note)
    SELECT order_id, at, 'delivered', '', '' FROM given
), terms AS (
    INSERT INTO orders_resourceterm (resource_id, line_id, start, "end", price, discount_share, paid, currency)
    SELECT g.resource_id, g.line_id, g.starts, g.ends, l.list_amount, l.discount_share, l.amount, l.currency
    FROM given g CROSS JOIN LATERAL (SELECT * FROM orders_orderline x WHERE x.id = g.line_id OFFSET 0) l
    WHERE g.starts IS NOT NULL
)
UPDATE orders_resource r SET status = 'enabled', enabled_at = g.at,
    expires_at = coalesce(g.expires_at, r.expires_at),
    life_due_at = coalesce(g.life_due_at, r.life_due_at), notice_due_at = coalesce(g.notice_due_at, r.notice_due_at),
    anchor_day = coalesce(extract(day FROM g.starts)::smallint, r.anchor_day)
FROM given g WHERE r.id = g.resource_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When an order ends, which is its due time, and from when its term runs."""

    order_id: int
    at: datetime
    starts_at: datetime


class _Ended(NamedTuple):
    order_id: int
    order_number: str
    type: str
    account_id: int
    user_id: int | None
    product_name: str
    project_code: str
    line_id: int
    line_number: str
    amount: Decimal
    milestones: int
    billing_mode: str
    term_unit: str
    term_count: int | None
    trial_days: int | None
    resource_id: int
    resource_number: str


def finish_deliveries(endings: Sequence[Ending]) -> None:
    """Complete supervised orders, each at its own due time, with as many statements for a thousand as for one.

    The orders become Completed, what is held for them earned; their resources can be used, their terms run, the buyers
    are told; one `completeOrder` is traced for each order. Called by a sweep inside its transaction. Money comes last,
    as the ledger accounts of large sellers are what parallel chunks wait for. Raises `Refused("state_move")` when an
    order or its resource is not in delivery: the sweep goes on without that one.
    """
    due = {ending.order_id: ending for ending in sorted(endings, key=lambda each: each.order_id)}
    if not due:
        return
    ended = _complete(due)
    _enable(ended, due)
    notify_many(_notices(ended, due))
    system_traces(
        "completeOrder",
        rows=[
            (
                row.account_id,
                row.order_number,
                row.product_name,
                due[row.order_id].at,
                {"order": row.order_number},
                {"state": OrderState.COMPLETED.value, "resource": row.resource_number},
            )
            for row in ended
        ],
    )
    earning.earn_many(
        keys={row.line_number: f"earn:{row.line_number}" for row in ended if row.amount},
        at={row.line_number: due[row.order_id].at for row in ended},
    )
    if in_parts := {row.line_number: due[row.order_id].at for row in ended if row.milestones}:
        milestones.finish(in_parts)
    _publish(ended, due)


def _complete(due: dict[int, Ending]) -> list[_Ended]:
    given: dict[str, Any] = {"orders": array(due), "moments": array(ending.at for ending in due.values())}
    with prepared.cursor() as cursor:
        cursor.execute(_COMPLETE, given)
        ended = [_Ended(*row) for row in cursor.fetchall()]
    if {row.order_id for row in ended} != set(due):
        raise Refused("state_move", source="", target=OrderState.COMPLETED.label)
    return ended


def _enable(ended: list[_Ended], due: dict[int, Ending]) -> None:
    terms = _terms(ended, due)
    expiries = {term: _expiry(term) for term in set(terms) if term}
    moments = [due[row.order_id].at for row in ended]
    given: dict[str, Any] = {
        "orders": array(row.order_id for row in ended),
        "lines": array(row.line_id for row in ended),
        "resources": array(row.resource_id for row in ended),
        "moments": array(moments),
        "starts": array(term and term.start for term in terms),
        "ends": array(term and term.end for term in terms),
        "expiries": array(term and expiries[term].expires_at for term in terms),
        "steps": array(term and expiries[term].steps_at for term in terms),
        "notices": array(term and expiries[term].told_after(at) for term, at in zip(terms, moments, strict=True)),
    }
    with prepared.cursor() as cursor:
        cursor.execute(_ENABLE, given)


@dataclass(frozen=True, slots=True)
class _Expiry:
    """What follows from the expiry of a term, worked out once for all that end together."""

    expires_at: datetime
    steps_at: datetime
    told_at: tuple[datetime, ...]

    def told_after(self, at: datetime) -> datetime | None:
        """The first notice of the expiry after a moment."""
        return next((moment for moment in self.told_at if moment > at), None)


def _expiry(term: Term) -> _Expiry:
    return _Expiry(term.expires_at, life.day_after(term.end), life.notices(term.end))


def _terms(ended: list[_Ended], due: dict[int, Ending]) -> list[Term | None]:
    """The first term of each, as `provisioning.first_term` has it; the same for all of a day and a length."""
    known: dict[tuple[date, TermLength | None], Term | None] = {}
    found = []
    for row in ended:
        starts_at = due[row.order_id].starts_at
        length = _length(row.type, row.billing_mode, row.term_unit, row.term_count, row.trial_days)
        key = clock.platform_date(starts_at), length
        if key not in known:
            known[key] = Term.first(starts_at=starts_at, length=length) if length else None
        found.append(known[key])
    return found


@lru_cache(maxsize=256)
def _length(type_: str, billing_mode: str, unit: str, count: int | None, trial_days: int | None) -> TermLength | None:
    if type_ == OrderType.TRIAL:
        return TermLength(trial_days or 0, TermUnit.DAY)
    if billing_mode == BillingMode.PERIOD and count:
        return TermLength(count, TermUnit(unit))
    return None


def _notices(ended: list[_Ended], due: dict[int, Ending]) -> list[Notice]:
    order_page = reverse("orders:detail", args=[_NUMBER])
    resource_page = reverse("orders:resource", args=[_NUMBER])
    notices = []
    for row in ended:
        at = due[row.order_id].at
        params = {"order": row.order_number, "product": row.product_name}
        notices += [
            Notice(
                account_id=row.account_id,
                kind="order_completed",
                params=params,
                link=order_page.replace(_NUMBER, row.order_number),
                key=f"order-completed:{row.order_number}",
                at=at,
                user_ids=[row.user_id] if row.user_id else [],
                mail=False,
            ),
            Notice(
                account_id=row.account_id,
                kind="resource_ready",
                params={**params, "resource": row.resource_number},
                link=resource_page.replace(_NUMBER, row.resource_number),
                key=f"resource-ready:{row.resource_number}",
                at=at,
            ),
        ]
    return notices


def _publish(ended: list[_Ended], due: dict[int, Ending]) -> None:
    """Tell the rooms above, if any of them listens: only then are the rows fetched."""
    if events.is_heard(OrderCompleted):
        for order in Order.objects.filter(pk__in=list(due)):
            events.publish(OrderCompleted(order=order, at=due[order.pk].at))
    if events.is_heard(ResourceReady):
        moments = {row.resource_id: due[row.order_id].at for row in ended}
        for resource in Resource.objects.filter(pk__in=list(moments)):
            events.publish(ResourceReady(resource=resource, at=moments[resource.pk]))
