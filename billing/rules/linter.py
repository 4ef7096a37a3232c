"""Warnings about price plans that surprise buyers; they inform the seller and never block (`catalog.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from django.utils.translation import gettext, gettext_noop

from billing.rules.explanation import exact, shown, to_decimal
from billing.rules.plans import NotPriced, PricePlan
from billing.rules.terms import TermUnit
from koogallery.kernel.money import Money

LARGER_IS_CHEAPER = gettext_noop(
    "%(larger)s units cost %(larger_price)s in total, less than %(smaller)s units at %(smaller_price)s."
)
YEAR_EXCEEDS_MONTHS = gettext_noop(
    "A year costs %(yearly)s, more than twelve months at %(monthly)s each (quantity %(quantity)s)."
)
LENGTH_EXCEEDS_UNITS = gettext_noop(
    "A length of %(count)s costs %(price)s, more than %(count)s single terms (%(single)s)."
)
LONGER_IS_CHEAPER = gettext_noop("A length of %(longer)s costs less in total than a length of %(shorter)s.")


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One warning: a stable code, and a sentence in the language in force."""

    code: str
    template: str
    params: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        """What the seller reads."""
        return gettext(self.template) % dict(self.params)


def _warning(code: str, template: str, **params: object) -> PlanWarning:
    return PlanWarning(code=code, template=template, params=tuple((name, str(value)) for name, value in params.items()))


def lint_plan(*, plan: PricePlan, step: Decimal = Decimal(1)) -> list[PlanWarning]:
    """Warnings about one plan; `step` is the step of its quantity attribute."""
    return [*_bands(plan, step=step), *_lengths(plan)]


def lint_cycles(*, monthly: PricePlan, yearly: PricePlan) -> list[PlanWarning]:
    """Warnings about a specification sold by month and by year: a year should not exceed twelve months."""
    firsts = {band.first for plan in (monthly, yearly) for band in plan.bands} or {Decimal(1)}
    warnings = []
    for quantity in sorted(firsts):
        try:
            by_month = monthly.unit_price_at(quantity=quantity)
            by_year = yearly.term_unit_price(months=12, quantity=quantity)
        except NotPriced:
            continue
        if by_year > exact(by_month) * 12:
            params = {
                "yearly": Money(to_decimal(by_year), yearly.currency),
                "monthly": Money(by_month, monthly.currency),
                "quantity": shown(quantity),
            }
            warnings.append(_warning("year_exceeds_months", YEAR_EXCEEDS_MONTHS, **params))
    return warnings


def _bands(plan: PricePlan, *, step: Decimal) -> list[PlanWarning]:
    warnings = []
    for below, band in pairwise(plan.bands):
        smaller = band.first - step
        smaller_price, larger_price = smaller * below.unit_price, band.first * band.unit_price
        if smaller >= below.first and larger_price < smaller_price:
            warnings.append(
                _warning(
                    "larger_is_cheaper",
                    LARGER_IS_CHEAPER,
                    larger=shown(band.first),
                    larger_price=Money(larger_price, plan.currency),
                    smaller=shown(smaller),
                    smaller_price=Money(smaller_price, plan.currency),
                )
            )
    return warnings


def _lengths(plan: PricePlan) -> list[PlanWarning]:
    if plan.term_unit is None:
        return []
    per_term = 12 if plan.term_unit is TermUnit.YEAR else 1
    quantity = plan.bands[0].first if plan.bands else Decimal(1)
    single = exact(plan.unit_price_at(quantity=quantity))
    counts = sorted({1, *plan.lengths, *(each.count for each in plan.length_prices)})
    prices = {count: plan.term_unit_price(months=count * per_term, quantity=quantity) for count in counts}
    warnings = [
        _warning(
            "length_exceeds_units",
            LENGTH_EXCEEDS_UNITS,
            count=count,
            price=Money(to_decimal(price), plan.currency),
            single=Money(to_decimal(single * count), plan.currency),
        )
        for count, price in prices.items()
        if price > single * count
    ]
    warnings += [
        _warning("longer_is_cheaper", LONGER_IS_CHEAPER, longer=longer, shorter=shorter)
        for shorter, longer in pairwise(counts)
        if prices[longer] < prices[shorter]
    ]
    return warnings
