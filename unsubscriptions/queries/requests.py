"""Requests as their buyer, their seller and operations may know them (R20), and what they lock."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Missing
from orders.queries import returns
from orders.queries.follow_ups import lock_what_follows
from orders.queries.orders import NOBODY, order_locked
from supervision.queries.flows import flow_locked
from unsubscriptions.models import Payout, Request
from unsubscriptions.states import RequestState

RELATED = ("order", "order__product", "line", "line__flow", "seller", "account", "payout", "payout__order")
NUMBER_LENGTH = 24


def requests_of(account_id: int | None) -> QuerySet[Request]:
    """The requests of an account."""
    return Request.objects.filter(account_id=account_id or NOBODY).select_related(*RELATED)


def requests_of_seller(account_id: int | None) -> QuerySet[Request]:
    """The requests about what was bought from the seller that an account is."""
    return Request.objects.filter(seller__account_id=account_id or NOBODY).select_related(*RELATED)


def requests_of_order(order_number: str) -> QuerySet[Request]:
    """The requests about an order, oldest first."""
    return Request.objects.filter(order_number=order_number).select_related(*RELATED).order_by("requested_at", "pk")


def own_request(call: Call, number: Any) -> Request:
    """A request of the calling account. Raises `Missing`."""
    return _one(requests_of(call.account_id), number)


def sold_request(call: Call, number: Any) -> Request:
    """A request to the calling seller. Raises `Missing`."""
    return _one(requests_of_seller(call.account_id), number)


def party_request(call: Call, number: Any) -> Request:
    """A request as the caller's role may know it: the buyer's own, the seller's own, any for operations."""
    return _one(_visible(call).select_related("decided_by"), number)


def own_request_locked(call: Call, number: Any) -> Request:
    """A request of the calling account, locked after its flow and its order. Raises `Missing`."""
    return _locked(call, own_request(call, number))


def sold_request_locked(call: Call, number: Any) -> Request:
    """A request to the calling seller, locked after its flow and its order. Raises `Missing`."""
    return _locked(call, sold_request(call, number))


def request_locked(call: Call, number: Any) -> Request:
    """Any request, locked after its flow and its order, for the platform. Raises `Missing`."""
    return _locked(call, _one(Request.objects.select_related(*RELATED), number))


def own_line(call: Call, number: Any) -> Any:
    """A line of what the calling account ordered, with its flow, for its page. Raises `Missing`."""
    line = returns.lines_of(call.account_id).select_related("flow").filter(number=str(number)[:30]).first()
    if line is None:
        raise Missing(f"order line {number}")
    line.order.line = line
    return line


def own_line_locked(call: Call, number: Any) -> Any:
    """A line of what the calling account ordered, locked by its flow and its order. Raises `Missing`."""
    line = returns.lines_of(call.account_id).filter(number=str(number)[:30]).first()
    if line is None:
        raise Missing(f"order line {number}")
    lock_line(call, line)
    return line


def any_line_locked(call: Call, number: Any) -> Any:
    """Any order line, locked by its flow and its order, for operations. Raises `Missing`."""
    line = returns.line_by_number(number)
    if line is None:
        raise Missing(f"order line {number}")
    lock_line(call, line)
    return line


def lock_line(call: Call, line: Any) -> None:
    """Lock what decides about a line: its flow, where it has one, its order, then what follows; the line knows both."""
    try:
        line.flow = flow_locked(call, line.number)
    except Missing:
        line.flow_missing = True
    order = order_locked(call, line.order.number)
    order.line = line
    line.order = order
    lock_what_follows(line)


def flow_of(line: Any) -> Any:
    """The flow of a line, None for one that is not supervised."""
    return None if getattr(line, "flow_missing", False) else getattr(line, "flow", None)


def open_request_of(line_id: int) -> Request | None:
    """The request about a line that waits for its answer."""
    return Request.objects.filter(line_id=line_id, state=RequestState.REQUESTED).select_related(*RELATED).first()


def waiting_for_answer() -> QuerySet[Request]:
    """The requests that wait for an answer: what makes a resource busy for the room below."""
    return Request.objects.filter(state=RequestState.REQUESTED).order_by()


def payout_of(call: Call, number: Any) -> Payout:
    """The payout of a request, for the platform and operations. Raises `Missing`."""
    payouts = Payout.objects.select_related("request__order", "request__line", "request__seller", "order")
    payout = payouts.filter(request__number=str(number)[:NUMBER_LENGTH]).first()
    if payout is None:
        raise Missing(f"payout of {number}")
    return payout


def _visible(call: Call) -> QuerySet[Request]:
    if call.role is Role.BUYER:
        return requests_of(call.account_id)
    if call.role is Role.SELLER:
        return requests_of_seller(call.account_id)
    if call.role in (Role.OPERATOR, Role.SYSTEM):
        return Request.objects.select_related(*RELATED)
    return Request.objects.none()


def _locked(call: Call, found: Request) -> Request:
    lock_line(call, found.line)
    request = (
        Request.objects.select_for_update(of=("self",), no_key=True)
        .select_related("seller", "account", "user")
        .get(pk=found.pk)
    )
    request.line, request.order = found.line, found.line.order
    return request


def _one(requests: QuerySet[Request], number: Any) -> Request:
    request = requests.filter(number=str(number)[:NUMBER_LENGTH]).first()
    if request is None:
        raise Missing(f"request {number}")
    return request
