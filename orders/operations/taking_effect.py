"""What a paid renewal or change does to its resource, in the transaction of the payment.

A renewal adds a term; a change replaces the configuration within the paid terms; a change upon renewal waits for the
00:00:00 after the current expiry, its order Processing until then.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.utils import translation

from billing.operations import refunding
from billing.rules.changes import full_prices
from billing.rules.explanation import to_decimal
from billing.rules.terms import Term
from catalog.queries import Configuration
from koogallery import clock
from koogallery.kernel import events, policies
from koogallery.kernel.addresses import Address
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify, notify_many
from orders.events import ResourceRenewed
from orders.models import InterfaceCall, Order, RenewalChange, Resource, ResourceTerm
from orders.operations import cancelling, completing, interface_calls
from orders.operations.moving import tell
from orders.queries import renewing as queries
from orders.queries.orders import order_locked
from orders.queries.resources import resource_locked
from orders.rules import life
from orders.saas.activities import Activity, InstanceStatus, Scene, expire_time
from orders.states import CancelReason, OrderStep, OrderType, RenewalChangeState, ResourceStatus

_SOLD = Address("orders:seller_detail")
_CHANGED_BY_RENEWAL = [
    "status", "expires_at", "anchor_day", "life_due_at", "notice_due_at", "configuration", "spec_text",
    "expiration_policy",
]  # fmt: skip


def take_effect(call: Call, order: Order) -> None:
    """Do what a renewal or change that was just paid is for. Raises `Refused` when its resource is no longer fit."""
    assert order.line.resource is not None
    resource = resource_locked(call, order.line.resource.number)
    if order.type == OrderType.CHANGE:
        _check_alive(resource, order, call)
        change(call, order, resource)
        completing.complete(call, order=order)
    elif order.form.get("changes"):
        _check_alive(resource, order, call)
        _let_wait(call, order, resource)
    else:
        _check_alive(resource, order, call)
        renew(call, order, resource)
        completing.complete(call, order=order)


def _check_alive(resource: Resource, order: Order, call: Call) -> None:
    refused = _why_outlived(resource, order, at=call.at)
    if refused is not None:
        raise refused


def why_outlived(order: Order, *, at: datetime) -> Refused | None:
    """Why a renewal or change can no longer take effect: its resource left the state that it was placed for (R19)."""
    resource = order.line.resource
    return _why_outlived(resource, order, at=at) if resource is not None else None


def _why_outlived(resource: Resource, order: Order, *, at: datetime) -> Refused | None:
    if queries.goes_by_use(resource, at):
        return Refused("renewal_no_term")
    status = resource.status_at(at, policies.in_force(at))
    needs_term = order.type == OrderType.CHANGE or order.form.get("changes")
    fit = status is ResourceStatus.ENABLED if needs_term else status.is_in_use
    return None if fit else Refused("order_outlived", state=status.label)


# Renewal


def renew(call: Call, order: Order, resource: Resource) -> ResourceTerm:
    """Add the term that a renewal bought: after the original expiry, with the kept anchor day (R3)."""
    line = order.line
    terms = queries.terms_of(resource)
    length = queries.parse_length(order.form["length"])
    unified = queries.parse_day(order.form.get("unified", ""))
    last = queries.last_term(resource, terms)
    term = last.renewed(length=length, unified_day=unified)
    plain = last.renewed(length=length)
    added = ResourceTerm.objects.create(
        resource=resource,
        line=line,
        start=term.start,
        end=term.end,
        extra_days=(term.end - plain.end).days,
        price=queries.full_price(line.configured, length),
        discount_share=line.discount_share,
        paid=line.amount,
        currency=line.currency,
    )
    was = resource.status_enum
    prolong(call, resource, term)
    if was is ResourceStatus.RETENTION:
        unfrozen = tell_instance(call, resource, order, status=InstanceStatus.UNFREEZE)
        if unfrozen is None:
            notify_many([seller_asked(resource, kind="resource_to_unfreeze", at=call.at)])
    refresh_instance(call, resource, order, scene=Scene.RENEWAL)
    notify(
        account_id=resource.account_id,
        kind="resource_renewed",
        params=told_of(resource) | {"order": order.number, "amount": order.total},
        link=resource.get_absolute_url(),
        key=f"resource-renewed:{order.number}",
        at=call.at,
    )
    events.publish(ResourceRenewed(resource=resource, order=order, at=call.at))
    describe(expires=resource.expires_at)
    return added


def prolong(call: Call, resource: Resource, term: Term) -> None:
    """Let a locked resource run until the end of a term; its due times follow, its auto-renewal as well."""
    resource.expires_at, resource.anchor_day = term.expires_at, term.anchor_day
    resource.status = ResourceStatus.ENABLED
    columns = life.due_columns(term.expires_at, after=call.at)
    for name, value in columns.items():
        setattr(resource, name, value)
    resource.save(update_fields=["expires_at", "anchor_day", "status", *columns])


# Change within the term


def change(call: Call, order: Order, resource: Resource) -> None:
    """Bring the new configuration into force; the terms it was quoted for carry its full price, the expiry stays."""
    reconfigure(call, resource, order.line.configured)
    prices = full_prices(order.line.explanation)
    for term in queries.terms_of(resource):
        if term.start in prices:
            term.price = to_decimal(prices[term.start])
            term.save(update_fields=["price"])
    _upgrade_instance(call, resource, order)
    notify(
        account_id=resource.account_id,
        kind="resource_changed",
        params=told_of(resource) | {"order": order.number, "amount": order.total},
        link=resource.get_absolute_url(),
        key=f"resource-changed:{order.number}",
        at=call.at,
    )


def reconfigure(call: Call, resource: Resource, configuration: Configuration) -> None:
    """Give a locked resource another configuration."""
    describe(was=resource.configured.spec_text, configuration=configuration.spec_text)
    resource.configuration = configuration.to_json()
    with translation.override("en"):
        resource.spec_text = configuration.spec_text[:300]
    resource.save(update_fields=["configuration", "spec_text"])


def _upgrade_instance(call: Call, resource: Resource, order: Order) -> None:
    """Have the seller's server change the instance; without one the seller is asked to do it by hand."""
    if not resource.instance_id or not resource.product.has_interface:
        notify_many([seller_asked(resource, kind="resource_to_change", at=call.at, order=order)])
        return
    configuration = order.line.configured
    _enqueue(
        call,
        resource,
        order,
        Activity.UPGRADE_INSTANCE,
        {
            "instanceId": resource.instance_id,
            "orderId": order.number,
            "orderLineId": order.line.number,
            "skuCode": configuration.sku_code,
            "productId": order.line.product_code,
        },
    )


