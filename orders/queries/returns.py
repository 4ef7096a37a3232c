"""Orders that can be, are being or were given back; the room of unsubscriptions fills the port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, JSONObject
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel import operations
from koogallery.kernel.addresses import Address
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.models import Order, OrderLine, Resource, ResourceTerm
from orders.queries import orders
from orders.states import OrderState, OrderType


@dataclass(frozen=True, slots=True)
class Entry:
    """What a page offers for an order: where it is given back, or where the request stands; `refused` says why not."""

    label: str
    url: str
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A request to give a line of an order back, and what became of its refund.

    Where it was not `is_negotiated` nobody was asked: it was given back when it was requested.
    """

    number: str
    order_number: str
    status: str
    tone: str
    amount: Money
    requested_at: datetime
    ended_at: datetime | None
    due_at: datetime | None
    refunded_at: datetime | None
    is_late: bool
    url: str
    return_order: str
    is_open: bool
    is_negotiated: bool


VIEWS = "queryUnsubscriptionDetail"
_REQUEST = Address("unsubscriptions:detail")
_LINE = ("number", "product_code", "delivery_method", "supervised", "billing_mode", "agreed_way")
_LINE_OF_RESOURCE = OuterRef("line")

_entries: list[Callable[[Call, Order], Entry | None]] = []
_returned: list[Callable[[str], Sequence[Returned]]] = []
_open: list[Callable[[], QuerySet[Any]]] = []


def use(
    *,
    entry: Callable[[Call, Order], Entry | None],
    returned: Callable[[str], Sequence[Returned]],
    open_requests: Callable[[], QuerySet[Any]],
) -> None:
    """Unsubscriptions fill this port; `open_requests` are those that wait for an answer, each with `line`, `number`."""
    _entries[:], _returned[:], _open[:] = [entry], [returned], [open_requests]


def entry_of(call: Call, order: Order, *, open_request: str | None = None) -> Entry | None:
    """What a page of the buyer offers for an order, as far as its line and its special agreement tell; None for never.

    `open_request` is the number of the request that waits for its answer, to which it leads then. What else stands
    against it says the page that the entry leads to.
    """
    if open_request:
        return Entry(_("View request"), _REQUEST(open_request), operations.may(call, VIEWS, order.line))
    return _entries[0](call, order) if _entries else None


def listed_orders_given() -> QuerySet[Order]:
    """The orders of a list, each with what `read_along` makes its line of."""
    asked = open_request_numbers(of=OuterRef("pk"))
    lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by("number")
    read = JSONObject(**dict(zip(_LINE, _LINE, strict=True)), amount=Cast("amount", CharField()), asked=Subquery(asked))
    return orders.listed_orders_given().annotate(line_json=Subquery(lines.values(read=read)[:1]))


def read_along(order: Any) -> tuple[Order, str | None]:
    """An order of a list with its line, as far as `entry_of` asks for it, and the number of its open request."""
    stored = dict(order.line_json)
    amount, open_request = Decimal(stored.pop("amount")), stored.pop("asked")
    order.__dict__["line"] = OrderLine(order=order, amount=amount, currency=order.currency, **stored)
    return order, open_request


def returned_of(order_number: str) -> Sequence[Returned]:
    """The requests about an order, or those that made this UNSUBSCRIBE order, oldest first."""
    return _returned[0](order_number) if _returned else ()


def open_request_numbers(*, of: OuterRef = _LINE_OF_RESOURCE) -> QuerySet[Any]:
    """The numbers of requests, of which one may wait for an answer, about an outer resource's line, or `of` one."""
    return _open[0]().filter(line=of).values("number")[:1]


def open_requests_of(resources: Any) -> QuerySet[Any]:
    """The requests that wait for an answer about what made these resources: pairs of resource and number."""
    return _open[0]().filter(line__resources__in=resources).values_list("line__resources", "number")


def open_request_of(resource: Resource) -> str:
    """The number of the request to give a resource back that waits for its answer; empty without one."""
    if "unsub_number" in resource.__dict__:
        return resource.__dict__["unsub_number"] or ""
    found: str | None = _open[0]().filter(line=resource.line_id).values_list("number", flat=True).first()
    return found or ""


def why_asked_back(resource: Resource) -> Refused | None:
    """Why a resource waits: a request to give it back is open; None without one."""
    number = open_request_of(resource)
    return Refused("resource_unsub_open", number=number) if number else None


def lines_of(account_id: int | None) -> QuerySet[OrderLine]:
    """The lines of what an account ordered, with their orders, for the room above."""
    lines = OrderLine.objects.filter(order__account_id=account_id or orders.NOBODY, reverses__isnull=True)
    return lines.select_related("order", "product", "order__seller", "order__product")


def line_by_number(number: Any) -> OrderLine | None:
    """Any order line, for the platform and operations."""
    return OrderLine.objects.select_related("order", "product").filter(number=str(number)[:30]).first()


def busy_with(resource_ids: Iterable[int], *, at: datetime) -> dict[int, str]:
    """The order under way that renews or changes a resource, by resource; one past its deadline is none (R19)."""
    open_orders = Q(order__state=OrderState.PROCESSING) | Q(
        order__state=OrderState.PENDING_PAYMENT, order__payment_due_at__gt=at
    )
    lines = OrderLine.objects.filter(open_orders, resource_id__in=list(resource_ids)).order_by("-order_id")
    return dict(lines.values_list("resource_id", "order__number"))


def resources_by_line(line_ids: Iterable[int]) -> dict[int, list[Resource]]:
    """What each of these lines produced, first item first."""
    found: dict[int, list[Resource]] = {}
    for resource in Resource.objects.filter(line_id__in=list(line_ids)).order_by("line_id", "item"):
        found.setdefault(resource.line_id, []).append(resource)
    return found


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A completed renewal or change of a resource, not given back; `is_unstarted` for a renewal whose term is ahead."""

    line: OrderLine
    is_unstarted: bool


def follow_ups_of(resource_ids: Iterable[int], *, at: datetime) -> dict[int, list[FollowUp]]:
    """The completed renewals and paid changes of resources, by resource, oldest first.

    A renewed term starts at the 00:00:00 after its start date.
    """
    lines = (
        OrderLine.objects.filter(resource_id__in=list(resource_ids), order__state=OrderState.COMPLETED)
        .filter(order__type__in=(OrderType.RENEW, OrderType.CHANGE), order__unsubscribed_at__isnull=True)
        .exclude(order__type=OrderType.CHANGE, amount=0)
        .select_related("order", "product")
        .annotate(starts_on=Subquery(ResourceTerm.objects.filter(line=OuterRef("pk")).values("start")[:1]))
        .order_by("pk")
    )
    today = clock.platform_date(at)
    found: dict[int, list[FollowUp]] = {}
    for line in lines:
        is_unstarted = line.starts_on is not None and line.starts_on >= today
        found.setdefault(line.resource_id or 0, []).append(FollowUp(line, is_unstarted))
    return found


def resources_of_line(line: OrderLine) -> list[Resource]:
    """What a line produced, first item first."""
    return list(line.resources.select_related("product", "seller", "line__order").order_by("item"))


def lines_given_back_by(order: Order) -> list[OrderLine]:
    """The negative lines of an UNSUBSCRIBE order with what they reverse."""
    return list(order.lines.select_related("reverses__order").order_by("number"))
