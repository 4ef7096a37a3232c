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
from unsubscriptions.rules.eligibility import Renewal, Standing
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
    made = returns.resources_by_line(keys)
    resources = {line_id: each[0] for line_id, each in made.items()}
    in_use = [resource.pk for resource in resources.values() if resource.status_enum.is_in_use]
    follow_ups = returns.follow_ups_of(in_use, at=at) if in_use else {}
    ahead = [each.line for found in follow_ups.values() for each in found if each.is_unstarted]
    money = returnables({line.number: line.currency for line in [*lines, *ahead]})
    busy = returns.busy_with(in_use, at=at) if in_use else {}
    in_force = policies.in_force(at) if in_use else PolicySet()
    invoices = live_invoices([line.number for line in [*lines, *ahead]])
    found = {}
    for line in lines:
        resource = resources.get(line.pk)
        order, flow = line.order, flow_of(line)
        followed = follow_ups.get(resource.pk, []) if resource is not None else []
        renewals = [
            Renewal(each.line, money[each.line.number].actual_payment) for each in followed if each.is_unstarted
        ]
        renewals = [renewal for renewal in renewals if renewal.paid.amount > 0]
        asked_of = [each for each in [line, *(renewal.line for renewal in renewals)] if _needs_invoice_back(each)]
        found[line.number] = Standing(
            way=way_of(line),
            agreement=Way(agreements[line.pk]) if line.pk in agreements else None,
            supervised=line.supervised,
            billing_mode=line.billing_mode,
            order_type=OrderType(order.type),
            order_state=order_state(order, flow, at),
            is_unsubscribed=order.unsubscribed_at is not None or line.pk in given,
            is_account_frozen=bool(account is not None and account.is_frozen),
            is_flow_frozen=flow is not None and flow.stopped_at(at) is not None,
            resource_status=ResourceStatus(resource.status_at(at, in_force)) if resource is not None else None,
            total=line.total,
            limit=money[line.number].actual_payment,
            open_request=asked.get(line.pk, ""),
            busy_order=busy.get(resource.pk, "") if resource is not None else "",
            invoice=next((invoices[each.number].number for each in asked_of if each.number in invoices), ""),
            follow_up=next((each.line.order.number for each in followed if not each.is_unstarted), ""),
            is_several=len(made.get(line.pk, ())) > 1,
            renewals=tuple(renewals),
        )
    return found


def agreed_way_of(line: Any) -> Way | None:
    """What the special agreement with a line said when the line was read, for its pages; None without one."""
    return Way(line.agreed_way) if line.agreed_way else None


def way_of(line: Any) -> Way:
    """How a line is given back by the matrix of its order's policies."""
    return matrix.way(
        method=line.delivery_method,
        supervised=line.supervised,
        billing_mode=line.billing_mode,
        matrix=line.order.policies["unsub.matrix"],
    )


def _needs_invoice_back(line: Any) -> bool:
    return bool(line.order.policies["unsub.require_invoice_return"])


def money_of(line: Any) -> Returnable:
    """What of a line can be given back now."""
    return returnables({line.number: line.currency})[line.number]


def order_state(order: Any, flow: Any, at: datetime) -> OrderState:
    """Where an order stands at a moment; a passed completion binds before the sweep has run (R19)."""
    if flow is not None and order.state == OrderState.PROCESSING:
        return order_after(flow.shown_step(at))
    return order.shown_state(at)
