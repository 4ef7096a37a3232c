"""Whether a line can be given back by negotiation now, and why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.states import BillingMode
from koogallery.kernel.money import Money
from orders.states import OrderState, OrderType, ResourceStatus
from unsubscriptions.states import Way


@dataclass(frozen=True, slots=True)
class Renewal:
    """A paid renewal that has not started: its order line, and its actual payment, as it is given back whole."""

    line: Any
    paid: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides about a line: its table, its order, its flow, its resource, and what else goes on about it.

    `order_state` is the one at the moment of asking, whether or not sweeps have run; `agreement` a special agreement
    with this order. `limit` is the actual payment of the line itself; `renewals` that have not started go back whole
    with it. `busy_order`, `open_request`, `invoice` and `follow_up`, a renewal or change that counts now, are numbers,
    empty where there is none.
    """

    way: Way
    agreement: Way | None
    supervised: bool
    billing_mode: str
    order_type: OrderType
    order_state: OrderState
    is_unsubscribed: bool
    is_account_frozen: bool
    is_flow_frozen: bool
    resource_status: ResourceStatus | None
    total: Money
    limit: Money
    open_request: str = ""
    busy_order: str = ""
    invoice: str = ""
    follow_up: str = ""
    is_several: bool = False
    renewals: tuple[Renewal, ...] = ()

    @property
    def whole(self) -> Money:
        """What the renewals that have not started give back."""
        return sum((renewal.paid for renewal in self.renewals), Money.zero(self.limit.currency))


@dataclass(frozen=True, slots=True)
class Finding:
    """Why not: the code of a refusal and what its sentence names."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


def never(standing: Standing) -> Finding | None:
    """Why such a line is never negotiated, whatever happens to it; None for one that is."""
    if standing.agreement is Way.NEGOTIATED:
        return None
    if standing.agreement is Way.NEVER:
        return Finding("unsub_by_agreement")
    if standing.order_type is OrderType.TRIAL:
        return Finding("unsub_trial")
    if standing.order_type is not OrderType.NEW:
        return Finding("unsub_follow_up")
    if standing.way is Way.IMAGE:
        return Finding("unsub_image")
    if standing.way is Way.NEVER:
        return _never_by_table(standing)
    return None


def _never_by_table(standing: Standing) -> Finding:
    if standing.billing_mode == BillingMode.ON_DEMAND:
        return Finding("unsub_pay_per_use")
    if standing.billing_mode == BillingMode.ONE_TIME and not standing.supervised:
        return Finding("unsub_one_time")
    return Finding("unsub_never")


def forbidden(standing: Standing) -> Finding | None:
    """What a special agreement made since the request forbids, and what the states do: asked when the seller agrees."""
    return Finding("unsub_by_agreement") if standing.agreement is Way.NEVER else by_state(standing)


def why_not(standing: Standing) -> Finding | None:
    """Why the buyer cannot ask to give the line back now; None when it can."""
    if standing.is_account_frozen:
        return Finding("account_frozen")
    if standing.is_unsubscribed:
        return Finding("unsub_done")
    if (found := never(standing)) is not None:
        return found
    if not standing.total:
        return Finding("unsub_free")
    if standing.open_request:
        return Finding("unsub_open", {"number": standing.open_request})
    if (found := by_state(standing)) is not None:
        return found
    if standing.limit.amount <= 0:
        return Finding("unsub_nothing_left")
    return None


def by_state(standing: Standing) -> Finding | None:
    """What stands against it in the states of order, flow and resource; asked again when the seller agrees."""
    by_agreement = standing.agreement is Way.NEGOTIATED
    if standing.order_state is OrderState.COMPLETED and not by_agreement:
        return Finding("unsub_completed")
    if not standing.order_state.is_paid:
        return Finding("unsub_order_state", {"state": standing.order_state.label})
    if standing.order_state is OrderState.PROCESSING and not standing.supervised:
        return Finding("unsub_provisioning")
    if standing.is_flow_frozen:
        return Finding("flow_frozen")
    if standing.resource_status not in (None, ResourceStatus.IN_DELIVERY, ResourceStatus.ENABLED):
        return Finding("unsub_expired")
    if standing.busy_order:
        return Finding("unsub_busy", {"order": standing.busy_order})
    if standing.is_several:
        return Finding("unsub_several")
    if standing.follow_up:
        return Finding("unsub_renewed", {"order": standing.follow_up})
    if standing.invoice:
        return Finding("unsub_invoiced", {"number": standing.invoice})
    return None
