"""Amounts are exact; shares sum to the whole; currencies do not mix (R2, R11)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from koogallery.kernel.money import EXPONENTS, CurrencyMismatch, Money, quantum, round_amount

currencies = some.sampled_from(sorted(EXPONENTS))
amounts = some.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False)
weights = some.lists(some.integers(min_value=0, max_value=10**6), min_size=1, max_size=12).filter(any)


@given(amounts, currencies, weights)
def test_shares_sum_to_the_whole_and_each_but_the_last_is_rounded(
    amount: Decimal, currency: str, shares: list[int]
) -> None:
    whole = Money(amount, currency).rounded()
    parts = whole.split(shares)
    assert sum((part.amount for part in parts), Decimal(0)) == whole.amount
    assert len(parts) == len(shares)
    assert all(part.is_whole() for part in parts)
    exact = [whole.amount * share / sum(shares) for share in shares]
    for part, share in zip(parts[:-1], exact[:-1], strict=True):
        assert abs(part.amount - share) <= quantum(currency) / 2


@given(amounts, currencies)
def test_rounding_is_to_the_currencys_exponent_and_stays_put(amount: Decimal, currency: str) -> None:
    once = round_amount(amount, currency)
    assert round_amount(once, currency) == once
    assert abs(once - amount) <= quantum(currency) / 2


@pytest.mark.parametrize(
    ("amount", "currency", "rounded", "shown"),
    [
        ("0.005", "USD", "0.01", "USD 0.01"),
        ("0.004999", "USD", "0.00", "USD 0.00"),
        ("-0.005", "USD", "-0.01", "USD -0.01"),
        ("12345.6", "USD", "12345.60", "USD 12,345.60"),
        ("1.5", "JPY", "2", "JPY 2"),
        ("1.0005", "KWD", "1.001", "KWD 1.001"),
    ],
)
def test_half_goes_up(amount: str, currency: str, rounded: str, shown: str) -> None:
    money = Money(Decimal(amount), currency)
    assert money.rounded().amount == Decimal(rounded)
    assert str(money) == shown


def test_no_float_touches_money() -> None:
    with pytest.raises(TypeError):
        Money(1.5, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(Decimal(1), "USD") * 1.5  # type: ignore[operator]


def test_currencies_do_not_mix() -> None:
    one, other = Money(Decimal(1), "USD"), Money(Decimal(1), "EUR")
    for mix in (lambda: one + other, lambda: one - other, lambda: one < other):
        with pytest.raises(CurrencyMismatch):
            mix()
    with pytest.raises(ValueError, match="Unknown currency"):
        quantum("XXX")


@given(amounts, currencies)
def test_what_is_stored_comes_back(amount: Decimal, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.from_json(money.to_json()) == money
