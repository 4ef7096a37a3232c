"""Exact amounts with their currency; one rounding (R2), one way to split (R11), one way to show (R1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import total_ordering

EXPONENTS = {
    "USD": 2,
    "EUR": 2,
    "CNY": 2,
    "GBP": 2,
    "SGD": 2,
    "HKD": 2,
    "THB": 2,
    "JPY": 0,
    "KRW": 0,
    "KWD": 3,
}


class CurrencyMismatch(ValueError):
    """Amounts of different currencies were combined."""


def quantum(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 for USD, 1 for JPY, 0.001 for KWD.

    Raises `ValueError` for a currency the platform does not know.
    """
    try:
        return Decimal(1).scaleb(-EXPONENTS[currency])
    except KeyError:
        raise ValueError(f"Unknown currency {currency!r}.") from None


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's exponent (R2)."""
    return amount.quantize(quantum(currency), rounding=ROUND_HALF_UP)


def unit_price_text(amount: Decimal, currency: str) -> str:
    """`USD 12.00`, `USD 0.002`: a price per unit with at least the digits of its currency, and no more than it has."""
    least = EXPONENTS.get(currency, 2)
    digits = max(least, -int(amount.normalize().as_tuple().exponent))
    return f"{currency} {amount:,.{digits}f}"


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An exact decimal amount of one currency; unrounded until `rounded()`."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"Money takes a Decimal, not {type(self.amount).__name__}.")

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in `currency`."""
        return cls(Decimal(0), currency)

    def rounded(self) -> Money:
        """Rounded half up to the currency's exponent (R2)."""
        return Money(round_amount(self.amount, self.currency), self.currency)

    def is_whole(self) -> bool:
        """Whether the amount has no more digits than its currency."""
        return self.amount == round_amount(self.amount, self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        if isinstance(factor, float):
            raise TypeError("No float touches money (R2).")
        return Money(self.amount * factor, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __bool__(self) -> bool:
        return self.amount != 0

    def split(self, weights: Sequence[Decimal | int]) -> list[Money]:
        """Parts in proportion to `weights`, each rounded; the last takes the remainder (R11).

        Raises `ValueError` without weights or when they sum to zero.
        """
        whole = sum((Decimal(weight) for weight in weights), Decimal(0))
        if not weights or whole == 0:
            raise ValueError("Nothing to split by.")
        parts = [
            Money(round_amount(self.amount * weight / whole, self.currency), self.currency) for weight in weights[:-1]
        ]
        rest = self.amount - sum((part.amount for part in parts), Decimal(0))
        return [*parts, Money(rest, self.currency)]

    def __str__(self) -> str:
        shown = round_amount(self.amount, self.currency)
        return f"{self.currency} {shown:,f}"

    def to_json(self) -> dict[str, str]:
        """As stored beside explanations and traces."""
        return {"amount": format(self.amount, "f"), "currency": self.currency}

    @classmethod
    def from_json(cls, stored: dict[str, str]) -> Money:
        """The inverse of `to_json`."""
        return cls(Decimal(stored["amount"]), stored["currency"])
