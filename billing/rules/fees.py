"""The platform's fee and the seller's share of what is earned, given back by difference so that no cent is lost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from koogallery.kernel.money import Money

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What one movement of a line's *earned* means for fee and share; a refund is negative. gross = fee + share."""

    gross: Money
    fee: Money
    share: Money


def platform_fee(gross: Money, *, percent: Decimal) -> Money:
    """The platform's fee on what a line earned in all, rounded once (R2)."""
    return (gross * (percent / HUNDRED)).rounded()


def split_movement(*, before: Money, after: Money, percent: Decimal) -> Movement:
    """Fee and share of the movement that brings what a line earned from `before` to `after`.

    By difference: over any series of movements fees and shares sum to those of the last sum, to the cent.
    """
    gross = after - before
    fee = platform_fee(after, percent=percent) - platform_fee(before, percent=percent)
    return Movement(gross=gross, fee=fee, share=gross - fee)
