"""What pages of orders and supervision show of unsubscription; fills the port of `orders.queries.returns`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel import operations
from koogallery.kernel.calls import Call
from koogallery.kernel.reasons import Refused
from orders.queries.returns import Entry, Returned
from orders.states import OrderState, OrderType
from unsubscriptions.models import Payout, Request
from unsubscriptions.queries.requests import RELATED
from unsubscriptions.queries.standing import way_of
from unsubscriptions.states import Way

OPERATION = "unSubscribeByNegotiation"
OF_IMAGES = "unsubscribeImage"


def entry_of(call: Call, order: Any) -> Entry | None:
    """**Unsubscribe** for an order whose line is given back by the matrix; read from its rows alone.

    An order under way that is negotiated leads to its form, an image to its row in the tab **Images**.
    """
    line = order.line
    line.order = order
    if way_of(line) is Way.IMAGE:
        return _entry_of_image(call, order, line)
    runs = order.state == OrderState.PROCESSING and order.type == OrderType.NEW and order.unsubscribed_at is None
    if not runs or not line.total or way_of(line) is not Way.NEGOTIATED:
        return None
    frozen = Refused("account_frozen") if call.account is not None and call.account.is_frozen else None
    refused = frozen or operations.may(call, OPERATION, line)
    return Entry(_("Unsubscribe"), reverse("unsubscriptions:request", args=[line.number]), refused)


def _entry_of_image(call: Call, order: Any, line: Any) -> Entry | None:
    runs = order.state == OrderState.COMPLETED and order.type == OrderType.NEW and order.unsubscribed_at is None
    if not runs or not line.total:
        return None
    url = f"{reverse('unsubscriptions:list')}?tab=images&q={order.number}"
    return Entry(_("Unsubscribe"), url, operations.may(call, OF_IMAGES, line))


def returned_of(number: str) -> Sequence[Returned]:
    """The requests about an order or that gave it back, the one that made this UNSUBSCRIBE order, oldest first.

    The number of a request finds that one.
    """
    about = Request.objects.filter(order_number=number).order_by().values("pk")
    named = Request.objects.filter(number=number).order_by().values("pk")
    made_by = Payout.objects.filter(order__number=number).order_by().values("request_id")
    gave_back = Payout.objects.filter(order__lines__reverses__order__number=number).order_by().values("request_id")
    found = about.union(named, made_by, gave_back)
    requests = Request.objects.filter(pk__in=found).select_related(*RELATED).order_by("requested_at", "pk")
    return [returned(request) for request in requests]


def returned(request: Request) -> Returned:
    """What pages show of one request."""
    payout = getattr(request, "payout", None)
    return Returned(
        number=request.number,
        order_number=request.order_number,
        status=str(request.status.label),
        tone=request.status.tone,
        amount=request.money,
        requested_at=request.requested_at,
        ended_at=request.ended_at,
        due_at=payout.due_at if payout is not None else None,
        refunded_at=payout.done_at if payout is not None else None,
        is_late=payout is not None and payout.is_late(clock.now()),
        url=request.get_absolute_url(),
        return_order=payout.order.number if payout is not None else "",
        is_open=request.is_open,
    )
