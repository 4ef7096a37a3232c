"""How an amount came about: named inputs, steps, rule and version, rounding.

An explanation is stored as JSON beside its amount. `recompute` runs the same version of the same rule on the stored
inputs, so that an amount can be proven years later. Arithmetic inside a rule is in fractions, so nothing is lost
before the one rounding (R2).
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal, localcontext
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

from django.utils.translation import gettext, gettext_noop

from koogallery.kernel.display import date_text
from koogallery.kernel.money import Money

GUARD_DIGITS = 60
SHOWN_DIGITS = 6
A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
ROUNDED = gettext_noop("Rounded half up to %(digits)s decimal places of %(currency)s")


class UnknownRule(LookupError):
    """A stored explanation names a rule or version that this program does not have."""


def exact(value: Decimal | int) -> Fraction:
    """A decimal as the fraction it is. Raises `TypeError` for a float (R2)."""
    if isinstance(value, float):
        raise TypeError("No float touches money (R2).")
    return Fraction(value)


def to_decimal(value: Fraction) -> Decimal:
    """A fraction as a decimal cut off after 60 significant digits: enough that rounding it half up is exact."""
    with localcontext() as context:
        context.prec = GUARD_DIGITS
        context.rounding = ROUND_DOWN
        return Decimal(value.numerator) / Decimal(value.denominator)


def shown(value: Fraction | Decimal | int) -> str:
    """A number as a step shows it.

    Decimals (quantities, shares) lose their trailing zeros. Fractions (amounts) keep at least two decimal places when
    they have any, and are cut off with an ellipsis when they do not end within six.
    """
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value.normalize() + 0, "f")
    scaled = value * 10**SHOWN_DIGITS
    text = format(to_decimal(Fraction(int(scaled), 10**SHOWN_DIGITS)), "f")
    whole, _, digits = text.partition(".")
    if scaled.denominator != 1:
        return f"{'-' if value < 0 and whole[0] != '-' else ''}{whole}.{digits.ljust(SHOWN_DIGITS, '0')}…"
    return f"{whole}.{digits.ljust(2, '0')}" if digits else whole


@dataclass(frozen=True, slots=True)
class Line:
    """One line of "How is this calculated?" in the language in force."""

    label: str
    formula: str
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """A translatable sentence (English source with `%(name)s` parameters), its formula and its value."""

    label: str
    value: str
    formula: str = ""
    params: tuple[tuple[str, str], ...] = ()

    def line(self) -> Line:
        """The step in the language in force."""
        sentence = gettext(self.label)
        if self.params:
            sentence %= {name: _told(param) for name, param in self.params}
        return Line(label=sentence, formula=self.formula, value=self.value)


def _told(param: str) -> str:
    """A parameter as its reader sees it: a date as everywhere (R1), the rest as it is stored."""
    return date_text(date.fromisoformat(param)) if A_DATE.fullmatch(param) else param


def step(label: str, value: Fraction | Decimal | int | str, *, formula: str = "", **params: object) -> Step:
    """A step with its numbers written out."""
    return Step(
        label=label,
        value=value if isinstance(value, str) else shown(value),
        formula=formula,
        params=tuple((name, str(param)) for name, param in params.items()),
    )


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole calculation of one amount.

    `inputs` is what `recompute` needs; `facts` are the inputs a reader is shown; `exact` is the amount before rounding.
    """

    rule: str
    version: str
    inputs: Mapping[str, Any]
    facts: tuple[Step, ...]
    steps: tuple[Step, ...]
    exact: str
    amount: Money

    def fact_lines(self) -> list[Line]:
        """The named inputs in the language in force."""
        return [fact.line() for fact in self.facts]

    def lines(self) -> list[Line]:
        """The steps in the language in force; the last is the rounding."""
        return [*(each.line() for each in self.steps), self._rounding().line()]

    def _rounding(self) -> Step:
        rounded = self.amount.rounded()
        digits = -int(rounded.amount.as_tuple().exponent)
        return step(
            ROUNDED,
            str(rounded),
            formula=f"{self.exact} → {rounded.amount:f}",
            digits=digits,
            currency=rounded.currency,
        )

    def to_json(self) -> dict[str, Any]:
        """As stored beside the amount; the inverse of `from_json`."""
        return {
            "rule": self.rule,
            "version": self.version,
            "inputs": dict(self.inputs),
            "facts": [_step_to_json(each) for each in self.facts],
            "steps": [_step_to_json(each) for each in self.steps],
            "rounding": {"exact": self.exact, "mode": "half_up"},
            "amount": self.amount.to_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Explanation:
        """Reads what `to_json` wrote, also when its rule is no longer known."""
        return cls(
            rule=stored["rule"],
            version=stored["version"],
            inputs=stored["inputs"],
            facts=tuple(_step_from_json(each) for each in stored["facts"]),
            steps=tuple(_step_from_json(each) for each in stored["steps"]),
            exact=stored["rounding"]["exact"],
            amount=Money.from_json(stored["amount"]),
        )


def _step_to_json(each: Step) -> dict[str, Any]:
    told = {"label": each.label, "value": each.value, "formula": each.formula, "params": dict(each.params)}
    return {name: part for name, part in told.items() if part or name in ("label", "value")}


def _step_from_json(stored: Mapping[str, Any]) -> Step:
    return Step(
        label=stored["label"],
        value=stored["value"],
        formula=stored.get("formula", ""),
        params=tuple(stored.get("params", {}).items()),
    )


class Priced(Protocol):
    """What every rule returns: the amount and how it came about."""

    @property
    def amount(self) -> Money: ...

    @property
    def explanation(self) -> Explanation: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in one version: the class of its inputs and its calculation."""

    name: str
    version: str
    inputs: type
    calculate: Callable[[Any], Priced]

    def __call__(self, inputs: Any) -> Any:
        return self.calculate(inputs)

    def explain(
        self, inputs: Any, *, total: Fraction, currency: str, facts: Sequence[Step], steps: Sequence[Step]
    ) -> Explanation:
        """The explanation of `total`, rounded here and only here (R2)."""
        return Explanation(
            rule=self.name,
            version=self.version,
            inputs=encode(inputs),
            facts=tuple(facts),
            steps=tuple(steps),
            exact=shown(total),
            amount=Money(to_decimal(total), currency).rounded(),
        )


_RULES: dict[tuple[str, str], Rule] = {}


def rule(*, name: str, version: str, inputs: type) -> Callable[[Callable[[Any], Any]], Rule]:
    """Register a calculation. A version that amounts were stored with is never changed: a new rule is a new version.

    Raises `ValueError` when the name and version stand already.
    """

    def register(calculate: Callable[[Any], Priced]) -> Rule:
        if (name, version) in _RULES:
            raise ValueError(f"Rule {name} {version} is registered twice.")
        registered = Rule(name=name, version=version, inputs=inputs, calculate=calculate)
        _RULES[name, version] = registered
        return registered

    return register


def recompute(stored: Mapping[str, Any]) -> Money:
    """The amount of a stored explanation, calculated again from its inputs by the rule version it names.

    Raises `UnknownRule`.
    """
    key = (stored["rule"], stored["version"])
    if key not in _RULES:
        raise UnknownRule(f"No rule {key[0]!r} in version {key[1]!r}.")
    found = _RULES[key]
    return found(decode(found.inputs, stored["inputs"])).amount


def encode(value: Any) -> Any:
    """Frozen values as JSON: dataclasses as objects, decimals, dates and enums as text, tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: encode(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, tuple):
        return [encode(each) for each in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be stored in an explanation.")


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def decode(kind: Any, stored: Any) -> Any:
    """The inverse of `encode` for the type `kind`; members that are missing take their defaults."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if stored is None:
            return None
        return decode(next(each for each in typing.get_args(kind) if each is not type(None)), stored)
    if origin is tuple:
        return tuple(decode(typing.get_args(kind)[0], each) for each in stored)
    if is_dataclass(kind):
        hints = _hints(typing.cast(type, kind))
        known = {each.name: decode(hints[each.name], stored[each.name]) for each in fields(kind) if each.name in stored}
        return typing.cast(type, kind)(**known)
    if kind is datetime or kind is date:
        return kind.fromisoformat(stored)
    if kind is Decimal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return kind(stored)
    return stored
