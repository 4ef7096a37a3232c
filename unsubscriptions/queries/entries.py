"""What pages of orders and supervision show of unsubscription; fills the port of `orders.queries.returns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from koogallery.kernel import operations
from koogallery.kernel.calls import Call
from orders.queries.returns import Entry, Returned
from unsubscriptions.models import Request
from unsubscriptions.operations import requesting
from unsubscriptions.queries.requests import RELATED
from unsubscriptions.queries.standing import standings_of
from unsubscriptions.rules import eligibility

OPERATION = "unSubscribeByNegotiation"


def entries_of(call: Call, orders: Sequence[object]) -> Mapping[str, Entry]:
    """The entry of each of these orders of the calling account; none for lines that are never negotiated."""
    lines = [order.line for order in orders]  # type: ignore[attr-defined]
    for line, order in zip(lines, orders, strict=True):
        line.order = order
    found: dict[str, Entry] = {}
    for number, standing in standings_of(lines, account=call.account, at=call.at).items():
        order_number = number.rpartition("-")[0]
        if standing.open_request:
            url = reverse("unsubscriptions:detail", args=[standing.open_request])
            found[order_number] = Entry(_("View unsubscription request"), url)
        elif eligibility.never(standing) is None and standing.total and not standing.is_unsubscribed:
            refused = requesting.why_not(standing) or operations.may(call, OPERATION)
            url = reverse("unsubscriptions:request", args=[number])
            found[order_number] = Entry(_("Unsubscribe"), url, refused)
    return found


def returned_of(order_number: str) -> Sequence[Returned]:
    """The requests about an order, or the one that made this UNSUBSCRIBE order, oldest first."""
    mine = Q(order_number=order_number) | Q(payout__order__number=order_number)
    requests = Request.objects.filter(mine).select_related(*RELATED, "payout__order").order_by("requested_at", "pk")
    return [_returned(request) for request in requests]


def _returned(request: Request) -> Returned:
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
        is_late=payout is not None and payout.breached_at is not None,
        url=request.get_absolute_url(),
        return_order=payout.order.number if payout is not None else "",
    )
