"""What decides whether lines can be given back now, read for one line or for a whole list with the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.queries import Returnable, live_invoices, returnables
from koogallery.kernel import policies
from koogallery.kernel.policies import PolicySet
from orders.queries import returns
from orders.states import OrderState, OrderType, ResourceStatus
from supervision.rules.deciding import order_after
from unsubscriptions.models import Request, SpecialAgreement
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.rules import matrix
from unsubscriptions.rules.eligibility import Standing
from unsubscriptions.states import LIVE_STATES, RequestState, Way


def standing_of(line: Any, *, account: Any, at: datetime, answering: Request | None = None) -> Standing:
    """What decides about one line; `answering` is the request that is being answered, which does not count."""
    return standings_of([line], account=account, at=at, answering=answering)[line.number]


def standings_of(
    lines: Sequence[Any], *, account: Any, at: datetime, answering: Request | None = None
) -> dict[str, Standing]:
    """What decides about each of these lines of one account, by line number; as many queries for all as for one."""
    keys = [line.pk for line in lines]
    live = SpecialAgreement.objects.filter(line__in=keys, ended_at__isnull=True)
    agreements = dict(live.values_list("line_id", "way"))
    requests = Request.objects.filter(line__in=keys, state__in=LIVE_STATES)
    if answering is not None:
        requests = requests.exclude(pk=answering.pk)
    asked, given = {}, set()
    for line_id, number, state in requests.values_list("line_id", "number", "state"):
        if state == RequestState.REQUESTED:
            asked[line_id] = number
        else:
            given.add(line_id)
    money = returnables({line.number: line.currency for line in lines})
    resources = returns.first_resources(keys)
    in_use = [resource.pk for resource in resources.values() if resource.status_enum.is_in_use]
    busy = returns.busy_with(in_use, at=at) if in_use else {}
    in_force = policies.in_force(at) if in_use else PolicySet()
    invoices = live_invoices([line.number for line in lines])
    found = {}
    for line in lines:
        resource = resources.get(line.pk)
        order, flow = line.order, flow_of(line)
        by_policy = order.policies["unsub.require_invoice_return"]
        found[line.number] = Standing(
            way=way_of(line),
            agreement=Way(agreements[line.pk]) if line.pk in agreements else None,
            supervised=line.supervised,
            billing_mode=line.billing_mode,
            order_type=OrderType(order.type),
            order_state=_order_state(order, flow, at),
            is_unsubscribed=order.unsubscribed_at is not None or line.pk in given,
            is_account_frozen=bool(account is not None and account.is_frozen),
            is_flow_frozen=flow is not None and flow.stopped_at(at) is not None,
            resource_status=ResourceStatus(resource.status_at(at, in_force)) if resource is not None else None,
            total=line.total,
            limit=money[line.number].actual_payment,
            open_request=asked.get(line.pk, ""),
            busy_order=busy.get(resource.pk, "") if resource is not None else "",
            invoice=invoices[line.number].number if by_policy and line.number in invoices else "",
        )
    return found


def way_of(line: Any) -> Way:
    """How a line is given back by the matrix of its order's policies."""
    return matrix.way(
        method=line.delivery_method,
        supervised=line.supervised,
        billing_mode=line.billing_mode,
        matrix=line.order.policies["unsub.matrix"],
    )


def money_of(line: Any) -> Returnable:
    """What of a line can be given back now."""
    return returnables({line.number: line.currency})[line.number]


def _order_state(order: Any, flow: Any, at: datetime) -> OrderState:
    """Where an order stands at a moment; a passed completion binds before the sweep has run (R19)."""
    if flow is not None and order.state == OrderState.PROCESSING:
        return order_after(flow.shown_step(at))
    return order.shown_state(at)
