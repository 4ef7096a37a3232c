"""Fees for changing a running resource: upgrade, scale-out, change upon renewal (guide 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext_noop

from billing.rules.calendar import is_from
from billing.rules.discounts import FULL_PRICE
from billing.rules.explanation import Explanation, Step, decode, exact, rule, shown, step
from billing.rules.plans import NotPriced, PriceModel, PricePlan
from billing.rules.pricing import RenewalPrice, price_renewal
from billing.rules.terms import Term, TermLength, TermUnit, add_months, fee_days
from koogallery import clock
from koogallery.kernel.money import Money

VOLUME_RULE_FROM = date(2023, 6, 12)
DAYS_OF_MONTH = 30
MONTHS_OF_YEAR = 12

REMAINING_DAYS = gettext_noop("Remaining days of the term until %(expiry)s")
WHOLE_TERM = gettext_noop("Whole term until %(expiry)s")
DAYS_OF_TERM = gettext_noop("Days of the term")
OLD_PRICE = gettext_noop("Price of the current configuration for the term")
OLD_QUANTITY = gettext_noop("Quantity now")
NEW_QUANTITY = gettext_noop("Quantity after the change")
NEW_PRICE = gettext_noop("Price of the new configuration for the term")
NEW_PRICE_REMAINING = gettext_noop("New configuration for the remaining days")
OLD_PRICE_REMAINING = gettext_noop("Current configuration for the remaining days")
NEW_BY_YEAR = gettext_noop("New configuration: yearly price per day times remaining days")
NEW_BY_MONTHS = gettext_noop("New configuration: whole months, then 1/30 of the monthly price for each day left")
ADDED_UNITS = gettext_noop("Added quantity at the unit price in the band of the new total")
DIFFERENCE = gettext_noop("Difference times discount share")
SUM_OF_TERMS = gettext_noop("Sum of all terms")
FLOOR = gettext_noop("A change never costs less than nothing; nothing is credited")


class Proration(StrEnum):
    """How the new configuration is priced for the remaining duration (policy `proration.new_price`)."""

    REMAINING_DURATION = "remaining_duration"
    SAME_CYCLE = "same_cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTerm:
    """A term that is paid: its dates, length, full list price of the configuration now in force, and discount share.

    `list_price` is for `length` alone; `extra_days` are those a unified renewal date added to it.
    """

    term: Term
    length: TermLength
    list_price: Decimal
    share: Decimal = FULL_PRICE
    extra_days: int = 0

    @property
    def plain_days(self) -> int:
        """Days of the term without the extra ones: what the list price is divided by (R5)."""
        return self.term.days - self.extra_days


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    """The fee of a change within the term; 0.00 still needs a confirmation and a change order."""

    amount: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upgrade:
    changed_at: datetime
    terms: tuple[PaidTerm, ...]
    monthly: PricePlan | None
    yearly: PricePlan | None
    quantity: Decimal
    items: int
    proration: Proration
    floor_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScaleOut:
    changed_at: datetime
    terms: tuple[PaidTerm, ...]
    monthly: PricePlan | None
    yearly: PricePlan | None
    old_quantity: Decimal
    new_quantity: Decimal
    items: int
    floor_zero: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """The part of a paid term that a change covers: counted from `since`, `days` long."""

    paid: PaidTerm
    since: date
    days: int
    anchor_day: int

    @property
    def share_of_term(self) -> Fraction:
        return Fraction(self.days, self.paid.plain_days)

    @property
    def is_whole(self) -> bool:
        return self.since == self.paid.term.start

    def fact(self) -> Step:
        label = WHOLE_TERM if self.is_whole else REMAINING_DAYS
        return step(label, self.days, expiry=self.paid.term.end.isoformat())

    def portion(self, label: str, price: Fraction) -> tuple[Fraction, Step]:
        """The part of a term's price that falls on this span."""
        part = price * self.share_of_term
        return part, step(label, part, formula=f"{shown(price)} × {self.days} ÷ {self.paid.plain_days}")


def price_upgrade(
    *,
    changed_at: datetime,
    terms: Sequence[PaidTerm],
    monthly: PricePlan | None = None,
    yearly: PricePlan | None = None,
    quantity: Decimal | int = 1,
    items: int = 1,
    proration: Proration = Proration.REMAINING_DURATION,
    floor_zero: bool = True,
) -> ChangePrice:
    """(N − old × D / T) × discount, over the running term and every later one, rounded once, at least 0.

    `monthly` and `yearly` are the plans of the new configuration in the cycles that are sold. Raises `NotPriced` when
    none is sold or no term is running.
    """
    _plan_currency(monthly, yearly)
    return _upgrade(
        _Upgrade(
            changed_at=changed_at,
            terms=tuple(terms),
            monthly=monthly,
            yearly=yearly,
            quantity=Decimal(quantity),
            items=items,
            proration=proration,
            floor_zero=floor_zero,
        )
    )


