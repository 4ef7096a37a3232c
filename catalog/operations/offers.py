"""Private offers: written, sent and withdrawn by sellers; their states by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import translation

from audit.recording import system_traces
from catalog.models import OfferMilestone, PrivateOffer, Product
from catalog.queries import products
from catalog.queries.configuration import Configuration, configure, price
from catalog.queries.offers import made_offer_locked, offer_locked
from catalog.queries.seller_offers import customer_named
from catalog.rules import offers as rules
from catalog.rules.offers import MilestoneTerms
from catalog.states import OFFER_MOVES, OfferState
from koogallery import clock
from koogallery.identity import authorising
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify_many
from koogallery.notifications.rendering import InBoth

if TYPE_CHECKING:
    from catalog.models import Seller


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """What a seller offers, as written.

    `account` is the customer's account ID or name, `product` a product's code, `form` the configurator's fields. Either
    `share`, the part of the list price that is paid (R14), or `fixed_price`, an amount in the customer's currency.
    Validity is from 00:00:00 of the first day to 23:59:59 of the last.
    """

    name: str
    account: str
    product: str
    form: Mapping[str, str]
    share: Decimal | None = None
    fixed_price: Decimal | None = None
    valid_from: date
    valid_to: date
    uses: int = 1
    note: str = ""
    milestones: Sequence[MilestoneTerms] = field(default_factory=tuple)


def drafted(call: Call, terms: OfferTerms) -> tuple[PrivateOffer, list[OfferMilestone]]:
    """The offer that these terms make, unsaved, for the preview and for saving.

    Raises `Refused` with the field at fault: an unknown customer or product, a configuration that is not sold, a price,
    validity or milestones that may not be.
    """
    seller = products.seller_of_account(call.account_id or 0)
    product = _own_product(seller, terms.product)
    account = customer_named(terms.account, seller_account_id=call.account_id)
    if account is None:
        raise Refused("offer_account", field="account")
    if not terms.name.strip():
        raise Refused("text_required", field="name")
    if not 1 <= terms.uses <= settings.OFFER_MOST_USES:
        raise Refused("offer_uses", field="uses", most=settings.OFFER_MOST_USES)
    configuration = configure(product, {**terms.form, "trial": ""}, account=account)
    rules.check_mode(
        billing_mode=configuration.billing_mode,
        milestones=bool(terms.milestones),
        supervised=configuration.supervised,
        delivery_method=configuration.delivery_method,
        uses=terms.uses,
    )
    listed = price(configuration, account=None, at=call.at).list_price
    fixed = Money(terms.fixed_price, configuration.currency) if terms.fixed_price is not None else None
    rules.check_discount(share=terms.share, fixed_price=fixed, list_price=listed)
    rules.check_validity(first=terms.valid_from, last=terms.valid_to, today=clock.platform_date(call.at))
    total = rules.total_of(share=terms.share, fixed_price=fixed, list_price=listed)
    if not total:
        raise Refused("amount_not_positive", field="share")
    amounts = rules.milestone_amounts(terms.milestones, total=total) if terms.milestones else ()
    offer = PrivateOffer(
        seller=seller,
        account=account,
        written_for=terms.account.strip()[:64],
        product=product,
        name=terms.name.strip()[:100],
        note=terms.note.strip()[:1000],
        form=configuration.form_data(),
        configuration=configuration.to_json(),
        spec_text=_spec_text(configuration, "en"),
        spec_text_zh=_spec_text(configuration, "zh-hans"),
        share=terms.share,
        fixed_price=terms.fixed_price,
        list_price=listed.amount,
        amount=total.amount,
        currency=total.currency,
        valid_from=clock.day_start(terms.valid_from),
        valid_to=clock.day_end(terms.valid_to),
        uses=terms.uses,
        milestones=len(amounts),
    )
    parts = [
        OfferMilestone(
            position=position,
            name=each.name.strip()[:100],
            delivery=each.delivery.strip()[:500],
            share_percent=each.share,
            amount=amount.amount,
            currency=amount.currency,
        )
        for position, (each, amount) in enumerate(zip(terms.milestones, amounts, strict=True), 1)
    ]
    return offer, parts


@operation("createPrivateOffer", resource_type="PrivateOffer", roles={Role.SELLER}, once=True)
def create(call: Call, *, terms: OfferTerms) -> PrivateOffer:
    """Write down an offer as a draft that only the seller sees. Raises `Refused` as `drafted` does."""
    authorising.require(call, "createPrivateOffer", product_code=terms.product)
    offer, parts = drafted(call, terms)
    offer.number, offer.token = ids.numbered("PO", at=call.at), ids.token()
    offer.created_at, offer.created_by = call.at, call.user
    offer.save(force_insert=True)
    _keep_parts(offer, parts)
    describe(resource=offer, amount=offer.total, milestones=offer.milestones)
    return offer


@operation(
    "updatePrivateOffer",
    resource_type="PrivateOffer",
    roles={Role.SELLER},
    targets={"offer": made_offer_locked},
    once=True,
)
def update(call: Call, *, offer: PrivateOffer, terms: OfferTerms) -> PrivateOffer:
    """Write a draft anew. Raises `Refused("offer_sent")` once it was sent, and what `drafted` raises."""
    authorising.require(call, "updatePrivateOffer", product_code=terms.product)
    _check_draft(offer)
    written, parts = drafted(call, terms)
    written.pk, written.number, written.token = offer.pk, offer.number, offer.token
    written.created_at, written.created_by = offer.created_at, offer.created_by
    written.save(force_update=True)
    written.parts.all().delete()
    _keep_parts(written, parts)
    describe(resource=written, amount=written.total, milestones=written.milestones)
    return written


@operation(
    "sendPrivateOffer",
    resource_type="PrivateOffer",
    roles={Role.SELLER},
    targets={"offer": made_offer_locked},
    once=True,
)
def send(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Send a draft to its customer by message, mail and SMS: Scheduled, or In effect at once.

    Raises `Refused("offer_sent")`, `Refused("offer_over")` when its validity has passed meanwhile, and
    `Refused("not_on_sale")`.
    """
    _check_draft(offer)
    if offer.is_over(call.at):
        raise Refused("offer_over", field="valid_to")
    if not offer.product.is_on_sale:
        raise Refused("not_on_sale", name=offer.product.label)
    starts = offer.valid_from > call.at
    _move(offer, OfferState.SCHEDULED if starts else OfferState.IN_EFFECT, sent_at=call.at)
    notify_many([_notice(offer, "private_offer", at=call.at, mail=True)])
    return offer


