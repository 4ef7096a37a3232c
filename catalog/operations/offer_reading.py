"""Reads of private offers that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from catalog.models import PrivateOffer
from catalog.operations.offers import note_opened
from catalog.queries import offers
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.prepared import Question


@operation(
    "queryPrivateOfferList",
    resource_type="PrivateOffer",
    action="marketplace:privateOffer:list",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> Question[PrivateOffer]:
    """List the offers that were sent to the account."""
    given = {"account": call.account_id or offers.NOBODY, "at": call.at, "second_ago": call.at - offers.A_SECOND}
    return Question(offers.listed_offers_given, given, counted=offers.offers_given)


@operation(
    "queryPrivateOfferDetail",
    resource_type="PrivateOffer",
    action="marketplace:privateOffer:get",
    roles={Role.BUYER},
    targets={"offer": offers.own_offer},
    read=True,
    default_allowed=True,
)
def query_detail(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Show one offer to its customer."""
    describe(state=offer.shown_state(call.at))
    return offer


def open_offer(call: Call, *, number: str) -> PrivateOffer:
    """Show one offer to its customer, and keep when that was for the first time. Raises `Missing`."""
    found: PrivateOffer = query_detail(call, offer=number)
    if found.opened_at is None:
        by_system = system_call(
            at=call.at, account=call.account, on_behalf_of=str(call.user or ""), request_id=call.request_id
        )
        note_opened(by_system, offer=found.number)
    return found


@operation("querySellerOfferList", resource_type="PrivateOffer", roles={Role.SELLER}, read=True)
def query_seller_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[PrivateOffer]:
    """List the offers that the seller has made."""
    return offers.offers_of_seller(call.account_id)


@operation(
    "querySellerOfferDetail",
    resource_type="PrivateOffer",
    roles={Role.SELLER},
    targets={"offer": offers.made_offer},
    read=True,
)
def query_seller_detail(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Show one offer to its seller."""
    describe(state=offer.shown_state(call.at))
    return offer
