"""Sums of what is to come, by month and group. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from billing.rules.terms import add_months
from koogallery import clock
from koogallery.kernel.money import Money


class CostKind(StrEnum):
    """Why something is to be paid."""

    AUTOMATIC = "automatic"
    BILL = "bill"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount to come, in the group that a forecast is made by; without a moment its month is not known yet."""

    kind: CostKind
    group: str
    at: datetime | None
    amount: Money


@dataclass(frozen=True, slots=True)
class Row:
    """The amounts of one group: by month, without a month yet, all together."""

    label: str
    amounts: Sequence[Money]
    undated: Money
    total: Money


@dataclass(frozen=True, slots=True)
class Section:
    """The groups of one kind of cost, the largest first, and their sum."""

    kind: CostKind
    rows: Sequence[Row]
    sum: Row


def month_starts(day: date, *, months: int) -> list[date]:
    """The first days of so many months, from that of `day` on."""
    first = day.replace(day=1)
    return [add_months(day=first, months=number) for number in range(months)]


def sections(costs: Iterable[Cost], *, starts: Sequence[date], currency: str) -> list[Section]:
    """A section for each kind that has costs; months are those of the platform zone. What is late counts first."""
    sums: dict[CostKind, dict[str, list[Decimal]]] = {}
    place = {(start.year, start.month): number for number, start in enumerate(starts)}
    undated = len(starts)
    for cost in costs:
        number = undated if cost.at is None else _place(cost.at, place)
        amounts = sums.setdefault(cost.kind, {}).setdefault(cost.group, [Decimal(0)] * (undated + 1))
        amounts[number] += cost.amount.amount
    found = []
    for kind in CostKind:
        groups = sums.get(kind)
        if groups:
            rows = [_row(label, amounts, currency) for label, amounts in groups.items()]
            rows.sort(key=lambda row: (-row.total.amount, row.label))
            found.append(Section(kind, rows, total_of(rows, currency, months=undated)))
    return found


def _place(at: datetime, place: dict[tuple[int, int], int]) -> int:
    day = clock.platform_date(at)
    return place.get((day.year, day.month), 0)


def _row(label: str, amounts: Sequence[Decimal], currency: str) -> Row:
    moneys = [Money(amount, currency) for amount in amounts]
    return Row(label, moneys[:-1], moneys[-1], Money(sum(amounts, Decimal(0)), currency))


def total_of(rows: Sequence[Row], currency: str, *, months: int) -> Row:
    """The sum of rows, month by month."""
    columns = [sum((row.amounts[number].amount for row in rows), Decimal(0)) for number in range(months)]
    return _row("", [*columns, sum((row.undated.amount for row in rows), Decimal(0))], currency)
