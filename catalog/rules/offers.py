"""What a private offer may agree on: discount, validity, milestones; and how a configuration differs from it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.rules.plans import BillingMode
from billing.rules.shares import split_by_shares
from catalog.states import MILESTONE_METHODS, OFFERED_MODES
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused

FEWEST_MILESTONES, MOST_MILESTONES = 2, 12
WHOLE = Decimal(100)
PERCENT_DIGITS = 2
SHARE_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneTerms:
    """One milestone as the seller writes it; `share` in percent."""

    name: str
    delivery: str
    share: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a configuration is not what an offer needs: its field, and both values in words."""

    field: str
    label: str
    chosen: str
    needed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an offer comes to while it is being written; None where something is missing or faulty.

    `shares` is the sum of the milestones' shares in percent; `amounts` is what each comes to, in their order.
    """

    list_price: Money | None
    total: Money | None
    shares: Decimal
    amounts: tuple[Money | None, ...]

    @property
    def saved(self) -> Money | None:
        """What the offer takes off the list price."""
        return None if self.list_price is None or self.total is None else self.list_price.rounded() - self.total

    @property
    def list_shown(self) -> Money | None:
        """The list price as shown, rounded."""
        return None if self.list_price is None else self.list_price.rounded()

    @property
    def is_whole(self) -> bool:
        """Whether the shares sum to 100 percent."""
        return self.shares == WHOLE

    @property
    def shares_text(self) -> str:
        """The sum of the shares: `99.5 %`."""
        return f"{self.shares.normalize():f} %"


def check_discount(*, share: Decimal | None, fixed_price: Money | None, list_price: Money) -> None:
    """Raise `Refused` with its field unless the offer has one price that is no higher than the list price."""
    if (share is None) == (fixed_price is None):
        raise Refused("offer_price_needed", field="share")
    if share is not None and (not 0 < share <= 1 or decimals(share) > SHARE_DIGITS):
        raise Refused("offer_share_value", field="share")
    if fixed_price is not None:
        if fixed_price.amount <= 0:
            raise Refused("amount_not_positive", field="fixed_price")
        if not fixed_price.is_whole():
            raise Refused("amount_not_whole", field="fixed_price", currency=fixed_price.currency)
        if fixed_price > list_price:
            raise Refused("offer_above_list", field="fixed_price", list=list_price.rounded())


def total_of(*, share: Decimal | None, fixed_price: Money | None, list_price: Money) -> Money:
    """What an offer costs: the fixed price, else its share of the unrounded list price, rounded once (R2, R14)."""
    if fixed_price is not None:
        return fixed_price
    return (list_price * (Decimal(1) if share is None else share)).rounded()


def figures(
    *, list_price: Money | None, share: Decimal | None, fixed_price: Decimal | None, shares: Sequence[Decimal | None]
) -> Figures:
    """What an offer comes to as far as it is written. Shares that do not sum to 100 are taken of the total each."""
    total = None
    if list_price is not None and (share is None) != (fixed_price is None):
        fixed = Money(fixed_price, list_price.currency) if fixed_price is not None else None
        try:
            check_discount(share=share, fixed_price=fixed, list_price=list_price)
            total = total_of(share=share, fixed_price=fixed, list_price=list_price)
        except Refused:
            total = None
    known = [each if each is not None and 0 < each < WHOLE else None for each in shares]
    together = sum((each for each in known if each is not None), Decimal(0))
    return Figures(list_price=list_price, total=total, shares=together, amounts=_amounts(total, known, together))


def _amounts(total: Money | None, shares: Sequence[Decimal | None], together: Decimal) -> tuple[Money | None, ...]:
    if total is None:
        return (None,) * len(shares)
    if together == WHOLE and None not in shares:
        parts = split_by_shares(whole=total, shares=[each for each in shares if each is not None])
        return tuple(part.amount for part in parts)
    return tuple((total * (each / WHOLE)).rounded() if each is not None else None for each in shares)


def check_validity(*, first: date, last: date, today: date) -> None:
    """Raise `Refused` with its field unless the validity lies in the future and ends after it begins."""
    if first < today:
        raise Refused("offer_in_the_past", field="valid_from")
    if last < first:
        raise Refused("offer_dates", field="valid_to")


def check_mode(*, billing_mode: str, milestones: bool, supervised: bool, delivery_method: str, uses: int) -> None:
    """Raise `Refused` unless an offer, or one with milestones, may be made for such a configuration."""
    if billing_mode not in OFFERED_MODES:
        raise Refused("offer_mode", field="plan")
    if not milestones:
        return
    if delivery_method not in MILESTONE_METHODS:
        raise Refused("milestone_method", field="involves_milestones")
    if not supervised:
        raise Refused("milestone_not_supervised", field="involves_milestones")
    if billing_mode != BillingMode.ONE_TIME:
        raise Refused("milestone_one_time", field="plan")
    if uses != 1:
        raise Refused("milestone_one_order", field="uses")


def milestone_amounts(milestones: Sequence[MilestoneTerms], *, total: Money) -> tuple[Money, ...]:
    """What is billed for each milestone of a total (R11); they sum to it.

    Raises `Refused` with the field at fault (`milestone-<index from 0>-<name>`): fewer than 2 or more than 12, a name
    or delivery that is missing, a share that is not more than 0 with at most two decimals, shares that do not sum to
    100, a share that comes to nothing in the currency.
    """
    if not FEWEST_MILESTONES <= len(milestones) <= MOST_MILESTONES:
        raise Refused("milestone_count", field="milestones", fewest=FEWEST_MILESTONES, most=MOST_MILESTONES)
    for index, each in enumerate(milestones):
        if not each.name.strip():
            raise Refused("milestone_name", field=f"milestone-{index}-name")
        if not each.delivery.strip():
            raise Refused("milestone_delivery", field=f"milestone-{index}-delivery")
        if each.share <= 0 or each.share >= WHOLE or decimals(each.share) > PERCENT_DIGITS:
            raise Refused("milestone_share", field=f"milestone-{index}-share")
    together = sum((each.share for each in milestones), Decimal(0))
    if together != WHOLE:
        raise Refused("milestone_shares_sum", field="milestones", sum=f"{together.normalize():f}")
    amounts = tuple(part.amount for part in split_by_shares(whole=total, shares=[each.share for each in milestones]))
    for index, amount in enumerate(amounts):
        if not amount:
            raise Refused("milestone_too_small", field=f"milestone-{index}-share")
    return amounts


def decimals(number: Decimal) -> int:
    """How many decimals a number has, trailing zeros left out."""
    exponent = number.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 99