# Change upon renewal


def _let_wait(call: Call, order: Order, resource: Resource) -> None:
    """Keep a paid change upon renewal until the term ends; until then the resource meets no grace."""
    assert resource.expires_at is not None
    at = life.day_after(clock.platform_date(resource.expires_at))
    RenewalChange.objects.create(
        resource=resource, order=order, state=RenewalChangeState.WAITING, effective_at=at, effective_due_at=at
    )
    resource.life_due_at = resource.notice_due_at = None
    resource.save(update_fields=["life_due_at", "notice_due_at"])
    notify(
        account_id=resource.account_id,
        kind="renewal_change_waits",
        params=told_of(resource) | {"order": order.number, "effective": at},
        link=resource.get_absolute_url(),
        key=f"renewal-change-waits:{order.number}",
        at=call.at,
    )


def bring_changes_into_effect(change_ids: list[int], upto: datetime) -> Collection[int]:
    """Let claimed changes upon renewal take effect, each at its time; called by the sweep.

    Answers those that are left for the next tick: somebody holds their order or resource.
    """
    claimed = RenewalChange.objects.filter(pk__in=change_ids).select_related("order", "resource")
    free = claimed.only("effective_at", "order__number", "resource__number").order_by("effective_at", "pk")
    taken = list(free.select_for_update(of=("order", "resource"), skip_locked=True))
    for change in taken:
        take_renewal_effect(system_call(at=change.effective_at), order=change.order.number)
    return set(change_ids) - {change.pk for change in taken}


@operation("takeRenewalEffect", resource_type="Order", roles={Role.SYSTEM}, targets={"order": order_locked})
def take_renewal_effect(call: Call, *, order: Order) -> Order:
    """A change upon renewal takes effect: the new term and configuration, `refreshInstance`, the order Completed."""
    waiting = RenewalChange.objects.select_for_update(of=("self",)).select_related("resource").get(order=order)
    if waiting.state != RenewalChangeState.WAITING:
        return order
    resource = resource_locked(call, waiting.resource.number)
    waiting.move(RenewalChangeState.EFFECTIVE, at=call.at)
    terms = queries.terms_of(resource)
    length = queries.parse_length(order.form["length"])
    term = queries.last_term(resource, terms).renewed(length=length)
    configuration = order.line.configured
    ResourceTerm.objects.create(
        resource=resource,
        line=order.line,
        start=term.start,
        end=term.end,
        price=queries.full_price(configuration, length),
        discount_share=order.line.discount_share,
        paid=order.line.amount,
        currency=order.line.currency,
    )
    reconfigure(call, resource, configuration)
    prolong(call, resource, term)
    if refresh_instance(call, resource, order, scene=Scene.RENEWAL_CHANGE) is None:
        notify_many([seller_asked(resource, kind="resource_to_change", at=call.at, order=order)])
    completing.complete(call, order=order)
    events.publish(ResourceRenewed(resource=resource, order=order, at=call.at))
    notify(
        account_id=resource.account_id,
        kind="renewal_change_effective",
        params=told_of(resource) | {"order": order.number},
        link=resource.get_absolute_url(),
        key=f"renewal-change-effective:{order.number}",
        at=call.at,
    )
    return order


