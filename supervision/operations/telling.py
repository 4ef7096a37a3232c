"""Messages and mails of a flow to its two sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from koogallery.notifications.operations import Notice, notify_many
from supervision.models import Appeal, Flow
from supervision.states import Actor


def notice(
    flow: Flow,
    to: Actor,
    kind: str,
    *,
    key: str,
    at: datetime,
    params: Mapping[str, Any] | None = None,
    sms: bool = False,
    users: Iterable[int] = (),
) -> Notice:
    """A message of `kind` to the buyer or the seller of a flow; `key` names the event within the flow.

    Beside the root user it reaches who ordered, and those of `users` who belong to that side.
    """
    to_buyer = to is Actor.BUYER
    ordered_by = [flow.order.user_id] if to_buyer and flow.order.user_id else []
    return Notice(
        account_id=flow.account_id if to_buyer else flow.seller.account_id,
        kind=kind,
        params={
            "order": flow.order_number,
            "product": flow.product_name,
            "seller": flow.seller.name,
            **(params or {}),
        },
        link=flow.get_absolute_url() if to_buyer else flow.get_seller_url(),
        key=f"{kind}:{flow.number}:{key}:{to.value}",
        at=at,
        user_ids=[*ordered_by, *users],
        sms=sms,
    )


def tell(
    flow: Flow,
    to: Actor,
    kind: str,
    *,
    key: str,
    at: datetime,
    params: Mapping[str, Any] | None = None,
    sms: bool = False,
) -> None:
    """Send one such message."""
    notify_many([notice(flow, to, kind, key=key, at=at, params=params, sms=sms)])


def tell_both(
    flow: Flow,
    kind: str,
    *,
    key: str,
    at: datetime,
    params: Mapping[str, Any] | None = None,
    users: Iterable[int] = (),
) -> None:
    """Send the same message to both sides."""
    notify_many(
        [notice(flow, to, kind, key=key, at=at, params=params, users=users) for to in (Actor.BUYER, Actor.SELLER)]
    )


def filer(appeal: Appeal) -> list[int]:
    """The user who filed an appeal, whom its messages reach, too."""
    return [appeal.user_id] if appeal.user_id else []
