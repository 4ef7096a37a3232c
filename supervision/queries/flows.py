"""Flows and appeals as their buyer, their seller and operations may know them (R20)."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Missing
from supervision.models import Appeal, Flow
from supervision.states import OVER_STEPS

NOBODY = 0
RELATED = ("order", "line", "seller", "order__product", "order__seller")


def flows_of(account_id: int | None) -> QuerySet[Flow]:
    """The flows of what an account ordered."""
    return Flow.objects.filter(account_id=account_id or NOBODY).select_related(*RELATED)


def flows_of_seller(account_id: int | None) -> QuerySet[Flow]:
    """The flows of what was ordered from the seller that an account is."""
    return Flow.objects.filter(seller__account_id=account_id or NOBODY).select_related(*RELATED, "account")


def unfinished() -> QuerySet[Flow]:
    """Every flow that is neither completed nor canceled, for the platform."""
    return Flow.objects.exclude(step__in=OVER_STEPS).select_related(*RELATED, "order__account", "seller__account")


def own_flow(call: Call, number: Any) -> Flow:
    """A flow of the calling account. Raises `Missing`."""
    return _one(flows_of(call.account_id), number)


def sold_flow(call: Call, number: Any) -> Flow:
    """A flow of the calling seller. Raises `Missing`."""
    return _one(flows_of_seller(call.account_id), number)


def party_flow(call: Call, number: Any) -> Flow:
    """A flow as the caller's role may know it: the buyer's own, the seller's own, any for operations."""
    return _one(_visible(call), number)


def own_flow_locked(call: Call, number: Any) -> Flow:
    """A flow of the calling account, locked for a move. Raises `Missing`."""
    return _one(_lock(flows_of(call.account_id)), number)


def sold_flow_locked(call: Call, number: Any) -> Flow:
    """A flow of the calling seller, locked for a move. Raises `Missing`."""
    return _one(_lock(flows_of_seller(call.account_id)), number)


def party_flow_locked(call: Call, number: Any) -> Flow:
    """A flow as the caller's role may know it, locked. Raises `Missing`."""
    return _one(_lock(_visible(call)), number)


def flow_locked(call: Call, number: Any) -> Flow:
    """Any flow, locked, for the platform and operations. Raises `Missing`."""
    return _one(_lock(Flow.objects.select_related(*RELATED, "account")), number)


def appeal_locked(call: Call, number: Any) -> Appeal:
    """Any appeal with its flow, both locked, for operations; the flow first, as every move does. Raises `Missing`."""
    flow_id = Appeal.objects.filter(number=str(number)[:24]).values_list("flow_id", flat=True).first()
    if flow_id is None:
        raise Missing(f"appeal {number}")
    flow = _lock(Flow.objects.select_related(*RELATED, "account")).get(pk=flow_id)
    appeal = Appeal.objects.select_for_update(of=("self",), no_key=True).get(number=str(number)[:24])
    appeal.flow = flow
    return appeal


def undecided_appeal(flow: Flow) -> Appeal | None:
    """The appeal that a flow waits for."""
    return flow.appeals.filter(state__in=["open", "proposed"]).first()


def _visible(call: Call) -> QuerySet[Flow]:
    if call.role is Role.BUYER:
        return flows_of(call.account_id)
    if call.role is Role.SELLER:
        return flows_of_seller(call.account_id)
    if call.role in (Role.OPERATOR, Role.SYSTEM):
        return Flow.objects.select_related(*RELATED, "account")
    return Flow.objects.none()


def _lock(flows: QuerySet[Flow]) -> QuerySet[Flow]:
    return flows.select_for_update(of=("self",), no_key=True)


def _one(flows: QuerySet[Flow], number: Any) -> Flow:
    flow = flows.filter(number=str(number)[:30]).first()
    if flow is None:
        raise Missing(f"service flow {number}")
    return flow
