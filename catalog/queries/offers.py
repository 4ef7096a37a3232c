"""Private offers as their buyer, their seller and the platform may know them (R20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, CharField, Count, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThanOrEqual
from django.utils.translation import gettext as _

from catalog.models import OfferUse, PrivateOffer
from catalog.queries.configuration import Configuration
from catalog.rules.offers import Difference
from catalog.states import BillingMode, OfferState, UseState
from koogallery.kernel.calls import Call
from koogallery.kernel.prepared import Given
from koogallery.kernel.reasons import Missing, Refused

NOBODY = 0
RELATED = ("product", "seller", "product__seller")
A_SECOND = timedelta(seconds=1)
_LISTED = (
    "number", "account_id", "name", "spec_text", "spec_text_zh", "share", "fixed_price", "list_price", "amount",
    "currency", "valid_from", "valid_to", "uses", "taken", "free_from", "milestones", "state", "sent_at",
    "product__code", "product__name", "product__name_zh", "product__slug", "product__logo", "product__state",
    "seller__name", "seller__name_zh", "seller__slug",
)  # fmt: skip
"""What lists of offers show."""
_UNUSABLE = {
    OfferState.SCHEDULED: "offer_not_yet",
    OfferState.EXPIRED: "offer_expired",
    OfferState.RESERVED: "offer_reserved",
    OfferState.USED: "offer_used",
}


def offers_of(account_id: int | None) -> QuerySet[PrivateOffer]:
    """The offers that were sent to an account."""
    sent = PrivateOffer.objects.filter(account_id=account_id or NOBODY, sent_at__isnull=False)
    return sent.select_related(*RELATED)


def offers_of_seller(account_id: int | None) -> QuerySet[PrivateOffer]:
    """The offers of the seller that an account is."""
    own = PrivateOffer.objects.filter(seller__account_id=account_id or NOBODY)
    return own.select_related(*RELATED, "account")


def showing(state: OfferState, at: datetime | Given) -> Q:
    """Which offers `PrivateOffer.shown_state` gives a state at a moment; time binds before the sweeps ran (R19)."""
    if state is OfferState.SCHEDULED:
        return Q(state=state, valid_from__gt=at)
    if state is OfferState.RESERVED:
        return Q(state=state) & ~_is_free_again(at)
    is_open = Q(state__in=_BY_TIME, valid_from__lte=at) | _is_free_again(at)
    over_from = F("valid_to") + A_SECOND
    if state is OfferState.IN_EFFECT:
        return is_open & Q(GreaterThan(over_from, at))
    if state is OfferState.EXPIRED:
        return Q(state=state) | is_open & Q(LessThanOrEqual(over_from, at))
    return Q(state=state)


_BY_TIME = [OfferState.SCHEDULED, OfferState.IN_EFFECT]


def _is_free_again(at: datetime | Given) -> Q:
    return Q(state=OfferState.RESERVED, free_from__isnull=False, free_from__lte=at)


def in_effect(at: datetime) -> Q:
    """Which offers can be used at a moment."""
    return showing(OfferState.IN_EFFECT, at)


def holding(at: datetime | Given) -> Q:
    """Which uses hold their offer at a moment: none whose order was canceled or has lapsed (R19)."""
    return ~Q(state=UseState.FREED) & ~Q(state=UseState.RESERVED, pay_by__isnull=False, pay_by__lte=at)


def offers_in_effect_given() -> QuerySet[PrivateOffer]:
    """The offers that an account given can use at a moment given, for their count in the navigation."""
    return offers_given().filter(showing(OfferState.IN_EFFECT, Given("at")))


def offers_given() -> QuerySet[PrivateOffer]:
    """The offers that were sent to an account given."""
    return PrivateOffer.objects.filter(account_id=Given("account"), sent_at__isnull=False)


def listed_offers_given() -> QuerySet[PrivateOffer]:
    """The same for a list, with `order_numbers` of the orders that hold them."""
    uses = OfferUse.objects.filter(holding(Given("at")), offer=OuterRef("pk")).order_by("pk")
    offers = offers_given().select_related("product", "seller").only(*_LISTED)
    return offers.annotate(order_numbers=ArraySubquery(uses.values("order_number")))


def offers_ending(account_id: int, *, at: datetime, within: timedelta) -> QuerySet[PrivateOffer]:
    """The offers that an account can use and that end within a time, the first to end first."""
    return offers_of(account_id).filter(in_effect(at), valid_to__lt=at + within).order_by("valid_to", "pk")


def made_offers(account_id: int | None, *, at: datetime) -> QuerySet[PrivateOffer]:
    """The offers of a seller for a list: as `placed`, how many orders hold each at a moment.

    `customer_name` and `customer_number` are only what the seller wrote until an offer is sent.
    """
    sent = When(sent_at__isnull=False, then=F("account__name")), When(sent_at__isnull=False, then=F("account__number"))
    named, numbered = (Case(each, default=F("written_for"), output_field=CharField()) for each in sent)
    uses = OfferUse.objects.filter(holding(at), offer=OuterRef("pk")).order_by().values("offer")
    placed = Coalesce(Subquery(uses.annotate(count=Count("pk")).values("count")), 0)
    return offers_of_seller(account_id).annotate(placed=placed, customer_name=named, customer_number=numbered)


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


def why_unusable(offer: PrivateOffer, at: datetime) -> Refused | None:
    """Why an offer cannot be used at a moment, or None."""
    state = offer.shown_state(at)
    if state is OfferState.IN_EFFECT:
        return None
    return Refused(_UNUSABLE.get(state, "offer_withdrawn"), since=offer.valid_from, until=offer.valid_to)


def offer_for(account_id: int, *, number: str, product_id: int) -> PrivateOffer | None:
    """The offer of that number that was sent to the account for a product, whatever its state."""
    return offers_of(account_id).filter(number=number[:24], product_id=product_id).first()


def is_reserved(number: str) -> bool:
    """Whether an unpaid order holds the last of an offer's uses."""
    return PrivateOffer.objects.filter(number=number, state=OfferState.RESERVED).exists()


