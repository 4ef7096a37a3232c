"""Messages about requests and payouts to their two sides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from koogallery.notifications.operations import Notice, notify_many
from koogallery.notifications.rendering import Words
from supervision.states import Actor
from unsubscriptions.models import Payout, Request
from unsubscriptions.states import PayoutState


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


def money_back(payout: Payout) -> Words:
    """What a buyer is told of the money when something is given back: what comes or came, what is no longer owed."""
    given: dict[str, Any] = {"amount": payout.money, "lowered": payout.lowered_money, "until": payout.due_at}
    if not payout.amount and not payout.lowered:
        return Words(_("Nothing is paid back."), {})
    if (reseller := payout.order.reseller) is not None:
        text = _("%(amount)s is credited to your reseller, %(reseller)s, who settles it with you.")
        return Words(text, {"amount": payout.money, "reseller": reseller.name})
    is_back = payout.state == PayoutState.DONE
    if not payout.lowered:
        if is_back:
            return Words(_("%(amount)s went back to where it came from."), given)
        return Words(_("%(amount)s is back by %(until)s."), given)
    if not payout.amount:
        return Words(_("%(lowered)s is taken off milestone bills that were not paid yet; nothing is paid back."), given)
    if is_back:
        text = _(
            "%(lowered)s is taken off milestone bills that were not paid yet; "
            "%(amount)s went back to where it came from."
        )
    else:
        text = _("%(lowered)s is taken off milestone bills that were not paid yet; %(amount)s is back by %(until)s.")
    return Words(text, given)


def tell_reseller(payout: Payout, *, at: datetime) -> None:
    """Tell the reseller who paid that a customer's refund is credited."""
    request, reseller = payout.request, payout.order.reseller
    assert reseller is not None
    notify_many(
        [
            Notice(
                account_id=reseller.pk,
                kind="customer_unsubscribed",
                params={
                    "order": request.order_number,
                    "product": request.product_name,
                    "account": request.account.name,
                    "amount": payout.money,
                },
                key=f"customer_unsubscribed:{request.number}",
                at=at,
            )
        ]
    )


def told(request: Request) -> dict[str, str]:
    """What the operation record of a flow names of a request."""
    return {"request": request.number, "amount": str(request.amount), "currency": request.currency}