def bring_due_change_into_effect(resource: Resource, *, at: datetime) -> None:
    """Let the change upon renewal of a locked resource take effect once its time has come, ahead of the sweep (R19)."""
    due = RenewalChange.objects.filter(resource=resource, state=RenewalChangeState.WAITING, effective_at__lte=at)
    for number, effective_at in due.values_list("order__number", "effective_at"):
        take_renewal_effect(system_call(at=effective_at), order=number)
        resource.refresh_from_db(fields=_CHANGED_BY_RENEWAL)


def give_up_waiting(call: Call, resource: Resource, *, reason: CancelReason) -> Order | None:
    """Cancel and refund the change upon renewal that waits for a locked resource; both sides are told.

    The resource's own term counts again. Answers the canceled order, None when nothing waits.
    """
    waiting = (
        RenewalChange.objects.select_for_update(of=("self",))
        .filter(resource=resource, state=RenewalChangeState.WAITING)
        .first()
    )
    if waiting is None:
        return None
    order = order_locked(call, waiting.order.number)
    waiting.move(RenewalChangeState.CANCELED, at=call.at)
    columns = life.due_columns(resource.expires_at, after=call.at)
    for name, value in columns.items():
        setattr(resource, name, value)
    resource.save(update_fields=list(columns))
    cancelling.cancel(call, order, reason=reason, at=call.at)
    if order.amount:
        code = "renewal_canceled" if reason is CancelReason.BUYER else "resource_ended"
        refunding.refund_all(call, order_number=order.number, reason=code, key=f"renewal:{order.number}")
        tell(order, OrderStep.REFUNDED, at=call.at, note=str(order.total))
    told = told_of(resource) | {"order": order.number, "amount": order.total}
    notices = [
        Notice(
            account_id=account_id,
            kind=kind,
            params=told,
            link=link,
            key=f"{kind}:{order.number}",
            at=call.at,
        )
        for account_id, kind, link in (
            (resource.account_id, "renewal_change_refunded", order.get_absolute_url()),
            (order.seller.account_id, "renewal_change_given_up", _SOLD(order.number)),
        )
    ]
    notify_many(notices)
    describe(canceled=order.number, refunded=order.total)
    return order


# Sellers' servers


def refresh_instance(call: Call, resource: Resource, order: Order, *, scene: Scene) -> InterfaceCall | None:
    """Tell the seller's server the new expiry; None where there is no instance."""
    if not resource.instance_id or not resource.product.has_interface or resource.expires_at is None:
        return None
    return _enqueue(
        call,
        resource,
        order,
        Activity.REFRESH_INSTANCE,
        {
            "scene": scene.value,
            "orderId": order.number,
            "orderLineId": order.line.number,
            "instanceId": resource.instance_id,
            "productId": order.line.product_code,
            "expireTime": expire_time(resource.expires_at),
        },
    )


def tell_instance(call: Call, resource: Resource, order: Order, *, status: InstanceStatus) -> InterfaceCall | None:
    """Have the seller's server freeze or unfreeze the instance; None where there is none.

    An earlier order to do so is ended; one that is being given right now is waited for.
    """
    if not resource.instance_id:
        return None
    busy_until = interface_calls.supersede([resource.pk], at=call.at)
    if not resource.product.has_interface:
        return None
    return _enqueue(
        call,
        resource,
        order,
        Activity.UPDATE_INSTANCE_STATUS,
        {"instanceId": resource.instance_id, "status": status.value},
        key=f"{status}:{resource.number}:{call.at.isoformat()}",
        not_before=busy_until,
    )


def seller_asked(resource: Resource, *, kind: str, at: datetime, order: Order | None = None) -> Notice:
    """The work item of a seller for a resource without an instance about which the platform could call.

    It names the `order` that caused it, else the one that the resource was bought by.
    """
    return work_item(
        seller_account_id=resource.seller.account_id,
        kind=kind,
        params=told_of(resource),
        resource=resource.number,
        order=order.number if order is not None else resource.order_number,
        at=at,
    )


def work_item(
    *, seller_account_id: int, kind: str, params: dict[str, Any], resource: str, order: str, at: datetime
) -> Notice:
    """What a seller is to do by hand with a resource; its page is that of the order."""
    return Notice(
        account_id=seller_account_id,
        kind=kind,
        params={**params, "order": order},
        link=_SOLD(order),
        key=f"{kind}:{resource}:{at:%Y%m%d%H%M}",
        at=at,
    )


def _enqueue(
    call: Call,
    resource: Resource,
    order: Order,
    activity: Activity,
    parameters: dict[str, str],
    *,
    key: str = "",
    not_before: datetime | None = None,
) -> InterfaceCall:
    return interface_calls.enqueue(
        call,
        activity=activity,
        product=resource.product,
        order=order,
        line=order.line,
        resource=resource,
        key=key or f"{activity}:{order.line.number}",
        parameters=parameters,
        not_before=not_before,
    )


def told_of(resource: Resource) -> dict[str, Any]:
    """What messages about a resource name."""
    return {
        "product": resource.product_name,
        "specification": resource.spec_text,
        "resource": resource.number,
        "expires": resource.expires_at,
    }
