"""Orders take private offers: reserved when placed, used when paid, freed when canceled (catalog.md)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Min

from catalog.models import OfferUse, PrivateOffer
from catalog.queries.offers import offer_locked, why_unusable
from catalog.states import OFFER_MOVES, USE_MOVES, OfferState, UseState
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Refused

EVERYONE = set(Role) - {Role.ANONYMOUS}


def check_usable(offer: PrivateOffer, call: Call) -> None:
    """Raise `Refused` with why a locked offer cannot be used at the moment of the call.

    A lapsed order that the sweep is canceling right now still holds it: `offer_reserved`.
    """
    if (why := why_unusable(offer, call.at)) is not None:
        raise why
    if offer.taken >= offer.uses:
        raise Refused("offer_reserved")


@operation(
    "reservePrivateOffer",
    resource_type="PrivateOffer",
    roles=EVERYONE,
    targets={"offer": offer_locked},
    default_allowed=True,
)
def reserve(call: Call, *, offer: PrivateOffer, order_number: str, pay_by: datetime | None) -> PrivateOffer:
    """Let an order that is being placed, to be paid by a moment, take the offer; the last use makes it Reserved.

    Raises `Refused`: `offer_not_yet`, `offer_expired`, `offer_withdrawn`, `offer_reserved`, `offer_used`.
    """
    check_usable(offer, call)
    OfferUse.objects.create(offer=offer, order_number=order_number, taken_at=call.at, pay_by=pay_by)
    offer.taken += 1
    if offer.state_enum is OfferState.SCHEDULED:
        offer.state = OfferState.IN_EFFECT
        offer.next_state_at = offer.over_from
    _settle(offer, call)
    describe(order=order_number, state=offer.state)
    return offer


@operation("usePrivateOffer", resource_type="PrivateOffer", roles=EVERYONE, default_allowed=True)
def use(call: Call, *, order_number: str) -> None:
    """The order that reserved an offer is paid: the offer is Used."""
    _end(call, order_number, UseState.USED)


@operation("freePrivateOffer", resource_type="PrivateOffer", roles=EVERYONE, default_allowed=True)
def free(call: Call, *, order_number: str) -> None:
    """The order that took an offer was Canceled: the offer can be used again, or is Expired; once."""
    _end(call, order_number, UseState.FREED)


def _end(call: Call, order_number: str, state: UseState) -> None:
    number = OfferUse.objects.filter(order_number=order_number).values_list("offer__number", flat=True).first()
    if number is None:
        untraced()
        return
    offer = offer_locked(call, number)
    taken = OfferUse.objects.select_for_update(of=("self",)).get(order_number=order_number)
    if not USE_MOVES.allowed(taken.state_enum, state):
        untraced()
        return
    taken.state, taken.ended_at = state, call.at
    taken.save(update_fields=["state", "ended_at"])
    if state is UseState.FREED:
        offer.taken -= 1
    _settle(offer, call)
    describe(resource=offer, order=order_number, state=offer.state)


def _settle(offer: PrivateOffer, call: Call) -> None:
    """Bring the offer to the state that its orders and its time give it; a withdrawn one stays withdrawn."""
    state, offer.free_from = offer.state_enum, None
    if state is not OfferState.WITHDRAWN:
        state, offer.free_from = _state_of(offer, call)
    if state is not offer.state_enum:
        OFFER_MOVES.check(offer.state_enum, state)
        offer.state = state
        offer.next_state_at = offer.over_from if state is OfferState.IN_EFFECT else None
        offer.ended_at = offer.over_from if state is OfferState.EXPIRED else None
    offer.save(update_fields=["taken", "free_from", "state", "next_state_at", "ended_at"])


def _state_of(offer: PrivateOffer, call: Call) -> tuple[OfferState, datetime | None]:
    """The state, and for a reserved offer when its first unpaid order lapses."""
    if offer.taken < offer.uses:
        return (OfferState.EXPIRED if offer.is_over(call.at) else OfferState.IN_EFFECT), None
    unpaid = offer.orders.filter(state=UseState.RESERVED).aggregate(count=Count("pk"), first=Min("pay_by"))
    return (OfferState.RESERVED, unpaid["first"]) if unpaid["count"] else (OfferState.USED, None)