@rule(name="upgrade", version="1", inputs=_Upgrade)
def _upgrade(inputs: _Upgrade) -> ChangePrice:
    facts: list[Step] = []
    steps: list[Step] = []
    parts: list[Fraction] = []
    for span in _spans(changed_at=inputs.changed_at, terms=inputs.terms):
        facts += [span.fact(), step(DAYS_OF_TERM, span.paid.plain_days), step(OLD_PRICE, exact(span.paid.list_price))]
        new, new_steps = _new_price(inputs, span)
        old, old_step = span.portion(OLD_PRICE_REMAINING, exact(span.paid.list_price))
        parts.append(_difference(new=new, old=old, share=span.paid.share))
        steps += [*new_steps, old_step, _difference_step(new=new, old=old, share=span.paid.share)]
    return _change_price(_upgrade.explain, inputs=inputs, parts=parts, facts=facts, steps=steps)


def price_scale_out(
    *,
    changed_at: datetime,
    terms: Sequence[PaidTerm],
    old_quantity: Decimal | int,
    new_quantity: Decimal | int,
    monthly: PricePlan | None = None,
    yearly: PricePlan | None = None,
    items: int = 1,
    floor_zero: bool = True,
) -> ChangePrice:
    """The fee for more of the same: by linear, tiered or volume pricing, over the running term and every later one.

    Volume pricing charges the added quantity alone from 2023-06-12 00:00:00 of the change order's time (R6). Raises
    `NotPriced` unless the quantity grows, a cycle is sold, its price follows the quantity, and a term is running.
    """
    _plan_currency(monthly, yearly)
    if new_quantity <= old_quantity:
        raise NotPriced("Within the term only a greater quantity is sold.")
    return _scale_out(
        _ScaleOut(
            changed_at=changed_at,
            terms=tuple(terms),
            monthly=monthly,
            yearly=yearly,
            old_quantity=Decimal(old_quantity),
            new_quantity=Decimal(new_quantity),
            items=items,
            floor_zero=floor_zero,
        )
    )


@rule(name="scale_out", version="1", inputs=_ScaleOut)
def _scale_out(inputs: _ScaleOut) -> ChangePrice:
    facts = [step(OLD_QUANTITY, inputs.old_quantity), step(NEW_QUANTITY, inputs.new_quantity)]
    steps: list[Step] = []
    parts: list[Fraction] = []
    for span in _spans(changed_at=inputs.changed_at, terms=inputs.terms):
        plan = _plan_of_cycle(inputs.monthly, inputs.yearly, length=span.paid.length)
        if not plan.model.counts_quantity:
            raise NotPriced("A flat price does not follow the quantity.")
        facts += [span.fact(), step(DAYS_OF_TERM, span.paid.plain_days), step(OLD_PRICE, exact(span.paid.list_price))]
        unit = plan.term_unit_price(months=span.paid.length.months, quantity=inputs.new_quantity)
        if plan.model is PriceModel.VOLUME and is_from(inputs.changed_at, day=VOLUME_RULE_FROM):
            added = (inputs.new_quantity - inputs.old_quantity) * inputs.items
            price = unit * exact(added)
            steps.append(step(ADDED_UNITS, price, formula=f"{shown(unit)} × {shown(added)}"))
            new, new_step = span.portion(NEW_PRICE_REMAINING, price)
            old = Fraction(0)
            steps.append(new_step)
        else:
            total = inputs.new_quantity * inputs.items
            price = unit * exact(total)
            steps.append(step(NEW_PRICE, price, formula=f"{shown(unit)} × {shown(total)}"))
            new, new_step = span.portion(NEW_PRICE_REMAINING, price)
            old, old_step = span.portion(OLD_PRICE_REMAINING, exact(span.paid.list_price))
            steps += [new_step, old_step]
        parts.append(_difference(new=new, old=old, share=span.paid.share))
        steps.append(_difference_step(new=new, old=old, share=span.paid.share))
    return _change_price(_scale_out.explain, inputs=inputs, parts=parts, facts=facts, steps=steps)


def full_prices(stored: Mapping[str, Any]) -> dict[date, Fraction]:
    """The full price of the new configuration, unrounded, for each term that a change covers, by the term's start.

    `stored` is the fee's explanation, so that the prices are those in force when it was quoted; they are what a second
    change within the term counts as old. Raises `ValueError` for the explanation of something else.
    """
    known = {"upgrade": _Upgrade, "scale_out": _ScaleOut}
    if stored["rule"] not in known:
        raise ValueError(f"{stored['rule']} changes no configuration.")
    inputs: _Upgrade | _ScaleOut = decode(known[stored["rule"]], stored["inputs"])
    quantity = inputs.quantity if isinstance(inputs, _Upgrade) else inputs.new_quantity
    return {
        paid.term.start: _plan_of_cycle(inputs.monthly, inputs.yearly, length=paid.length).term_price(
            months=paid.length.months, quantity=quantity, items=inputs.items
        )
        for paid in inputs.terms
    }


