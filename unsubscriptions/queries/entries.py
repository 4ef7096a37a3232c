"""What pages of orders and supervision show of unsubscription; fills the port of `orders.queries.returns`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel import operations
from koogallery.kernel.addresses import Address
from koogallery.kernel.calls import Call
from koogallery.kernel.reasons import Refused
from orders.queries.returns import Entry, Returned
from orders.states import OrderState, OrderType
from unsubscriptions.models import Payout, Request
from unsubscriptions.queries.requests import RELATED
from unsubscriptions.queries.standing import agreed_way_of, way_of
from unsubscriptions.states import Way

OPERATION = "unSubscribeByNegotiation"
OF_IMAGES = "unsubscribeImage"
_FORM = Address("unsubscriptions:request")


@cache
def _images() -> str:
    return f"{reverse('unsubscriptions:list')}?tab=images"


def entry_of(call: Call, order: Any, *, state: OrderState | None = None) -> Entry | None:
    """**Unsubscribe** for an order whose line is given back by the matrix, or by its special agreement, if it has one.

    What is negotiated leads to its form, an image to its row in the tab **Images**. By the matrix, an order is
    negotiated while it is under way and an image given back once it is Completed. `state` is where it stands now (R19),
    for an order that was read without its completion.
    """
    state = state or order.shown_state(call.at)
    line = order.line
    line.order = order
    runs = order.type == OrderType.NEW and order.unsubscribed_at is None and line.total
    if not runs or state not in (OrderState.PROCESSING, OrderState.COMPLETED):
        return None
    agreed = agreed_way_of(line)
    way = agreed or way_of(line)
    frozen = Refused("account_frozen") if call.account is not None and call.account.is_frozen else None
    if way is Way.IMAGE and state is OrderState.COMPLETED:
        url = f"{_images()}&q={order.number}"
        return Entry(_("Unsubscribe"), url, frozen or operations.may(call, OF_IMAGES, line))
    if way is Way.NEGOTIATED and (agreed is not None or state is OrderState.PROCESSING):
        return Entry(_("Unsubscribe"), _FORM(line.number), frozen or operations.may(call, OPERATION, line))
    return None


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
        is_negotiated=request.is_negotiated,
    )
