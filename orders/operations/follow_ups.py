"""What becomes of the renewals and changes of a resource that leaves the state they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from koogallery.kernel import prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call
from orders.models import Resource
from orders.operations import renewing, taking_effect
from orders.queries.resources import resource_locked
from orders.states import CancelReason, OrderType

_OPEN = """
SELECT l.resource_id, o.id, NULL::bigint FROM unnest(%s::bigint[]) AS g(id)
JOIN orders_orderline l ON l.resource_id = g.id JOIN orders_order o ON o.id = l.order_id AND o.state = 'pending_payment'
UNION
SELECT c.resource_id, c.order_id, c.id FROM unnest(%s::bigint[]) AS g(id)
JOIN orders_renewalchange c ON c.resource_id = g.id AND c.state = 'waiting'
"""
_LOCK = "SELECT id FROM {table} WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED"


def lock_at_once(resource_ids: Iterable[int]) -> tuple[set[int], set[int]]:
    """Lock the unpaid orders and the changes to come of resources that a sweep has claimed, without waiting for them.

    They are locked before a resource everywhere else, so whoever holds one may be waiting for the sweep. Answers the
    resources that have any, and those of which somebody holds one.
    """
    given = array(resource_ids)
    with prepared.cursor() as cursor:
        cursor.execute(_OPEN, [given, given])
        found = cursor.fetchall()
        orders = _locked(cursor, "orders_order", {order for _resource, order, _change in found})
        changes = _locked(cursor, "orders_renewalchange", {change for *_rest, change in found if change is not None})
    busy = {
        resource
        for resource, order, change in found
        if order not in orders or (change is not None and change not in changes)
    }
    return {resource for resource, *_rest in found}, busy


def _locked(cursor: Any, table: str, ids: Collection[int]) -> set[int]:
    if not ids:
        return set()
    cursor.execute(_LOCK.format(table=table), [array(ids)])
    return {row[0] for row in cursor.fetchall()}


def end_changes(call: Call, resource: Resource) -> None:
    """Cancel what a locked resource can no longer have once its term is over: unpaid changes, also those upon renewal.

    A plain renewal can still be paid in grace and retention.
    """
    renewing.cancel_unpaid(call, resource, only=OrderType.CHANGE)
    renewing.cancel_unpaid(call, resource, only=OrderType.RENEW, changing=True)


def end_all(call: Call, resource: Resource) -> None:
    """Cancel whatever would renew or change a locked resource that ends; a paid change upon renewal is refunded.

    One whose time has come takes effect first: it is not refunded any more (R19).
    """
    taking_effect.bring_due_change_into_effect(resource, at=call.at)
    renewing.cancel_unpaid(call, resource)
    taking_effect.give_up_waiting(call, resource, reason=CancelReason.RESOURCE)


def end_follow_ups(call: Call, resource_number: str, *, all_of_them: bool) -> None:
    """Do so for a resource that the caller has locked: everything, or only what needs its term."""
    resource = resource_locked(call, resource_number)
    (end_all if all_of_them else end_changes)(call, resource)
