"""The sheet of a product: specifications, attributes, SKUs, plans and prices, read in two queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language, pgettext

from billing.rules.plans import PricePlan
from catalog.models import Product, Sku, Specification
from catalog.models.plan import plan_value
from catalog.states import AttributeKind, BillingMode
from koogallery.kernel.prepared import Given, GivenEach, Prepared


def _told(english: str, chinese: str) -> str:
    return chinese if chinese and (get_language() or "en").startswith("zh") else english


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an enumeration."""

    code: str
    name: str
    name_zh: str

    @property
    def label(self) -> str:
        return _told(self.name, self.name_zh)


@dataclass(frozen=True, slots=True)
class AttributeSheet:
    """An enumeration with its options, or a quantity with its range."""

    code: str
    kind: str
    name: str
    name_zh: str
    unit: str
    unit_one: str
    unit_zh: str
    minimum: Decimal | None
    maximum: Decimal | None
    step: Decimal | None
    options: tuple[Option, ...]

    @property
    def label(self) -> str:
        return _told(self.name, self.name_zh)

    @property
    def unit_label(self) -> str:
        return _told(self.unit, self.unit_zh)

    def unit_for(self, quantity: Decimal) -> str:
        """The unit in English as it stands behind a quantity: "1 user", "2 users"."""
        return (self.unit_one or self.unit) if quantity == 1 else self.unit

    @property
    def one_label(self) -> str:
        """One unit in the language in force, as in "a user"."""
        return _told(self.unit_one or self.unit, self.unit_zh)

    @property
    def is_quantity(self) -> bool:
        return self.kind == AttributeKind.QUANTITY

    @property
    def range_text(self) -> str:
        """`1 – 5000`; empty for an enumeration."""
        ends = [format(end.normalize(), "f") for end in (self.minimum, self.maximum) if end is not None]
        return " – ".join(ends)

    def accepts(self, quantity: Decimal) -> bool:
        """Whether the quantity lies in the range and on a step of it."""
        assert self.minimum is not None and self.maximum is not None and self.step is not None
        return self.minimum <= quantity <= self.maximum and (quantity - self.minimum) % self.step == 0


@dataclass(frozen=True, slots=True)
class PlanSheet:
    """A price plan with one value per currency; what a package holds."""

    pk: int
    billing_mode: str
    term_unit: str
    lengths: tuple[int, ...]
    usage_unit: str
    usage_units: str
    usage_unit_zh: str
    package_quota: Decimal | None
    package_months: int | None
    overflow: str
    values: Mapping[str, PricePlan]
    overflow_prices: Mapping[str, Decimal | None]

    @property
    def usage_label(self) -> str:
        return _told(self.usage_unit, self.usage_unit_zh)

    @property
    def usage_labels(self) -> str:
        """The usage unit in the plural, in the language in force."""
        return _told(self.usage_units or self.usage_unit, self.usage_unit_zh)

    @property
    def cycle_label(self) -> str:
        """ "month" or "year" of a yearly/monthly plan, as prices name it."""
        return pgettext("price per", "month") if self.term_unit == "month" else pgettext("price per", "year")


@dataclass(frozen=True, slots=True)
class SkuSheet:
    """One cell of the grid with its plans."""

    code: str
    choices: Mapping[str, str]
    plans: tuple[PlanSheet, ...]

    def plans_in(self, currency: str) -> tuple[PlanSheet, ...]:
        """The plans that have prices in `currency`."""
        return tuple(plan for plan in self.plans if currency in plan.values)