def price_change_upon_renewal(
    *,
    plan: PricePlan,
    term: Term,
    length: TermLength,
    quantity: Decimal | int = 1,
    items: int = 1,
    share: Decimal = FULL_PRICE,
) -> RenewalPrice:
    """The full price of the new configuration for the renewal term, times the resource's discount; no unified date."""
    return price_renewal(plan=plan, term=term, length=length, quantity=quantity, items=items, share=share)


def _plan_currency(monthly: PricePlan | None, yearly: PricePlan | None) -> str:
    plans = [plan for plan in (monthly, yearly) if plan is not None]
    if not plans:
        raise NotPriced("The new configuration is not sold by month or year.")
    if len({plan.currency for plan in plans}) > 1:
        raise NotPriced("Both cycles are priced in one currency.")
    return plans[0].currency


def _plan_of_cycle(monthly: PricePlan | None, yearly: PricePlan | None, *, length: TermLength) -> PricePlan:
    """The plan of the cycle the term was bought in, else the only one sold."""
    preferred = (yearly, monthly) if length.unit is TermUnit.YEAR else (monthly, yearly)
    for plan in preferred:
        if plan is not None:
            return plan
    raise NotPriced("The new configuration is not sold by month or year.")


def _spans(*, changed_at: datetime, terms: tuple[PaidTerm, ...]) -> list[_Span]:
    """The running term from the day of the change, and later ones whole."""
    today = clock.platform_date(changed_at)
    open_terms = sorted((paid for paid in terms if paid.term.end >= today), key=lambda paid: paid.term.start)
    if not open_terms or not open_terms[0].term.contains(today):
        raise NotPriced("No paid term is running.")
    running, *later = open_terms
    days = fee_days(expiry=running.term.end, today=today)
    spans = [_Span(paid=running, since=today, days=days, anchor_day=today.day)]
    for paid in later:
        term = paid.term
        spans.append(_Span(paid=paid, since=term.start, days=term.days, anchor_day=term.anchor_day))
    return spans


def _new_price(inputs: _Upgrade, span: _Span) -> tuple[Fraction, list[Step]]:
    """N: the price of the new configuration for the remaining duration."""
    if inputs.monthly is None or inputs.yearly is None or inputs.proration is Proration.SAME_CYCLE:
        plan = _plan_of_cycle(inputs.monthly, inputs.yearly, length=span.paid.length)
        price = plan.term_price(months=span.paid.length.months, quantity=inputs.quantity, items=inputs.items)
        part, portion = span.portion(NEW_PRICE_REMAINING, price)
        return part, [step(NEW_PRICE, price), portion]
    expiry = span.paid.term.end
    year_end = add_months(day=span.since, months=MONTHS_OF_YEAR, anchor_day=span.anchor_day)
    if year_end <= expiry:
        price = inputs.yearly.term_price(months=MONTHS_OF_YEAR, quantity=inputs.quantity, items=inputs.items)
        days_of_year = (year_end - span.since).days
        part = price * span.days / days_of_year
        return part, [step(NEW_BY_YEAR, part, formula=f"{shown(price)} ÷ {days_of_year} × {span.days}")]
    price = inputs.monthly.term_price(months=1, quantity=inputs.quantity, items=inputs.items)
    months, left = _months_and_days(span)
    part = price * months + price * left / DAYS_OF_MONTH
    formula = f"{shown(price)} × {months} + {shown(price)} ÷ {DAYS_OF_MONTH} × {left}"
    return part, [step(NEW_BY_MONTHS, part, formula=formula)]


def _months_and_days(span: _Span) -> tuple[int, int]:
    """Whole months counted forward from the span's first day (R3), then the days left until the expiry date."""
    expiry = span.paid.term.end
    months, reached = 0, span.since
    while (following := add_months(day=span.since, months=months + 1, anchor_day=span.anchor_day)) <= expiry:
        months, reached = months + 1, following
    return months, span.days - (reached - span.since).days


def _difference(*, new: Fraction, old: Fraction, share: Decimal) -> Fraction:
    return (new - old) * exact(share)


def _difference_step(*, new: Fraction, old: Fraction, share: Decimal) -> Step:
    formula = f"({shown(new)} − {shown(old)}) × {shown(share)}" if old else f"{shown(new)} × {shown(share)}"
    return step(DIFFERENCE, _difference(new=new, old=old, share=share), formula=formula)


def _change_price(
    explain: Callable[..., Explanation],
    *,
    inputs: _Upgrade | _ScaleOut,
    parts: list[Fraction],
    facts: list[Step],
    steps: list[Step],
) -> ChangePrice:
    total = sum(parts, Fraction(0))
    if len(parts) > 1:
        steps.append(step(SUM_OF_TERMS, total, formula=" + ".join(shown(part) for part in parts)))
    if total < 0 and inputs.floor_zero:
        steps.append(step(FLOOR, Fraction(0), formula=f"max({shown(total)}, 0)"))
        total = Fraction(0)
    currency = _plan_currency(inputs.monthly, inputs.yearly)
    explanation = explain(inputs, total=total, currency=currency, facts=facts, steps=steps)
    return ChangePrice(amount=explanation.amount, explanation=explanation)
