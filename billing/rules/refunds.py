"""What is given back: yearly/monthly images by formula (`pricing.md`), other lines by what both sides agreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext_noop

from billing.rules.explanation import Explanation, exact, rule, shown, step, to_decimal
from billing.rules.terms import TermLength, TermUnit, add_months
from koogallery import clock
from koogallery.kernel.money import Money

HOUR = timedelta(hours=1)
FEES_BY_YEARS = {
    1: (Decimal("0.10"),),
    2: (Decimal("0.15"), Decimal("0.10")),
    3: (Decimal("0.15"), Decimal("0.10"), Decimal("0.05")),
}

PAID = gettext_noop("Paid")
ORDERED_HOURS = gettext_noop("Ordered hours")
USED_HOURS = gettext_noop("Used hours")
CONSUMED = gettext_noop("Consumed: paid × used hours ÷ ordered hours")
FEE = gettext_noop("Handling fee: %(percent)s%% of the amount paid, in year %(year)s of the term")
LEFT = gettext_noop("Paid less consumed less fee")
FLOOR = gettext_noop("A refund is at least nothing")
NOT_STARTED = gettext_noop("The term has not started: everything is refunded, no fee")
REFUNDED_BEFORE = gettext_noop("Refunded before")
BILLED_UNPAID = gettext_noop("Billed and not yet paid")
ACTUAL_PAYMENT = gettext_noop("Actual payment")
AGREED = gettext_noop("Refund that both sides agreed on")
OFF_BILLS = gettext_noop("Less what is taken off unpaid bills")
FREE = gettext_noop("Within %(days)s days of provisioning, time %(time)s of %(allowed)s this year: everything, no fee")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPrice:
    """What is paid back. `consumed` and `fee` are rounded for display; the refund was rounded once, by itself.

    `is_free` when it is whole because of the free days after provisioning.
    """

    amount: Money
    consumed: Money
    fee: Money
    explanation: Explanation
    is_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImageRefund:
    paid: Decimal
    currency: str
    effective_at: datetime
    expires_at: datetime
    unsubscribed_at: datetime
    length: TermLength
    provisioned_at: datetime | None
    free_used: int
    free_days: int
    free_per_year: int
    starts_on: date | None = None


def price_image_refund(
    *,
    paid: Money,
    effective_at: datetime,
    expires_at: datetime,
    unsubscribed_at: datetime,
    length: TermLength,
    provisioned_at: datetime | None = None,
    free_used: int = 0,
    free_days: int = 5,
    free_per_year: int = 10,
    starts_on: date | None = None,
) -> RefundPrice:
    """paid − consumed − fee, at least 0; all of it before the term starts and within the free days of provisioning.

    `paid` is the actual payment (R13); `provisioned_at` is given for a first term only; `free_used` counts the free
    unsubscriptions the account has had this calendar year. A renewed term takes effect after the expiry date on which
    it starts: `starts_on`, from which its years are counted (R3). Raises `ValueError` for a term that does not end
    after it starts, one in days, or a negative payment.
    """
    if expires_at <= effective_at or length.unit is TermUnit.DAY or paid.amount < 0:
        raise ValueError("A refund needs a paid term in months or years.")
    return _image_refund(
        _ImageRefund(
            paid=paid.amount,
            currency=paid.currency,
            effective_at=effective_at,
            expires_at=expires_at,
            unsubscribed_at=unsubscribed_at,
            length=length,
            provisioned_at=provisioned_at,
            free_used=free_used,
            free_days=free_days,
            free_per_year=free_per_year,
            starts_on=starts_on,
        )
    )


@rule(name="image_refund", version="1", inputs=_ImageRefund)
def _image_refund(inputs: _ImageRefund) -> RefundPrice:
    paid = exact(inputs.paid)
    facts = [step(PAID, paid)]
    consumed, fee, is_free = Fraction(0), Fraction(0), False
    if inputs.unsubscribed_at < inputs.effective_at:
        steps = [step(NOT_STARTED, paid)]
    elif _is_free(inputs):
        is_free = True
        time = inputs.free_used + 1
        steps = [step(FREE, paid, days=inputs.free_days, time=time, allowed=inputs.free_per_year)]
    else:
        ordered = _hours(inputs.effective_at, inputs.expires_at + timedelta(seconds=1))
        used = min(_hours(inputs.effective_at, inputs.unsubscribed_at), ordered)
        year, share = _fee_share(inputs)
        consumed, fee = paid * used / ordered, paid * exact(share)
        facts += [step(ORDERED_HOURS, ordered), step(USED_HOURS, used)]
        left = paid - consumed - fee
        steps = [
            step(CONSUMED, consumed, formula=f"{shown(paid)} × {used} ÷ {ordered}"),
            step(FEE, fee, formula=f"{shown(paid)} × {shown(share)}", percent=shown(share * 100), year=year),
            step(LEFT, left, formula=f"{shown(paid)} − {shown(consumed)} − {shown(fee)}"),
        ]
        if left < 0:
            steps.append(step(FLOOR, Fraction(0), formula=f"max({shown(left)}, 0)"))
    total = max(paid - consumed - fee, Fraction(0))
    explanation = _image_refund.explain(inputs, total=total, currency=inputs.currency, facts=facts, steps=steps)
    return RefundPrice(
        amount=explanation.amount,
        consumed=Money(to_decimal(consumed), inputs.currency).rounded(),
        fee=Money(to_decimal(fee), inputs.currency).rounded(),
        explanation=explanation,
        is_free=is_free,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedRefund:
    """What both sides agreed to give back, and how it compares to the actual payment."""

    amount: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _NegotiatedRefund:
    agreed: Decimal
    currency: str
    paid: Decimal
    refunded: Decimal
    unpaid: Decimal
    lowered: Decimal


def price_negotiated_refund(
    *, agreed: Money, paid: Money, refunded: Money, unpaid: Money, lowered: Money | None = None
) -> AgreedRefund:
    """The agreed amount, at most the actual payment (R13): paid − refunded before + billed and not yet paid.

    With `lowered`, what of it was taken off unpaid bills, the rest that goes back is explained. Raises `ValueError`
    for an amount that is not agreeable.
    """
    off = lowered or Money.zero(agreed.currency)
    if not agreed.is_whole() or not agreed.amount > 0 or agreed > paid - refunded + unpaid or off > agreed:
        raise ValueError(f"{agreed} cannot be given back.")
    return _negotiated_refund(
        _NegotiatedRefund(
            agreed=agreed.amount,
            currency=agreed.currency,
            paid=paid.amount,
            refunded=refunded.amount,
            unpaid=unpaid.amount,
            lowered=off.amount,
        )
    )


@rule(name="negotiated_refund", version="1", inputs=_NegotiatedRefund)
def _negotiated_refund(inputs: _NegotiatedRefund) -> AgreedRefund:
    paid, refunded, unpaid = exact(inputs.paid), exact(inputs.refunded), exact(inputs.unpaid)
    agreed, lowered = exact(inputs.agreed), exact(inputs.lowered)
    facts = [step(PAID, paid)]
    if refunded:
        facts.append(step(REFUNDED_BEFORE, refunded))
    if unpaid:
        facts.append(step(BILLED_UNPAID, unpaid))
    limit = paid - refunded + unpaid
    steps = [
        step(ACTUAL_PAYMENT, limit, formula=f"{shown(paid)} − {shown(refunded)} + {shown(unpaid)}"),
        step(AGREED, agreed),
    ]
    if lowered:
        steps.append(step(OFF_BILLS, agreed - lowered, formula=f"{shown(agreed)} − {shown(lowered)}"))
    explanation = _negotiated_refund.explain(
        inputs, total=agreed - lowered, currency=inputs.currency, facts=facts, steps=steps
    )
    return AgreedRefund(amount=explanation.amount, explanation=explanation)


def _is_free(inputs: _ImageRefund) -> bool:
    if inputs.provisioned_at is None or inputs.free_used >= inputs.free_per_year:
        return False
    return inputs.unsubscribed_at <= inputs.provisioned_at + timedelta(hours=24 * inputs.free_days)


def _hours(start: datetime, end: datetime) -> int:
    """Whole hours between two moments, each floored to its hour in the platform zone."""
    return (_floor(end) - _floor(start)) // HOUR


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(clock.platform_zone()).replace(minute=0, second=0, microsecond=0)


def _fee_share(inputs: _ImageRefund) -> tuple[int, Decimal]:
    """The year of the term in which it is given back (from 1) and the fee's share of the payment in that year."""
    years = min(max(1, -(-inputs.length.months // 12)), max(FEES_BY_YEARS))
    fees = FEES_BY_YEARS[years]
    start = inputs.starts_on or clock.platform_date(inputs.effective_at)
    today = clock.platform_date(inputs.unsubscribed_at)
    year = 1
    while year < len(fees) and today > add_months(day=start, months=12 * year):
        year += 1
    return year, fees[year - 1]
