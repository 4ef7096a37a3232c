"""Search and filters of a list: what the toolbar shows, and how each narrows the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from koogallery.kernel import display


@dataclass(frozen=True)
class Search:
    """The search field: every word must occur in one of `fields`, or `apply(queryset, text)` decides."""

    fields: Sequence[str] = ()
    placeholder: Any = ""
    apply: Callable[[QuerySet, str], QuerySet] | None = None
    label: Any = ""

    def narrow(self, queryset: QuerySet, text: str) -> QuerySet:
        """The rows that match `text`."""
        if self.apply is not None:
            return self.apply(queryset, text)
        for word in text.split()[:8]:
            either = Q()
            for name in self.fields:
                either |= Q(**{f"{name}__icontains": word})
            queryset = queryset.filter(either)
        return queryset


class Filter(Protocol):
    """What the toolbar needs of a filter."""

    def names(self) -> tuple[str, ...]:
        """The names it uses in the URL."""

    def bind(self, request: HttpRequest, values: Mapping[str, str]) -> BoundFilter:
        """Read the URL; anything that is not valid counts as not given."""


@dataclass(frozen=True)
class BoundFilter:
    """A filter with what the URL says: its control, its chip, and how it narrows."""

    key: str
    label: Any
    kind: str
    values: dict[str, str]
    chip: str = ""
    choices: Sequence[tuple[str, Any]] = ()
    narrow: Callable[[QuerySet], QuerySet] = field(default=lambda queryset: queryset)

    @property
    def active(self) -> bool:
        """Whether it leaves rows out."""
        return bool(self.chip)

    @property
    def value(self) -> str:
        """The value of a filter with one name."""
        return self.values.get(self.key, "")

    @property
    def first(self) -> str:
        """The first day of a date range, as the control wants it."""
        return self.values.get(f"{self.key}_from", "")

    @property
    def last(self) -> str:
        """The last day of a date range, as the control wants it."""
        return self.values.get(f"{self.key}_to", "")


@dataclass(frozen=True)
class ChoiceFilter:
    """One of several values: `field` equals it, or `apply(queryset, value)` decides."""

    key: str
    label: Any
    choices: Sequence[tuple[str, Any]] | Callable[[HttpRequest], Sequence[tuple[str, Any]]]
    field: str = ""
    apply: Callable[[QuerySet, str], QuerySet] | None = None

    def names(self) -> tuple[str, ...]:
        return (self.key,)

    def bind(self, request: HttpRequest, values: Mapping[str, str]) -> BoundFilter:
        choices = self.choices(request) if callable(self.choices) else self.choices
        options = [(str(value), label) for value, label in choices]
        chosen = values.get(self.key, "")
        label = dict(options).get(chosen)
        if not chosen or label is None:
            return BoundFilter(self.key, self.label, "choice", {}, choices=options)

        def narrow(queryset: QuerySet) -> QuerySet:
            if self.apply is not None:
                return self.apply(queryset, chosen)
            return queryset.filter(**{self.field or self.key: chosen})

        return BoundFilter(
            self.key,
            self.label,
            "choice",
            {self.key: chosen},
            chip=str(label),
            choices=options,
            narrow=narrow,
        )


@dataclass(frozen=True)
class TextFilter:
    """A text that `field` contains, or that `apply(queryset, text)` looks for; `exact` compares whole values."""

    key: str
    label: Any
    field: str = ""
    apply: Callable[[QuerySet, str], QuerySet] | None = None
    exact: bool = False

    def names(self) -> tuple[str, ...]:
        return (self.key,)

    def bind(self, request: HttpRequest, values: Mapping[str, str]) -> BoundFilter:
        text = values.get(self.key, "").strip()[:200]
        if not text:
            return BoundFilter(self.key, self.label, "text", {})

        def narrow(queryset: QuerySet) -> QuerySet:
            if self.apply is not None:
                return self.apply(queryset, text)
            name = self.field or self.key
            return queryset.filter(**{name if self.exact else f"{name}__icontains": text})

        return BoundFilter(self.key, self.label, "text", {self.key: text}, chip=text, narrow=narrow)


@dataclass(frozen=True)
class DateRangeFilter:
    """From one day through another, both included, as days of the shown zone (R1)."""

    key: str
    label: Any
    field: str
    is_date: bool = False

    def names(self) -> tuple[str, ...]:
        return (f"{self.key}_from", f"{self.key}_to")

    def bind(self, request: HttpRequest, values: Mapping[str, str]) -> BoundFilter:
        first = read_day(values.get(f"{self.key}_from", ""))
        last = read_day(values.get(f"{self.key}_to", ""))
        kept: dict[str, str] = {}
        if first:
            kept[f"{self.key}_from"] = first.isoformat()
        if last:
            kept[f"{self.key}_to"] = last.isoformat()
        chip = ""
        if first and last:
            chip = f"{display.date_text(first)} – {display.date_text(last)}"
        elif first:
            chip = _("from %(day)s") % {"day": display.date_text(first)}
        elif last:
            chip = _("until %(day)s") % {"day": display.date_text(last)}

        def narrow(queryset: QuerySet) -> QuerySet:
            where = {}
            if first:
                where[f"{self.field}__gte"] = first if self.is_date else zone_day_start(first)
            if last:
                following = last + timedelta(days=1)
                where[f"{self.field}__lt"] = following if self.is_date else zone_day_start(following)
            return queryset.filter(**where)

        return BoundFilter(self.key, self.label, "dates", kept, chip=chip, narrow=narrow)


def read_day(text: str) -> date | None:
    """A calendar date in ISO form between the years 1990 and 2200, else None."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if 1990 <= day.year <= 2200 else None


def zone_day_start(day: date) -> datetime:
    """00:00:00 of a day in the shown zone."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())
