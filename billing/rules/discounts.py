"""Discounts: a share that is paid (R14), or a fixed price; they do not stack, the lowest total wins."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.utils.translation import gettext_noop

FULL_PRICE = Decimal(1)


class DiscountSource(StrEnum):
    """Where a discount comes from, in the order in which equal totals are settled."""

    STANDING = "standing"
    RESELLER_CUSTOMER = "reseller_customer"
    RESELLER_PARTNER = "reseller_partner"
    RESELLER_PRODUCT = "reseller_product"
    OFFER = "offer"


SOURCE_SENTENCES = {
    DiscountSource.STANDING: gettext_noop("Standing discount: %(percent)s%% of the price is paid"),
    DiscountSource.RESELLER_CUSTOMER: gettext_noop(
        "Your reseller's discount for you: %(percent)s%% of the price is paid"
    ),
    DiscountSource.RESELLER_PARTNER: gettext_noop("Your reseller's discount: %(percent)s%% of the price is paid"),
    DiscountSource.RESELLER_PRODUCT: gettext_noop(
        "Your reseller's discount on this product: %(percent)s%% of the price is paid"
    ),
    DiscountSource.OFFER: gettext_noop("Private offer: %(percent)s%% of the price is paid"),
}
FIXED_SENTENCE = gettext_noop("Private offer with a fixed price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """One discount an account may use.

    Either `share`, the part that is paid (0.90 = 10 % off), or `fixed_price` for the whole line. A private offer may
    bring `list_price`, the list price of the whole line when it was created, to which its share applies.
    `reference` names the offer or grant. Raises `ValueError` unless exactly one of both is given and not negative.
    """

    source: DiscountSource
    share: Decimal | None = None
    fixed_price: Decimal | None = None
    list_price: Decimal | None = None
    reference: str = ""

    def __post_init__(self) -> None:
        if (self.share is None) == (self.fixed_price is None):
            raise ValueError("A discount is a share or a fixed price.")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError("A share lies between 0 and 1.")
        if (self.fixed_price or 0) < 0 or (self.list_price or 0) < 0:
            raise ValueError("A price is not negative.")


def reseller_discount(
    *, customer: Discount | None = None, partner: Discount | None = None, product: Discount | None = None
) -> Discount | None:
    """The reseller's discount that counts: the customer's, else the partner's, else the product's."""
    return customer or partner or product