@operation(
    "withdrawPrivateOffer",
    resource_type="PrivateOffer",
    roles={Role.SELLER},
    targets={"offer": made_offer_locked},
    once=True,
)
def withdraw(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Take an offer back; an order that was placed with it stays as it is. Raises `Refused("offer_ended")`."""
    if not OFFER_MOVES.allowed(offer.shown_state(call.at), OfferState.WITHDRAWN):
        raise Refused("offer_ended", state=offer.shown_state(call.at).label)
    was_sent = offer.state_enum.is_sent
    offer.state = offer.shown_state(call.at)
    _move(offer, OfferState.WITHDRAWN, ended_at=call.at)
    if was_sent:
        notify_many([_notice(offer, "private_offer_withdrawn", at=call.at)])
    return offer


@operation("openPrivateOffer", resource_type="PrivateOffer", roles={Role.SYSTEM}, targets={"offer": offer_locked})
def note_opened(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Keep when its customer first looked at an offer."""
    if offer.opened_at is not None:
        untraced()
        return offer
    offer.opened_at = call.at
    offer.save(update_fields=["opened_at"])
    return offer


@operation("advancePrivateOffer", resource_type="PrivateOffer", roles={Role.SYSTEM}, targets={"offer": offer_locked})
def advance(call: Call, *, offer: PrivateOffer) -> PrivateOffer:
    """Bring an offer to the state that its time gives it; the sweep does so set-wise, under this name."""
    advance_due([offer.pk], call.at)
    offer.refresh_from_db()
    return offer


def advance_due(offer_ids: list[int], upto: datetime) -> None:
    """Bring claimed offers into effect or let them expire, dated at their due time; both sides are told.

    An offer that is over already is not announced any more.
    """
    offers = list(
        PrivateOffer.objects.filter(pk__in=offer_ids, next_state_at__isnull=False)
        .select_related("product", "seller", "account")
        .order_by("pk")
    )
    notices, rows = [], []
    for offer in offers:
        at = offer.next_state_at or upto
        if offer.state_enum is OfferState.SCHEDULED:
            offer.state, offer.next_state_at = OfferState.IN_EFFECT, offer.over_from
            if not offer.is_over(upto):
                notices.append(_notice(offer, "private_offer_in_effect", at=at))
        elif offer.state_enum is OfferState.IN_EFFECT:
            offer.state, offer.next_state_at, offer.ended_at = OfferState.EXPIRED, None, at
            notices.append(_notice(offer, "private_offer_expired", at=at))
            notices.append(_seller_notice(offer, "private_offer_expired_seller", at=at))
        else:
            offer.next_state_at = None
            continue
        request, response = {"offer": offer.number}, {"state": offer.state.value}
        rows.append((offer.account_id, offer.number, offer.name, at, request, response))
    PrivateOffer.objects.bulk_update(offers, ["state", "next_state_at", "ended_at"])
    notify_many(notices)
    system_traces("advancePrivateOffer", rows=rows)


def _own_product(seller: Seller | None, code: str) -> Product:
    product = None
    if seller is not None:
        product = Product.objects.select_related("seller").filter(seller=seller, code=code).first()
    if product is None:
        raise Refused("offer_product", field="product")
    if not product.is_on_sale:
        raise Refused("not_on_sale", field="product", name=product.label)
    return product


def _spec_text(configuration: Configuration, language: str) -> str:
    with translation.override(language):
        return configuration.spec_text[:300]


def _keep_parts(offer: PrivateOffer, parts: Sequence[OfferMilestone]) -> None:
    for part in parts:
        part.offer = offer
    OfferMilestone.objects.bulk_create(parts)


def _check_draft(offer: PrivateOffer) -> None:
    if offer.state_enum is not OfferState.DRAFT:
        raise Refused("offer_sent")


def _move(offer: PrivateOffer, state: OfferState, **columns: Any) -> None:
    """Bring a locked offer to a state with the due time of its next one."""
    OFFER_MOVES.check(offer.state_enum, state)
    offer.state = state
    offer.next_state_at = {
        OfferState.SCHEDULED: offer.valid_from,
        OfferState.IN_EFFECT: offer.over_from,
    }.get(state)
    for name, value in columns.items():
        setattr(offer, name, value)
    offer.save(update_fields=["state", "next_state_at", *columns])
    describe(state=state.value)


def _notice(offer: PrivateOffer, kind: str, *, at: datetime, mail: bool = False) -> Notice:
    """What the customer is told; the offer itself goes by mail and SMS, too, once."""
    return Notice(
        account_id=offer.account_id,
        kind=kind,
        params=_told(offer),
        link=offer.get_link() if mail else offer.get_absolute_url(),
        key=f"{kind}:{offer.number}",
        at=at,
        mail=mail,
        sms=mail,
    )


def _seller_notice(offer: PrivateOffer, kind: str, *, at: datetime) -> Notice:
    return Notice(
        account_id=offer.seller.account_id,
        kind=kind,
        params=_told(offer),
        link=offer.get_seller_url(),
        key=f"{kind}:{offer.number}",
        at=at,
        mail=False,
    )


def _told(offer: PrivateOffer) -> dict[str, Any]:
    return {
        "offer": offer.number,
        "name": offer.name,
        "product": InBoth(offer.product.name, offer.product.name_zh),
        "seller": offer.seller.name,
        "customer": offer.account.name,
        "amount": offer.total,
        "from": offer.valid_from,
        "to": offer.valid_to,
    }
