"""Orders that can be, are being or were given back; the room of unsubscriptions fills the port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.models import Order, OrderLine, Resource
from orders.queries.orders import NOBODY
from orders.states import OrderState


@dataclass(frozen=True, slots=True)
class Entry:
    """What a page offers for an order: where it is given back, or where the request stands; `refused` says why not."""

    label: str
    url: str
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A request to give a line of an order back, and what became of its refund."""

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


_entries: list[Callable[[Call, Order], Entry | None]] = []
_returned: list[Callable[[str], Sequence[Returned]]] = []


def use(
    *,
    entry: Callable[[Call, Order], Entry | None],
    returned: Callable[[str], Sequence[Returned]],
) -> None:
    """Unsubscriptions fill this port."""
    _entries[:], _returned[:] = [entry], [returned]


def entry_of(call: Call, order: Order) -> Entry | None:
    """What a page of the buyer offers for an order, as far as its line tells without a query; None for never.

    What else stands against it says the page that the entry leads to.
    """
    return _entries[0](call, order) if _entries else None


def returned_of(order_number: str) -> Sequence[Returned]:
    """The requests about an order, or those that made this UNSUBSCRIBE order, oldest first."""
    return _returned[0](order_number) if _returned else ()


def lines_of(account_id: int | None) -> QuerySet[OrderLine]:
    """The lines of what an account ordered, with their orders, for the room above."""
    lines = OrderLine.objects.filter(order__account_id=account_id or NOBODY, reverses__isnull=True)
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


def first_resources(line_ids: Iterable[int]) -> dict[int, Resource]:
    """The first resource that each of these lines produced."""
    resources = Resource.objects.filter(line_id__in=list(line_ids), item=1)
    return {resource.line_id: resource for resource in resources}


def resources_of_line(line: OrderLine) -> list[Resource]:
    """What a line produced, first item first."""
    return list(line.resources.select_related("product", "seller", "line__order").order_by("item"))


def lines_given_back_by(order: Order) -> list[OrderLine]:
    """The negative lines of an UNSUBSCRIBE order with what they reverse."""
    return list(order.lines.select_related("reverses__order").order_by("number"))
