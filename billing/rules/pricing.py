"""Prices of purchases, renewals and use (`pricing.md`, Purchase and Renewal)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from django.utils.translation import gettext_noop

from billing.rules.discounts import FIXED_SENTENCE, FULL_PRICE, SOURCE_SENTENCES, Discount, DiscountSource
from billing.rules.explanation import Explanation, Step, exact, rule, shown, step, to_decimal
from billing.rules.plans import BillingMode, NotPriced, PricePlan
from billing.rules.terms import Term, TermLength, TermUnit
from koogallery.kernel.money import Money

SHARE_DIGITS = Decimal("1E-10")

QUANTITY = gettext_noop("Quantity")
ITEMS = gettext_noop("Items")
TERM_MONTHS = gettext_noop("Term in months")
TERM_YEARS = gettext_noop("Term in years")
TERM_DAYS = gettext_noop("Term in days")
UNIT_PRICE = gettext_noop("Unit price")
UNIT_PRICE_IN_BAND = gettext_noop("Unit price in the band of %(quantity)s")
PRICE_PER_TERM = gettext_noop("Price of one term times number of terms")
PRICE_OF_LENGTH = gettext_noop("Price that the plan sets for this length")
CHARGED_TERMS = gettext_noop("The plan charges this length as %(terms)s terms")
TIMES_QUANTITY = gettext_noop("Times quantity and items")
LIST_PRICE = gettext_noop("List price")
LIST_PRICE_OF_OFFER = gettext_noop("List price when the offer was made")
NOTHING_DUE = gettext_noop("Nothing is due at purchase; use is billed later")
TRIAL = gettext_noop("The trial is free")
KEPT_DISCOUNT = gettext_noop("Discount of the resource: %(percent)s%% of the price is paid")
EXTRA_DAYS = gettext_noop("Extra days up to the unified renewal date")
EXTRA_DAYS_PRICE = gettext_noop("Day rate times extra days")
TERM_PRICE = gettext_noop("Price of the renewal term")
USED = gettext_noop("Units used")


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasePrice:
    """What a purchase costs.

    `list_price` is the full price before discount, unrounded; it and `share` stay with the resource for later changes.
    `discount` is the one that won, none when the list price did; `candidates` are all totals in the order given.
    """

    amount: Money
    list_price: Money
    discount: Discount | None
    share: Decimal
    candidates: tuple[tuple[Discount, Money], ...]
    explanation: Explanation

    @property
    def saved(self) -> Money:
        """List price less amount, rounded."""
        return self.list_price.rounded() - self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purchase:
    plan: PricePlan
    quantity: Decimal
    items: int
    length: TermLength | None
    discounts: tuple[Discount, ...]


def price_purchase(
    *,
    plan: PricePlan,
    quantity: Decimal | int = 1,
    items: int = 1,
    length: TermLength | None = None,
    discounts: Sequence[Discount] = (),
) -> PurchasePrice:
    """The total of one purchase line in the plan's currency, by the discount with the lowest total.

    `length` is needed for yearly/monthly plans and refused elsewhere. Pay-per-use costs nothing at purchase.
    Raises `NotPriced` when the plan does not sell that quantity or length.
    """
    _check_counts(quantity=quantity, items=items)
    if (plan.mode is BillingMode.PERIOD) != (length is not None):
        raise NotPriced("Yearly/monthly plans, and only they, are bought for a length.")
    if length is not None and not plan.offers(length):
        raise NotPriced(f"{length.count} {length.unit} is not on sale.")
    return _purchase(
        _Purchase(plan=plan, quantity=Decimal(quantity), items=items, length=length, discounts=tuple(discounts))
    )


def _check_counts(*, quantity: Decimal | int, items: int) -> None:
    exact(quantity)
    if quantity <= 0 or items < 1:
        raise NotPriced("Quantity and items are more than zero.")


@rule(name="purchase", version="1", inputs=_Purchase)
def _purchase(inputs: _Purchase) -> PurchasePrice:
    plan = inputs.plan
    list_price, steps = _list_price(inputs)
    ranked = [(discount, *_discounted(list_price=list_price, discount=discount)) for discount in inputs.discounts]
    candidates = tuple((discount, _rounded(total, plan.currency)) for discount, total, _ in ranked)
    total, discount, steps_of_discount = list_price, None, []
    order = list(DiscountSource)
    for each, its_total, its_steps in sorted(ranked, key=lambda entry: order.index(entry[0].source)):
        if _rounded(its_total, plan.currency) < _rounded(total, plan.currency):
            total, discount, steps_of_discount = its_total, each, its_steps
    explanation = _purchase.explain(
        inputs, total=total, currency=plan.currency, facts=_facts(inputs), steps=[*steps, *steps_of_discount]
    )
    return PurchasePrice(
        amount=explanation.amount,
        list_price=Money(to_decimal(list_price), plan.currency),
        discount=discount,
        share=_share(total=total, list_price=list_price, discount=discount),
        candidates=candidates,
        explanation=explanation,
    )


def _rounded(total: Fraction, currency: str) -> Money:
    return Money(to_decimal(total), currency).rounded()


def _share(*, total: Fraction, list_price: Fraction, discount: Discount | None) -> Decimal:
    """The share that stays with the resource; for a fixed price, the part of the list price it comes to."""
    if discount is None:
        return FULL_PRICE
    if discount.share is not None and discount.list_price is None:
        return discount.share
    if not list_price:
        return FULL_PRICE
    return to_decimal(total / list_price).quantize(SHARE_DIGITS, rounding=ROUND_HALF_UP)


def _discounted(*, list_price: Fraction, discount: Discount) -> tuple[Fraction, list[Step]]:
    if discount.fixed_price is not None:
        return exact(discount.fixed_price), [step(FIXED_SENTENCE, exact(discount.fixed_price))]
    share = discount.share if discount.share is not None else FULL_PRICE
    basis, steps = list_price, []
    if discount.list_price is not None:
        basis = exact(discount.list_price)
        steps.append(step(LIST_PRICE_OF_OFFER, basis))
    return basis * exact(share), [*steps, _share_step(SOURCE_SENTENCES[discount.source], basis=basis, share=share)]


def _share_step(label: str, *, basis: Fraction, share: Decimal) -> Step:
    percent = shown(share * 100)
    return step(label, basis * exact(share), formula=f"{shown(basis)} × {shown(share)}", percent=percent)


def _facts(inputs: _Purchase) -> list[Step]:
    facts = []
    if inputs.plan.model.counts_quantity:
        facts.append(step(QUANTITY, inputs.quantity))
    facts.append(step(ITEMS, inputs.items))
    if inputs.length is not None:
        facts.append(_length_fact(inputs.length))
    return facts


def _length_fact(length: TermLength) -> Step:
    labels = {TermUnit.DAY: TERM_DAYS, TermUnit.MONTH: TERM_MONTHS, TermUnit.YEAR: TERM_YEARS}
    return step(labels[length.unit], length.count)


def _list_price(inputs: _Purchase) -> tuple[Fraction, list[Step]]:
    if inputs.plan.mode is BillingMode.ON_DEMAND:
        return Fraction(0), [step(NOTHING_DUE, 0)]
    months = inputs.length.months if inputs.length is not None else None
    return configuration_price(plan=inputs.plan, quantity=inputs.quantity, items=inputs.items, months=months)


def configuration_price(
    *, plan: PricePlan, quantity: Decimal, items: int, months: int | None
) -> tuple[Fraction, list[Step]]:
    """Full price of a configuration before discount, unrounded, and its steps; `months` for yearly/monthly plans."""
    counted = plan.counted_quantity(quantity=quantity, items=items)
    steps = []
    if months is None:
        unit = exact(plan.unit_price_at(quantity=quantity))
        steps.append(_unit_step(plan, unit=unit, quantity=quantity))
    else:
        unit = plan.term_unit_price(months=months, quantity=quantity)
        own = plan.length_price(months=months)
        if own is not None and own.charged_terms is None:
            steps.append(step(PRICE_OF_LENGTH, unit))
        else:
            single = exact(plan.unit_price_at(quantity=quantity))
            steps.append(_unit_step(plan, unit=single, quantity=quantity))
            if own is not None:
                steps.append(step(CHARGED_TERMS, own.charged_terms or 0, terms=shown(own.charged_terms or 0)))
            if unit != single:
                steps.append(
                    step(PRICE_PER_TERM, unit, formula=f"{shown(single)} × {shown(to_decimal(unit / single))}")
                )
    total = unit * exact(counted)
    if counted != 1:
        steps.append(step(TIMES_QUANTITY, total, formula=f"{shown(unit)} × {shown(counted)}"))
    return total, [*steps, step(LIST_PRICE, total)]


def _unit_step(plan: PricePlan, *, unit: Fraction, quantity: Decimal) -> Step:
    if plan.model.has_bands:
        return step(UNIT_PRICE_IN_BAND, unit, quantity=shown(quantity))
    return step(UNIT_PRICE, unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPrice:
    """Nothing, and why."""

    amount: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    currency: str
    days: int


def price_trial(*, currency: str, days: int) -> TrialPrice:
    """A trial of `days` days: 0.00."""
    return _trial(_Trial(currency=currency, days=days))


@rule(name="trial", version="1", inputs=_Trial)
def _trial(inputs: _Trial) -> TrialPrice:
    explanation = _trial.explain(
        inputs,
        total=Fraction(0),
        currency=inputs.currency,
        facts=[step(TERM_DAYS, inputs.days)],
        steps=[step(TRIAL, 0)],
    )
    return TrialPrice(amount=explanation.amount, explanation=explanation)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePrice:
    """What reported use or hours cost."""

    amount: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usage:
    plan: PricePlan
    used: Decimal
    share: Decimal


def price_usage(*, plan: PricePlan, used: Decimal | int, share: Decimal = FULL_PRICE) -> UsagePrice:
    """The charge for `used` units (hours, calls) of a pay-per-use plan, times the share that is paid.

    Raises `NotPriced` for another billing mode or a negative use.
    """
    exact(used)
    if plan.mode is not BillingMode.ON_DEMAND or used < 0:
        raise NotPriced("Only use of pay-per-use plans is charged.")
    return _usage(_Usage(plan=plan, used=Decimal(used), share=share))


@rule(name="usage", version="1", inputs=_Usage)
def _usage(inputs: _Usage) -> UsagePrice:
    unit = exact(inputs.plan.unit_price_at(quantity=inputs.used)) if inputs.used else Fraction(0)
    basis = unit * exact(inputs.used)
    total = basis * exact(inputs.share)
    steps = [
        _unit_step(inputs.plan, unit=unit, quantity=inputs.used),
        step(TIMES_QUANTITY, basis, formula=f"{shown(unit)} × {shown(inputs.used)}"),
        *_kept_discount(basis=basis, share=inputs.share),
    ]
    explanation = _usage.explain(
        inputs, total=total, currency=inputs.plan.currency, facts=[step(USED, inputs.used)], steps=steps
    )
    return UsagePrice(amount=explanation.amount, explanation=explanation)


def _kept_discount(*, basis: Fraction, share: Decimal) -> list[Step]:
    return [] if share == 1 else [_share_step(KEPT_DISCOUNT, basis=basis, share=share)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPrice:
    """What a renewal costs and the term it buys.

    Before discount and unrounded, `term_price` is the full price of the length, `list_price` that with `extra_days`.
    """

    amount: Money
    term: Term
    extra_days: int
    term_price: Money
    list_price: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    plan: PricePlan
    quantity: Decimal
    items: int
    term: Term
    length: TermLength
    share: Decimal
    unified_day: int | None


def price_renewal(
    *,
    plan: PricePlan,
    term: Term,
    length: TermLength,
    quantity: Decimal | int = 1,
    items: int = 1,
    share: Decimal = FULL_PRICE,
    unified_day: int | None = None,
) -> RenewalPrice:
    """The price of renewing `term` by `length` in its current configuration, times the resource's discount share.

    The new term starts at the previous expiry date and keeps the anchor day (R3). A unified renewal date (day 1–28, or
    31 for the last of the month) adds day rate × extra days; one sum, rounded once. Raises `NotPriced`.
    """
    _check_counts(quantity=quantity, items=items)
    if length.unit is TermUnit.DAY:
        raise NotPriced("A renewal is for months or years.")
    return _renewal(
        _Renewal(
            plan=plan,
            quantity=Decimal(quantity),
            items=items,
            term=term,
            length=length,
            share=share,
            unified_day=unified_day,
        )
    )


@rule(name="renewal", version="1", inputs=_Renewal)
def _renewal(inputs: _Renewal) -> RenewalPrice:
    plain = inputs.term.renewed(length=inputs.length)
    term = inputs.term.renewed(length=inputs.length, unified_day=inputs.unified_day)
    extra_days = (term.end - plain.end).days
    price, steps = configuration_price(
        plan=inputs.plan, quantity=inputs.quantity, items=inputs.items, months=inputs.length.months
    )
    basis = price
    facts = [step(QUANTITY, inputs.quantity)] if inputs.plan.model.counts_quantity else []
    facts += [step(ITEMS, inputs.items), _length_fact(inputs.length)]
    if extra_days:
        extra = price * extra_days / plain.days
        basis = price + extra
        facts += [step(EXTRA_DAYS, extra_days), step(TERM_DAYS, plain.days)]
        steps.append(step(EXTRA_DAYS_PRICE, extra, formula=f"{shown(price)} ÷ {plain.days} × {extra_days}"))
        steps.append(step(TERM_PRICE, basis, formula=f"{shown(price)} + {shown(extra)}"))
    steps += _kept_discount(basis=basis, share=inputs.share)
    explanation = _renewal.explain(
        inputs, total=basis * exact(inputs.share), currency=inputs.plan.currency, facts=facts, steps=steps
    )
    return RenewalPrice(
        amount=explanation.amount,
        term=term,
        extra_days=extra_days,
        term_price=Money(to_decimal(price), inputs.plan.currency),
        list_price=Money(to_decimal(basis), inputs.plan.currency),
        explanation=explanation,
    )
