"""Messages about requests and payouts to their two sides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from koogallery.notifications.operations import Notice, notify_many
from supervision.states import Actor
from unsubscriptions.models import Request


def notice(
    request: Request,
    to: Actor,
    kind: str,
    *,
    at: datetime,
    key: str = "",
    params: Mapping[str, Any] | None = None,
    sms: bool = False,
) -> Notice:
    """A message of `kind` to the buyer or the seller of a request; `key` tells repeated ones apart."""
    to_buyer = to is Actor.BUYER
    return Notice(
        account_id=request.account_id if to_buyer else request.seller.account_id,
        kind=kind,
        params={
            "order": request.order_number,
            "product": request.product_name,
            "seller": request.seller.name,
            "account": request.account.name,
            "amount": request.money,
            **(params or {}),
        },
        link=request.get_absolute_url() if to_buyer else request.get_seller_url(),
        key=f"{kind}:{request.number}:{key}:{to.value}",
        at=at,
        user_ids=[request.user_id] if to_buyer and request.user_id else [],
        sms=sms,
    )


def tell(request: Request, to: Actor, kind: str, *, at: datetime, **more: Any) -> None:
    """Send one such message."""
    notify_many([notice(request, to, kind, at=at, **more)])


def told(request: Request) -> dict[str, str]:
    """What the operation record of a flow names of a request."""
    return {"request": request.number, "amount": str(request.amount), "currency": request.currency}
