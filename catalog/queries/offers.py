"""Private offers as their buyer, their seller and the platform may know them (R20)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from catalog.models import OfferUse, PrivateOffer
from catalog.queries.configuration import Configuration, term_text
from catalog.rules.offers import Difference
from catalog.states import BillingMode, OfferState, UseState
from koogallery.kernel.calls import Call
from koogallery.kernel.prepared import Given
from koogallery.kernel.reasons import Missing

NOBODY = 0
RELATED = ("product", "seller", "product__seller")


def offers_of(account_id: int | None) -> QuerySet[PrivateOffer]:
    """The offers that were sent to an account."""
    sent = PrivateOffer.objects.filter(account_id=account_id or NOBODY, sent_at__isnull=False)
    return sent.select_related(*RELATED)


def offers_of_seller(account_id: int | None) -> QuerySet[PrivateOffer]:
    """The offers of the seller that an account is."""
    own = PrivateOffer.objects.filter(seller__account_id=account_id or NOBODY)
    return own.select_related(*RELATED, "account")


def in_effect(at: Any) -> Q:
    """Which offers can be used at a moment; time binds before the sweep has run (R19)."""
    return Q(state__in=[OfferState.SCHEDULED, OfferState.IN_EFFECT], valid_from__lte=at, valid_to__gte=at)


def offers_in_effect_given() -> QuerySet[PrivateOffer]:
    """The offers that an account given can use at a moment given."""
    return PrivateOffer.objects.filter(in_effect(Given("at")), account_id=Given("account"), sent_at__isnull=False)


def own_offer(call: Call, number: Any) -> PrivateOffer:
    """An offer that was sent to the calling account. Raises `Missing`."""
    return _one(offers_of(call.account_id), number)


def made_offer(call: Call, number: Any) -> PrivateOffer:
    """An offer of the calling seller. Raises `Missing`."""
    return _one(offers_of_seller(call.account_id), number)


def made_offer_locked(call: Call, number: Any) -> PrivateOffer:
    """The same, locked for a change. Raises `Missing`."""
    return _one(_lock(offers_of_seller(call.account_id)), number)


def offer_locked(call: Call, number: Any) -> PrivateOffer:
    """Any offer, locked, for operations of the rooms above. Raises `Missing`."""
    return _one(_lock(PrivateOffer.objects.select_related(*RELATED)), number)


def offer_by_token(token: str) -> PrivateOffer | None:
    """The sent offer of a link, whoever it is for."""
    found = PrivateOffer.objects.filter(token=token[:64], sent_at__isnull=False)
    return found.select_related(*RELATED, "account").first()


def usable_offer(number: str, *, account_id: int | None, product_id: int, at: datetime) -> PrivateOffer | None:
    """The offer of that number that the account can use for the product at a moment."""
    rows = offers_of(account_id).filter(in_effect(at), number=number[:24], product_id=product_id)
    return rows.first()


def uses_of(offer: PrivateOffer) -> list[OfferUse]:
    """The orders that hold an offer, oldest first."""
    return list(offer.orders.exclude(state=UseState.FREED))


def differences(offer: PrivateOffer, chosen: Configuration) -> list[Difference]:
    """In what a configuration differs from what an offer needs, in the language in force; empty when it is the same."""
    needed = Configuration.from_json(offer.configuration)
    found = []
    if chosen.specification_code != needed.specification_code:
        chosen_name, needed_name = (each.spec_text.partition(" · ")[0] for each in (chosen, needed))
        return [Difference("specification", _("Specification"), chosen_name, needed_name)]
    own = {each.code: each for each in chosen.attributes}
    for each in needed.attributes:
        other = own.get(each.code)
        if other is None or other.value != each.value:
            found.append(
                Difference(f"attr_{each.code}", each.label_shown, other.text_shown if other else "", each.text_shown)
            )
    if chosen.billing_mode != needed.billing_mode:
        found.append(Difference("plan", _("Billing mode"), chosen.mode_label, needed.mode_label))
    elif needed.billing_mode == BillingMode.PERIOD and chosen.term_text != needed.term_text:
        found.append(Difference("term", _("Required Duration"), chosen.term_text, needed.term_text))
    if chosen.items != needed.items:
        found.append(Difference("items", _("Items"), str(chosen.items), str(needed.items)))
    return found


def length_text(offer: PrivateOffer) -> str:
    """The term that an offer is for, in the language in force; empty unless yearly/monthly."""
    stored = offer.configuration
    return term_text(unit=str(stored.get("term_unit", "")), count=int(Decimal(str(stored.get("term_count") or 0))))


def _lock(offers: QuerySet[PrivateOffer]) -> QuerySet[PrivateOffer]:
    return offers.select_for_update(of=("self",), no_key=True)


def _one(offers: QuerySet[PrivateOffer], number: Any) -> PrivateOffer:
    found = offers.filter(number=str(number)[:24]).first()
    if found is None:
        raise Missing(f"offer {number}")
    return found
