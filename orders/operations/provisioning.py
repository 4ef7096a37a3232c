"""What payment starts: resources, calls to sellers' servers, and how delivery ends (purchase.md)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.rules.terms import Term, TermLength, TermUnit, add_months
from catalog.queries import Configuration
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel import events, ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.notifications.operations import notify
from orders.events import ResourceReady
from orders.models import InterfaceCall, Order, OrderLine, Resource, ResourceTerm
from orders.operations import completing, interface_calls
from orders.operations.moving import tell
from orders.queries.orders import order_locked
from orders.rules import life
from orders.saas.activities import Activity, expire_time
from orders.states import RESOURCE_MOVES, OrderStep, OrderType, ResourceStatus


def start(call: Call, *, order: Order) -> None:
    """Begin the delivery of a locked order that just left Pending payment, in its transaction.

    Supervised products wait for their service flow, SaaS that was paid for the seller's server; pay-per-use, packages
    and products with a hand-over text are there at once.
    """
    line = order.line
    if line.supervised:
        _create(call, order, line, status=ResourceStatus.IN_DELIVERY)
    elif order.product.has_interface and line.billing_mode != BillingMode.ON_DEMAND:
        request_instance(call, order, line, resource=None)
    else:
        resource = make_ready(call, order, line)
        if order.product.has_interface:
            request_instance(call, order, line, resource=resource)


def request_instance(call: Call, order: Order, line: OrderLine, *, resource: Resource | None) -> InterfaceCall:
    """Write the `newInstance` call of a line; a worker makes it after commit."""
    return interface_calls.enqueue(
        call,
        activity=Activity.NEW_INSTANCE,
        product=order.product,
        order=order,
        line=line,
        resource=resource,
        key=f"{Activity.NEW_INSTANCE}:{line.number}",
        parameters=_creation_parameters(order, line, at=call.at),
    )


def _creation_parameters(order: Order, line: OrderLine, *, at: datetime) -> dict[str, str]:
    """Parameters of both versions; contact data are added to each try, as far as the buyer's consent goes then."""
    term = first_term(order, line, at=at)
    parameters = {
        "orderId": order.number,
        "orderLineId": line.number,
        "customerId": order.account.number,
        "customerName": order.account.name,
        "productId": line.product_code,
        "skuCode": line.sku_code[:64],
        "chargingMode": line.billing_mode,
        "periodType": line.term_unit,
        "periodNumber": str(line.term_count or ""),
        "trialFlag": "1" if order.type == OrderType.TRIAL else "0",
        "expireTime": expire_time(term.expires_at) if term else "",
        "amount": format(line.total.rounded().amount, "f"),
    }
    return {name: value for name, value in parameters.items() if value}


def make_ready(call: Call, order: Order, line: OrderLine, *, instance_id: str = "") -> Resource:
    """A resource that can be used from now on, its order Completed, buyer and rooms above told."""
    resource = _create(call, order, line, status=ResourceStatus.ENABLED, instance_id=instance_id)
    _begin_term(resource, order, line, at=call.at)
    tell(order, OrderStep.DELIVERED, at=call.at)
    completing.complete(call, order=order)
    events.publish(ResourceReady(resource=resource, at=call.at))
    _tell_ready(resource, at=call.at)
    return resource


@operation("finishDelivery", resource_type="Order", roles={Role.SYSTEM}, targets={"order": order_locked})
def finish_delivery(call: Call, *, order: Order, starts_at: datetime) -> Resource:
    """Complete a supervised order: its resource can be used from now on, its term runs from `starts_at`.

    Raises `Refused("state_move")` unless order and resource are in delivery.
    """
    line = order.line
    resource = line.resources.select_for_update(of=("self",), no_key=True).get(item=1)
    move(resource, ResourceStatus.ENABLED, enabled_at=call.at)
    _begin_term(resource, order, line, at=starts_at)
    tell(order, OrderStep.DELIVERED, at=call.at)
    completing.complete(call, order=order)
    events.publish(ResourceReady(resource=resource, at=call.at))
    _tell_ready(resource, at=call.at)
    return resource


def _tell_ready(resource: Resource, *, at: datetime) -> None:
    notify(
        account_id=resource.account_id,
        kind="resource_ready",
        params={"order": resource.order_number, "product": resource.product_name, "resource": resource.number},
        link=resource.get_absolute_url(),
        key=f"resource-ready:{resource.number}",
        at=at,
    )


def instance_created(call: Call, *, order: Order, line: OrderLine, instance_id: str) -> Resource:
    """The instance exists: the resource is ready, or learns its instance; then its information is asked for.

    A resource that was closed meanwhile has its instance released.
    """
    resource = line.resources.select_for_update(of=("self",), no_key=True).select_related("product").first()
    if resource is None:
        resource = make_ready(call, order, line, instance_id=instance_id)
    else:
        resource.instance_id = instance_id
        resource.save(update_fields=["instance_id"])
    if resource.closed_at is None:
        ask_information(call, resource, line=line)
    else:
        release_instance(call, order=order, line=line, instance_id=instance_id, resource=resource)
    return resource


