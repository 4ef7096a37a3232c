"""Reads of private offers that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from catalog.models import PrivateOffer
from catalog.queries import offers
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation


@operation(
    "queryPrivateOfferList",
    resource_type="PrivateOffer",
    action="marketplace:privateOffer:list",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[PrivateOffer]:
    """List the offers that were sent to the account."""
    return offers.offers_of(call.account_id)


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
