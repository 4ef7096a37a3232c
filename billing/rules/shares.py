"""Splitting an amount: each share rounded, the last takes the remainder (R11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext_noop

from billing.rules.explanation import Explanation, exact, rule, shown, step, to_decimal
from koogallery.kernel.money import Money

WHOLE = gettext_noop("Amount to split")
SHARE = gettext_noop("Share %(number)s of %(count)s")
PART = gettext_noop("Amount times share")
REMAINDER = gettext_noop("The last share takes what the others leave")
CAPPED = gettext_noop("No more than what is left")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePrice:
    """One part of a split amount."""

    amount: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    whole: Decimal
    currency: str
    shares: tuple[Decimal, ...]
    index: int


def split_by_shares(*, whole: Money, shares: Sequence[Decimal]) -> tuple[SharePrice, ...]:
    """The parts of a rounded amount in proportion to `shares` (percent or weights); they sum to it exactly (R11).

    No part has another sign than the whole: one that rounding would let exceed what is left takes what is left.
    Raises `ValueError` without shares, for negative ones, when they sum to zero, or for an unrounded amount.
    """
    if not shares or any(share < 0 for share in shares) or not sum(shares):
        raise ValueError("An amount is split by shares of which none is negative and one is more than zero.")
    if not whole.is_whole():
        raise ValueError("Only a rounded amount is split.")
    stored = tuple(shares)
    return tuple(
        _share(_Share(whole=whole.amount, currency=whole.currency, shares=stored, index=index))
        for index in range(len(stored))
    )


@rule(name="share", version="1", inputs=_Share)
def _share(inputs: _Share) -> SharePrice:
    sign = -1 if inputs.whole < 0 else 1
    whole, weights = abs(exact(inputs.whole)), sum(inputs.shares, Decimal(0))
    left = whole
    part, total, steps = Fraction(0), Fraction(0), []
    for index, share in enumerate(inputs.shares[: inputs.index + 1]):
        last = index == len(inputs.shares) - 1
        fair = whole * exact(share) / exact(weights)
        rounded = exact(Money(to_decimal(fair), inputs.currency).rounded().amount)
        part = left if last else min(rounded, left)
        total = part if last or part != rounded else fair
        formula = f"{shown(whole * sign)} × {shown(share)} ÷ {shown(weights)}"
        steps = [step(PART, fair * sign, formula=formula)]
        if last:
            steps = [step(REMAINDER, part * sign)]
        elif part != rounded:
            steps.append(step(CAPPED, part * sign))
        left -= part
    explanation = _share.explain(
        inputs,
        total=total * sign,
        currency=inputs.currency,
        facts=[
            step(WHOLE, exact(inputs.whole)),
            step(SHARE, inputs.shares[inputs.index], number=inputs.index + 1, count=len(inputs.shares)),
        ],
        steps=steps,
    )
    return SharePrice(amount=explanation.amount, explanation=explanation)
