"""What a seller sees of its private offers: what may be offered and to whom, how offers do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from catalog.models import OfferUse, PrivateOffer, Product
from catalog.queries.offers import NOBODY
from catalog.states import UseState
from koogallery.identity import queries as identity

if TYPE_CHECKING:
    from koogallery.identity.models import Account

DAYS = 30


def products_to_offer(account_id: int | None) -> list[Product]:
    """The products on sale of the seller that an account is, by name."""
    on_sale = Product.objects.on_sale().filter(seller__account_id=account_id or NOBODY)
    return list(on_sale.select_related("seller").order_by("name", "pk"))


def customer_named(written: str, *, seller_account_id: int | None) -> Account | None:
    """The account of an account ID or exact name; never the seller's own."""
    wanted = written.replace("\x00", "").strip()
    found = identity.account_by_number(wanted) or identity.account_by_name(wanted) if wanted else None
    return None if found is None or found.pk == seller_account_id else found


def all_uses_of(offer: PrivateOffer) -> list[OfferUse]:
    """Every order that took an offer, the canceled ones too, oldest first."""
    return list(offer.orders.all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many of a seller's offers were sent in the last 30 days, and how many of these opened and ordered."""

    sent: int
    opened: int
    ordered: int


def reach(seller_id: int, *, at: datetime) -> Reach:
    """How the offers that a seller sent in the last 30 days do."""
    sent = PrivateOffer.objects.filter(seller_id=seller_id, sent_at__gt=at - timedelta(days=DAYS), sent_at__lte=at)
    ordered = Q(orders__state=UseState.USED) | Q(orders__state=UseState.RESERVED, orders__pay_by__gt=at)
    return Reach(
        **sent.aggregate(
            sent=Count("pk", distinct=True),
            opened=Count("pk", filter=Q(opened_at__isnull=False), distinct=True),
            ordered=Count("pk", filter=ordered, distinct=True),
        )
    )
