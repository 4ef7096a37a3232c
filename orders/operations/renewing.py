"""Renewing and changing a resource: orders of type RENEW and CHANGE from a signed quote (subscriptions.md)."""

from __future__ import annotations

from datetime import datetime

from catalog import queries as catalog
from koogallery.identity import queries as identity
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.events import OrderPlaced
from orders.models import Order, Resource
from orders.operations import cancelling, change_checks, paying, placing, taking_effect
from orders.queries import renewing as queries
from orders.queries.follow_ups import own_resource_and_follow_ups_locked
from orders.rules.quote import SignedQuote, open_quote
from orders.states import CancelReason, OrderState, OrderType


def renew(call: Call, *, resource: str, quote: SignedQuote) -> Order:
    """Place the order of a quoted renewal. Where it changes the specification, the seller's server is asked first.

    Call it outside of any transaction. Raises `Refused` as `place_renewal` does.
    """
    change_checks.before_placing(call, "renewOrder", resource=resource, quote=quote)
    return place_renewal(call, resource=resource, quote=quote)


def change(call: Call, *, resource: str, quote: SignedQuote) -> Order:
    """Ask the seller's server and place the order of a quoted change within the term.

    Call it outside of any transaction. Raises `Refused` as `place_change` does.
    """
    change_checks.before_placing(call, "changeOrder", resource=resource, quote=quote)
    return place_change(call, resource=resource, quote=quote)


@operation(
    "renewOrder",
    resource_type="Order",
    roles={Role.BUYER},
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
    default_allowed=True,
)
def place_renewal(call: Call, *, resource: Resource, quote: SignedQuote) -> Order:
    """Place the order of a quoted renewal, with or without a change of the specification.

    A quote becomes at most one order. Raises `Refused`: a changed price of an expired quote, why the resource cannot be
    renewed, what the seller's server has against the change, a missing payment method, a frozen account.
    """
    return _place(call, resource, quote, OrderType.RENEW)


@operation(
    "changeOrder",
    resource_type="Order",
    roles={Role.BUYER},
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def place_change(call: Call, *, resource: Resource, quote: SignedQuote) -> Order:
    """Place the order of a quoted change within the term. Raises `Refused` as `place_renewal` does."""
    return _place(call, resource, quote, OrderType.CHANGE)


@operation(
    "cancelRenewal",
    resource_type="Order",
    roles={Role.BUYER},
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def cancel_renewal(call: Call, *, resource: Resource) -> Order:
    """Cancel a change upon renewal before it takes effect: all that was paid for it is refunded.

    Raises `Refused("renewal_not_waiting")`, also once its time has come (R19).
    """
    waiting = queries.waiting_change(resource)
    order = None
    if waiting is not None and not waiting.is_effective(call.at):
        order = taking_effect.give_up_waiting(call, resource, reason=CancelReason.BUYER)
    if order is None:
        raise Refused("renewal_not_waiting")
    describe(order=order.number)
    return order


def _place(call: Call, resource: Resource, signed: SignedQuote, order_type: OrderType) -> Order:
    quoted = open_quote(signed, account_id=call.account_id)
    if quoted.resource != resource.number or quoted.type is not order_type:
        raise Refused("quote_invalid")
    account, in_force = identity.ordering_account(call.account.pk, at=call.at)
    if (placed := Order.objects.filter(quote_id=quoted.quote_id).first()) is not None:
        describe(resource=placed, number=placed.number, repeated=True)
        return placed
    if account.is_frozen:
        raise Refused("account_frozen")
    taking_effect.bring_due_change_into_effect(resource, at=call.at)
    cancel_overdue(resource, at=call.at)
    quoted = queries.still_true(quoted, resource, at=call.at)
    change_checks.check_agreed(resource, quoted)
    configuration = catalog.Configuration.from_json(quoted.configuration)
    if placing.needs_payment_method(account, quoted, configuration) and not placing.has_payment_method(account):
        raise Refused("no_payment_method")
    order = placing.write(
        call,
        account,
        resource.product,
        quoted,
        configuration,
        in_force,
        project=resource.project_code,
        tags=resource.tags,
        resource=resource,
    )
    describe(resource=order, number=order.number, amount=order.total, state=order.state, of=resource.number)
    events.publish(OrderPlaced(order=order, at=call.at))
    if (paid_by := placing.goes_straight_on(order, configuration)) is not None:
        paying.go_on(call, order, paid_by=paid_by)
    return order


def cancel_overdue(resource: Resource, *, at: datetime) -> None:
    """Cancel the renewals and changes of a locked resource that were not paid in time, ahead of the sweep (R19)."""
    overdue = Order.objects.select_for_update(of=("self",)).filter(
        lines__resource=resource, state=OrderState.PENDING_PAYMENT, payment_due_at__lte=at
    )
    if found := list(overdue.order_by("pk").values_list("pk", flat=True)):
        cancelling.expire_unpaid(found, at)


def cancel_unpaid(call: Call, resource: Resource, *, only: OrderType | None = None, changing: bool = False) -> None:
    """Cancel the unpaid renewals and changes of a locked resource that left the state they need.

    `only` those of a type; of the renewals, `changing` takes only those that change the specification, too.
    """
    cancel_overdue(resource, at=call.at)
    orders = Order.objects.select_for_update(of=("self",)).filter(
        lines__resource=resource, state=OrderState.PENDING_PAYMENT
    )
    if only is not None:
        orders = orders.filter(type=only)
    if changing:
        orders = orders.filter(form__changes="1")
    for order in orders.order_by("pk"):
        cancelling.cancel(call, order, reason=CancelReason.RESOURCE, at=call.at)