def ask_information(call: Call, resource: Resource, *, line: OrderLine) -> InterfaceCall:
    """Write the `queryInstance` call that brings the application information."""
    return interface_calls.enqueue(
        call,
        activity=Activity.QUERY_INSTANCE,
        product=resource.product,
        order=line.order,
        line=line,
        resource=resource,
        key=f"{Activity.QUERY_INSTANCE}:{resource.number}",
        parameters={"instanceId": resource.instance_id},
    )


def release_instance(
    call: Call, *, order: Order, line: OrderLine, instance_id: str, resource: Resource | None = None
) -> InterfaceCall:
    """Write the `releaseInstance` call for an instance that nobody uses any more."""
    return interface_calls.enqueue(
        call,
        activity=Activity.RELEASE_INSTANCE,
        product=order.product,
        order=order,
        line=line,
        resource=resource,
        key=release_key(line, instance_id),
        parameters=release_parameters(order.number, line, instance_id),
    )


def release_key(line: OrderLine, instance_id: str) -> str:
    """What makes the release of an instance one."""
    return f"{Activity.RELEASE_INSTANCE}:{line.number}:{instance_id}"


def release_parameters(order_number: str, line: OrderLine, instance_id: str) -> dict[str, str]:
    """What the seller's server is told about an instance to release."""
    return {
        "instanceId": instance_id,
        "orderId": order_number,
        "orderLineId": line.number,
        "productId": line.product_code,
    }


def _create(call: Call, order: Order, line: OrderLine, *, status: ResourceStatus, instance_id: str = "") -> Resource:
    configuration = Configuration.from_json(line.configuration)
    package = configuration.package
    ends = _package_end(package.months, at=call.at) if package and status is ResourceStatus.ENABLED else None
    return Resource.objects.create(
        number=ids.public_id(),
        account=order.account,
        line=line,
        order_number=order.number,
        product=order.product,
        seller=order.seller,
        product_name=order.product_name,
        spec_text=line.spec_text,
        delivery_method=line.delivery_method,
        billing_mode=line.billing_mode,
        supervised=line.supervised,
        trial=order.type == OrderType.TRIAL,
        status=status,
        enabled_at=call.at if status is ResourceStatus.ENABLED else None,
        purchased_at=order.paid_at or call.at,
        instance_id=instance_id,
        handover_text=order.product.handover_text,
        handover_text_zh=order.product.handover_text_zh,
        quota=package.quota * line.items if package else None,
        expires_at=ends,
        **life.due_columns(ends, after=call.at),
        project_code=order.project_code,
        tags=order.tags,
    )


def _package_end(months: int, *, at: datetime) -> datetime:
    return clock.day_end(add_months(day=clock.platform_date(at), months=months))


def first_term(order: Order, line: OrderLine, *, at: datetime) -> Term | None:
    """The term that begins when the line is delivered at `at`; None for what does not expire by term."""
    if order.type == OrderType.TRIAL:
        configuration = Configuration.from_json(line.configuration)
        return Term.first(starts_at=at, length=TermLength(configuration.trial_days, TermUnit.DAY))
    if line.billing_mode == BillingMode.PERIOD and line.term_count:
        return Term.first(starts_at=at, length=TermLength(line.term_count, TermUnit(line.term_unit)))
    return None


def _begin_term(resource: Resource, order: Order, line: OrderLine, *, at: datetime) -> None:
    term = first_term(order, line, at=at)
    if term is None:
        return
    resource.expires_at, resource.anchor_day = term.expires_at, term.anchor_day
    due = life.due_columns(term.expires_at, after=at)
    resource.life_due_at, resource.notice_due_at = due["life_due_at"], due["notice_due_at"]
    resource.save(update_fields=["expires_at", "anchor_day", "life_due_at", "notice_due_at"])
    ResourceTerm.objects.create(
        resource=resource,
        line=line,
        start=term.start,
        end=term.end,
        price=line.list_amount or Decimal(0),
        discount_share=line.discount_share,
        paid=line.amount,
        currency=line.currency,
    )


def move(resource: Resource, target: ResourceStatus, **columns: object) -> None:
    """Bring a locked resource to `target` and set `columns` with it. Raises `Refused("state_move")`."""
    RESOURCE_MOVES.check(resource.status_enum, target)
    resource.status = target
    for name, value in columns.items():
        setattr(resource, name, value)
    resource.save(update_fields=["status", *columns])
    describe(status=target.value)
