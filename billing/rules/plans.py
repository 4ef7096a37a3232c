"""Price plans as values: what a specification costs, in one currency, by quantity and term length."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.rules.explanation import exact
from billing.rules.terms import TermLength, TermUnit


class BillingMode(StrEnum):
    """How a plan charges."""

    PERIOD = "PERIOD"
    ONE_TIME = "ONE_TIME"
    ON_DEMAND = "ON_DEMAND"
    ON_DEMAND_PKG = "ON_DEMAND_PKG"


class PriceModel(StrEnum):
    """How the price follows the quantity. `PER_SKU` is a flat price of one cell of the grid."""

    FLAT = "flat"
    LINEAR = "linear"
    TIERED = "tiered"
    VOLUME = "volume"
    PER_SKU = "sku"

    @property
    def counts_quantity(self) -> bool:
        """Whether the price grows with the quantity."""
        return self in (PriceModel.LINEAR, PriceModel.TIERED, PriceModel.VOLUME)

    @property
    def has_bands(self) -> bool:
        """Whether the unit price depends on the band of the quantity."""
        return self in (PriceModel.TIERED, PriceModel.VOLUME)


class NotPriced(ValueError):
    """The plan has no price for what was asked: quantity, length or unit is not sold."""


@dataclass(frozen=True, slots=True)
class Band:
    """From the quantity `first` on, a unit costs `unit_price`."""

    first: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class LengthPrice:
    """A length that the plan prices itself: as so many unit terms, or by prices of its own.

    With `charged_terms` 10, twelve months cost ten times the monthly price. Otherwise `unit_price` or `bands` is the
    price of the whole length.
    """

    count: int
    charged_terms: Decimal | None = None
    unit_price: Decimal | None = None
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePlan:
    """A billing mode with its prices.

    `unit_price` is per unit term (`PERIOD`), per unit used (`ON_DEMAND`), per package, or once. Raises `ValueError` for
    negative prices, missing prices, bands out of order, or a `PERIOD` plan without unit.
    """

    mode: BillingMode
    model: PriceModel
    currency: str
    unit_price: Decimal = Decimal(0)
    bands: tuple[Band, ...] = ()
    term_unit: TermUnit | None = None
    lengths: tuple[int, ...] = ()
    length_prices: tuple[LengthPrice, ...] = ()

    def __post_init__(self) -> None:
        if self.mode is BillingMode.PERIOD and self.term_unit not in (TermUnit.MONTH, TermUnit.YEAR):
            raise ValueError("A yearly/monthly plan is priced by month or by year.")
        if self.model.has_bands != bool(self.bands):
            raise ValueError("Tiered and volume plans, and only they, have bands.")
        special = [each.unit_price for each in self.length_prices if each.unit_price is not None]
        charged = [each.charged_terms for each in self.length_prices if each.charged_terms is not None]
        bands = [*self.bands, *(band for each in self.length_prices for band in each.bands)]
        if any(price < 0 for price in [self.unit_price, *special, *charged, *(band.unit_price for band in bands)]):
            raise ValueError("A price is not negative.")
        if any(
            each.charged_terms is None and (self.model.has_bands != bool(each.bands) or _has_no_price(each))
            for each in self.length_prices
        ):
            raise ValueError("A length has prices of the plan's own kind.")
        for ladder in [self.bands, *(each.bands for each in self.length_prices)]:
            firsts = [band.first for band in ladder]
            if firsts != sorted(set(firsts)):
                raise ValueError("Bands begin at growing quantities.")

    def offers(self, length: TermLength) -> bool:
        """Whether the length is on sale. Only `PERIOD` plans have lengths; an empty list sells every length."""
        if self.mode is not BillingMode.PERIOD or length.unit is TermUnit.DAY:
            return False
        count = Fraction(length.months, self._months_per_term)
        return count.denominator == 1 and (not self.lengths or int(count) in self.lengths)

    @property
    def _months_per_term(self) -> int:
        return 12 if self.term_unit is TermUnit.YEAR else 1

    def counted_quantity(self, *, quantity: Decimal, items: int) -> Decimal:
        """What the unit price is multiplied by: quantity × items, or the items alone where quantity has no price."""
        return quantity * items if self.model.counts_quantity else Decimal(items)

    def unit_price_at(self, *, quantity: Decimal) -> Decimal:
        """Price per unit and unit term in the band of `quantity`. Raises `NotPriced` below the first band."""
        return _unit_price(price=self.unit_price, bands=self.bands, quantity=quantity)

    def length_price(self, *, months: int) -> LengthPrice | None:
        """The plan's own price of exactly this length, if it has one."""
        for each in self.length_prices:
            if each.count * self._months_per_term == months:
                return each
        return None

    def term_unit_price(self, *, months: int, quantity: Decimal) -> Fraction:
        """Price of one unit for a whole term of `months`, in the band of `quantity`; unrounded.

        A yearly plan prices months as twelfths; only changes of a running term ask for that.
        """
        if self.mode is not BillingMode.PERIOD:
            raise NotPriced("Only yearly/monthly plans price a term.")
        own = self.length_price(months=months)
        if own is not None and own.charged_terms is None:
            return exact(_unit_price(price=own.unit_price or Decimal(0), bands=own.bands, quantity=quantity))
        terms = Fraction(months, self._months_per_term) if own is None else exact(own.charged_terms or 0)
        return exact(self.unit_price_at(quantity=quantity)) * terms

    def term_price(self, *, months: int, quantity: Decimal, items: int) -> Fraction:
        """Full price for a term of `months`, before discount; unrounded."""
        counted = self.counted_quantity(quantity=quantity, items=items)
        return self.term_unit_price(months=months, quantity=quantity) * exact(counted)


def _has_no_price(length: LengthPrice) -> bool:
    return length.charged_terms is None and length.unit_price is None and not length.bands


def _unit_price(*, price: Decimal, bands: tuple[Band, ...], quantity: Decimal) -> Decimal:
    if not bands:
        return price
    reached = [band for band in bands if band.first <= quantity]
    if not reached:
        raise NotPriced(f"No band begins at {quantity} or below.")
    return reached[-1].unit_price
