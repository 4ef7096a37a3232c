"""What sellers' servers ask of the platform: the details of an order, and taking in reports of usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F

from catalog.states import BillingMode, ProductState
from koogallery.identity import queries as identity
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing
from orders.models import Order, OrderLine, Resource, UsageRecord
from orders.operations import interface_calls, provisioning
from orders.queries.orders import sold_order
from orders.saas.order_information import OrderedProduct, OrderInformation
from orders.saas.usage import RecordCode, Usage, read_record
from orders.states import ResourceStatus

if TYPE_CHECKING:
    from catalog.models import Seller

METERED = (BillingMode.ON_DEMAND, BillingMode.ON_DEMAND_PKG)


@operation(
    "queryOrderInformation",
    resource_type="Order",
    roles={Role.SELLER},
    targets={"order": sold_order},
    read=True,
)
def order_information(call: Call, *, order: Order, line: str = "") -> OrderInformation:
    """An order as its seller's server asks for it. Raises `Missing` for a line that the order has not."""
    found = order.lines.select_related("order").filter(number=line[:30]).first() if line else order.line
    if found is None:
        raise Missing(f"order line {line}")
    return OrderInformation(
        order_id=order.number,
        order_type=order.type,
        created_at=order.placed_at,
        line=_ordered(order, found),
        customer_id=order.account.number,
        customer_name=order.account.name,
        contact=_contact(order),
    )


def _ordered(order: Order, line: OrderLine) -> OrderedProduct:
    given_back = line.reverses
    resource = (given_back or line).resources.first()
    term = None if given_back else provisioning.first_term(order, line, at=order.paid_at or order.placed_at)
    return OrderedProduct(
        line_id=line.number,
        charging_mode=line.billing_mode,
        period_type=line.term_unit,
        period_number=str(line.term_count or ""),
        expires_at=resource.expires_at if resource else (term.expires_at if term else None),
        product_id=line.product_code,
        product_name=line.product_name,
        sku_code=line.sku_code,
        quantity=format(line.quantity.normalize(), "f"),
        amount="" if given_back else format(line.list_total.rounded().amount, "f"),
        paid=format(line.total.rounded().amount, "f"),
    )


def _contact(order: Order) -> dict[str, str]:
    """The contact data that the buyer agreed to pass on; masked once the consent was withdrawn."""
    if not order.contact_kind:
        return {}
    consent = identity.consent_of_order(order.number, order.contact_kind)
    if consent is None:
        return {}
    name = interface_calls.CONTACT_PARAMETERS[consent.kind]
    return {"userId": consent.user.number, name: identity.contact_for_seller(consent)}


@operation("reportUsage", resource_type="Resource", roles={Role.SELLER}, sensitive={"records", "resources"})
def report_usage(
    call: Call, *, seller: Seller, records: Sequence[Any], resources: Sequence[Resource]
) -> list[tuple[int, RecordCode]]:
    """Keep the records of a report; answer the place and code of each that was not taken, the rest is kept.

    `resources` are those of any seller that the records name. A serial that was reported before is not kept again,
    whatever report brought it; a seller's reports are taken in one after the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"usage:{seller.pk}"])
    read = [read_record(record if isinstance(record, Mapping) else {}, at=call.at) for record in records]
    usages = [each for each in read if isinstance(each, Usage)]
    serials = set(
        UsageRecord.objects.filter(seller=seller, serial__in=[usage.serial for usage in usages]).values_list(
            "serial", flat=True
        )
    )
    own = {resource.instance_id: resource for resource in resources if resource.seller_id == seller.pk}
    foreign = {resource.instance_id for resource in resources} - set(own)
    ranges = set(
        UsageRecord.objects.filter(
            resource__in=list(own.values()), begin_at__in={usage.begin_at for usage in usages}
        ).values_list("resource_id", "begin_at", "end_at")
    )
    refused: list[tuple[int, RecordCode]] = []
    taken: list[UsageRecord] = []
    for place, usage in enumerate(read):
        code = usage if isinstance(usage, RecordCode) else _fault(usage, own, foreign, serials, ranges)
        if code is not None or isinstance(usage, RecordCode):
            refused.append((place, code or RecordCode.NO_INSTANCE))
            continue
        resource = own[usage.instance_id]
        serials.add(usage.serial)
        ranges.add((resource.pk, usage.begin_at, usage.end_at))
        taken.append(
            UsageRecord(
                seller=seller,
                resource=resource,
                serial=usage.serial,
                begin_at=usage.begin_at,
                end_at=usage.end_at,
                value=usage.value,
                recorded_at=usage.recorded_at,
                received_at=call.at,
            )
        )
    UsageRecord.objects.bulk_create(taken)
    _use_quota(taken)
    describe(resource_id=seller.code, resource_name=seller.name, taken=len(taken), refused=len(refused))
    return refused


def _fault(
    usage: Usage,
    own: Mapping[str, Resource],
    foreign: set[str],
    serials: set[str],
    ranges: set[tuple[int, Any, Any]],
) -> RecordCode | None:
    resource = own.get(usage.instance_id)
    if resource is None:
        return RecordCode.OTHER_SELLER if usage.instance_id in foreign else RecordCode.NO_INSTANCE
    if usage.serial in serials:
        return RecordCode.DUPLICATE_SERIAL
    if (resource.pk, usage.begin_at, usage.end_at) in ranges:
        return RecordCode.DUPLICATE
    if resource.billing_mode not in METERED:
        return RecordCode.NOT_PAY_PER_USE
    if resource.product.state == ProductState.REMOVED:
        return RecordCode.PRODUCT_DELISTED
    if resource.expires_at is not None and usage.begin_at > resource.expires_at:
        return RecordCode.EXPIRED
    if resource.status == ResourceStatus.IN_DELIVERY or (resource.closed_at and usage.begin_at > resource.closed_at):
        return RecordCode.RESOURCE_STATE
    return None


def _use_quota(taken: Sequence[UsageRecord]) -> None:
    """Count what was used of packages."""
    used: dict[int, Decimal] = {}
    for record in taken:
        if record.resource.quota is not None:
            used[record.resource_id] = used.get(record.resource_id, Decimal(0)) + record.value
    for resource_id, value in sorted(used.items()):
        Resource.objects.filter(pk=resource_id).update(quota_used=F("quota_used") + value)
