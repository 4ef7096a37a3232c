"""Reads of private offers that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from catalog.models import PrivateOffer
from catalog.operations.offers import note_opened
from catalog.queries import offers
from catalog.queries.seller_offers import customer_named
from koogallery.kernel import rates
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, may, operation
from koogallery.kernel.prepared import Question
from koogallery.kernel.reasons import Refused

if TYPE_CHECKING:
    from catalog.models import Product
    from koogallery.identity.models import Account

CUSTOMERS_A_MINUTE = 20
REMEMBERED_SECONDS = 3600


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
    given = {"account": call.account_id or offers.NOBODY, "at": call.at}
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


def linked_offer(call: Call, *, number: str, product: Product, is_look: bool) -> PrivateOffer | None:
    """The offer by which somebody configures or orders its product, None when the account has no such offer there.

    With `is_look` it is shown as `open_offer` does; without, as prices that follow what is chosen, there is no trace.
    Raises `Refused` for who may not see it.
    """
    found = offers.offer_for(call.account_id or offers.NOBODY, number=number, product_id=product.pk)
    if found is None:
        return None
    if is_look:
        return open_offer(call, number=found.number)
    if (refused := may(call, "queryPrivateOfferDetail", found)) is not None:
        raise refused
    return found


@operation("queryOfferCustomer", resource_type="PrivateOffer", roles={Role.SELLER}, read=True)
def query_customer(call: Call, *, written: str) -> Account | None:
    """Look for the customer that a seller names by account ID or exact name.

    Raises `Refused("requests_too_many")` beyond `CUSTOMERS_A_MINUTE`.
    """
    if not rates.is_within(what="offer-customer", who=str(call.account_id), per_minute=CUSTOMERS_A_MINUTE):
        raise Refused("requests_too_many", field="account")
    found = customer_named(written, seller_account_id=call.account_id)
    describe(found=found is not None)
    return found


def customer_as_written(call: Call, written: str) -> Account | None:
    """The same for a form that is sent again and again: what this seller has named lately is looked for untraced.

    Raises `Refused` as `query_customer` does.
    """
    named = written.replace("\x00", "").strip()[:64]
    if not named:
        return None
    if rates.is_new(what="offer-customer", who=f"{call.account_id}:{named.casefold()}", seconds=REMEMBERED_SECONDS):
        try:
            found: Account | None = query_customer(call, written=named)
        except Refused:
            rates.forget(what="offer-customer", who=f"{call.account_id}:{named.casefold()}")
            raise
        return found
    return customer_named(named, seller_account_id=call.account_id)


@operation("querySellerOfferList", resource_type="PrivateOffer", roles={Role.SELLER}, read=True)
def query_seller_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[PrivateOffer]:
    """List the offers that the seller has made."""
    return offers.made_offers(call.account_id, at=call.at)


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