def usable_offer(number: str, *, account_id: int | None, product_id: int, at: datetime) -> PrivateOffer | None:
    """The offer of that number that the account can use for the product at a moment."""
    offer = offer_for(account_id or NOBODY, number=number, product_id=product_id)
    return offer if offer is not None and why_unusable(offer, at) is None else None


def uses_of(offer: PrivateOffer, *, at: datetime) -> list[OfferUse]:
    """The orders that hold an offer at a moment, oldest first."""
    return list(offer.orders.filter(holding(at)))


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
            is_quantity = each.text == f"{each.value} {needed.quantity_unit}".strip()
            texts = [
                "" if choice is None else choice.value if is_quantity else choice.text_shown for choice in (other, each)
            ]
            found.append(Difference(f"attr_{each.code}", each.label_shown, *texts))
    if chosen.billing_mode != needed.billing_mode:
        found.append(Difference("plan", _("Billing mode"), chosen.mode_label, needed.mode_label))
    elif needed.billing_mode == BillingMode.PERIOD and chosen.term_text != needed.term_text:
        found.append(Difference("term", _("Required Duration"), chosen.term_text, needed.term_text))
    if chosen.items != needed.items:
        found.append(Difference("items", _("Items"), str(chosen.items), str(needed.items)))
    return found


def is_offers(offer: PrivateOffer, chosen: Configuration) -> bool:
    """Whether a configuration is the offer's: no trial, and nothing differs."""
    return not chosen.trial_days and not differences(offer, chosen)


def _lock(offers: QuerySet[PrivateOffer]) -> QuerySet[PrivateOffer]:
    return offers.select_for_update(of=("self",), no_key=True)


def _one(offers: QuerySet[PrivateOffer], number: Any) -> PrivateOffer:
    found = offers.filter(number=str(number)[:24]).first()
    if found is None:
        raise Missing(f"offer {number}")
    return found