@dataclass(frozen=True, slots=True)
class SpecificationSheet:
    """A specification with what a buyer chooses in it."""

    code: str
    name: str
    name_zh: str
    description: str
    description_zh: str
    limit_per_account: int | None
    attributes: tuple[AttributeSheet, ...]
    skus: tuple[SkuSheet, ...]

    @property
    def label(self) -> str:
        return _told(self.name, self.name_zh)

    @property
    def explanation(self) -> str:
        return _told(self.description, self.description_zh)

    @property
    def enumerations(self) -> tuple[AttributeSheet, ...]:
        return tuple(each for each in self.attributes if not each.is_quantity)

    @property
    def quantity(self) -> AttributeSheet | None:
        return next((each for each in self.attributes if each.is_quantity), None)

    def sku_for(self, choices: Mapping[str, str]) -> SkuSheet | None:
        """The cell of the grid for these options, or None when it is not sold."""
        return next((sku for sku in self.skus if dict(sku.choices) == dict(choices)), None)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything of a product that can be configured."""

    specifications: tuple[SpecificationSheet, ...]

    def specification(self, code: str) -> SpecificationSheet | None:
        return next((each for each in self.specifications if each.code == code), None)

    def sku(self, code: str) -> tuple[SpecificationSheet, SkuSheet] | None:
        """The SKU with this code and its specification."""
        for specification in self.specifications:
            for sku in specification.skus:
                if sku.code == code:
                    return specification, sku
        return None

    def plans(self) -> Iterable[PlanSheet]:
        for specification in self.specifications:
            for sku in specification.skus:
                yield from sku.plans

    def modes(self, currency: str) -> list[BillingMode]:
        """The billing modes on sale in `currency`, in the order of the enum."""
        sold = {plan.billing_mode for plan in self.plans() if currency in plan.values}
        return [mode for mode in BillingMode if mode in sold]


_SPECIFICATIONS: Prepared[Any] = Prepared(
    lambda: Specification.objects.filter(product=Given("product"), is_active=True)
    .order_by(
        "position", "pk", "attributes__position", "attributes__pk",
        "attributes__options__position", "attributes__options__pk",
    )
    .values_list(
        "pk", "code", "name", "name_zh", "description", "description_zh", "limit_per_account",
        "attributes__pk", "attributes__code", "attributes__kind", "attributes__name", "attributes__name_zh",
        "attributes__unit", "attributes__unit_one", "attributes__unit_zh",
        "attributes__minimum", "attributes__maximum", "attributes__step",
        "attributes__options__code", "attributes__options__name", "attributes__options__name_zh",
    )
)  # fmt: skip
_SKU_COLUMNS = (
    "specification_id", "pk", "code", "choices",
    "plans__pk", "plans__billing_mode", "plans__model", "plans__term_unit", "plans__lengths",
    "plans__usage_unit", "plans__usage_units", "plans__usage_unit_zh",
    "plans__package_quota", "plans__package_months", "plans__overflow", "plans__is_active",
    "plans__prices__currency", "plans__prices__unit_price", "plans__prices__bands",
    "plans__prices__length_prices", "plans__prices__overflow_price", "product_id",
)  # fmt: skip
_SKU_ORDER = ("position", "pk", "plans__pk", "plans__prices__currency")
_SKUS: Prepared[Any] = Prepared(
    lambda: (
        Sku.objects.filter(product=Given("product"), is_active=True).order_by(*_SKU_ORDER).values_list(*_SKU_COLUMNS)
    )
)
_SKUS_BY_CODE: Prepared[Any] = Prepared(
    lambda: (
        Sku.objects.filter(
            product__in=GivenEach("products"),
            code__in=GivenEach("codes", "text"),
            is_active=True,
            specification__is_active=True,
        )
        .order_by(*_SKU_ORDER)
        .values_list(*_SKU_COLUMNS)
    )
)


@dataclass(slots=True)
class _Read:
    sheets: dict[int, Sheet] = field(default_factory=dict)
    skus: dict[tuple[int, str], SkuSheet | None] = field(default_factory=dict)


_read: ContextVar[_Read | None] = ContextVar("sheets_read", default=None)


@contextmanager
def read_once(*, skus: Iterable[tuple[int, str]] = ()) -> Iterator[None]:
    """Within, each sheet is read once, and these SKUs (product, code) by one query: for pages that quote much.

    What is placed or charged reads anew: it stands outside.
    """
    wanted = list(dict.fromkeys(skus))
    token = _read.set(_Read(skus=_skus_by_code(wanted) if wanted else {}))
    try:
        yield
    finally:
        _read.reset(token)


def sku_of(product: Product, code: str) -> SkuSheet | None:
    """A SKU that is sold, with its plans; one query."""
    known = _read.get()
    if known is not None and product.pk in known.sheets:
        found = known.sheets[product.pk].sku(code)
        return found[1] if found else None
    key = (product.pk, code)
    if known is not None and key in known.skus:
        return known.skus[key]
    read = _skus_by_code([key])
    if known is not None:
        known.skus |= read
    return read[key]


def _skus_by_code(wanted: list[tuple[int, str]]) -> dict[tuple[int, str], SkuSheet | None]:
    rows = _SKUS_BY_CODE.all(products=[pk for pk, _code in wanted], codes=[code for _pk, code in wanted])
    sold = {(row[21], row[2]): sku for row, sku in _cells(rows)}
    return {key: sold.get(key) for key in wanted}


def sheet_of(product: Product) -> Sheet:
    """The active specifications, SKUs and plans of a product. Two queries."""
    known = _read.get()
    if known is None:
        return _sheet_of(product)
    if product.pk not in known.sheets:
        known.sheets[product.pk] = _sheet_of(product)
    return known.sheets[product.pk]


def _sheet_of(product: Product) -> Sheet:
    rows = _SPECIFICATIONS.all(product=product.pk)
    specifications: dict[int, tuple[Any, ...]] = {}
    attributes: dict[int, dict[int, tuple[Any, ...]]] = {}
    options: dict[int, list[Option]] = {}
    for row in rows:
        specifications.setdefault(row[0], row[:7])
        if row[7] is None:
            continue
        attributes.setdefault(row[0], {}).setdefault(row[7], row[8:18])
        if row[18] is not None:
            options.setdefault(row[7], []).append(Option(*row[18:21]))
    skus = _skus_of(product)
    return Sheet(
        specifications=tuple(
            SpecificationSheet(  # type: ignore[misc]
                *row[1:],
                attributes=tuple(
                    AttributeSheet(*attribute, options=tuple(options.get(attribute_id, ())))  # type: ignore[misc]
                    for attribute_id, attribute in attributes.get(pk, {}).items()
                ),
                skus=tuple(skus.get(pk, ())),
            )
            for pk, row in specifications.items()
        )
    )


def _skus_of(product: Product) -> dict[int, list[SkuSheet]]:
    found: dict[int, list[SkuSheet]] = {}
    for row, sku in _cells(_SKUS.all(product=product.pk)):
        found.setdefault(row[0], []).append(sku)
    return found


def _cells(rows: Iterable[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], SkuSheet]]:
    """The SKUs of rows in their order, each with its first row."""
    cells: dict[int, tuple[Any, ...]] = {}
    plans: dict[int, dict[int, tuple[Any, ...]]] = {}
    values: dict[int, dict[str, PricePlan]] = {}
    overflows: dict[int, dict[str, Decimal | None]] = {}
    for row in rows:
        cells.setdefault(row[1], row)
        plan_id, active, currency = row[4], row[15], row[16]
        if plan_id is None or not active:
            continue
        plans.setdefault(row[1], {}).setdefault(plan_id, row[4:15])
        if currency is None:
            continue
        values.setdefault(plan_id, {})[currency] = plan_value(
            mode=row[5], model=row[6], term_unit=row[7], lengths=row[8], currency=currency,
            unit_price=row[17], bands=row[18], length_prices=row[19],
        )  # fmt: skip
        overflows.setdefault(plan_id, {})[currency] = row[20]
    found = []
    for sku_id, first in cells.items():
        sheets = tuple(
            PlanSheet(
                pk=plan_id, billing_mode=row[1], term_unit=row[3], lengths=tuple(row[4] or ()),
                usage_unit=row[5], usage_units=row[6], usage_unit_zh=row[7],
                package_quota=row[8], package_months=row[9], overflow=row[10],
                values=values.get(plan_id, {}), overflow_prices=overflows.get(plan_id, {}),
            )
            for plan_id, row in plans.get(sku_id, {}).items()
        )  # fmt: skip
        found.append((first, SkuSheet(code=first[2], choices=first[3], plans=sheets)))
    return found
