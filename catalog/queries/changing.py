"""What a running resource may be renewed for or changed to: the plans of its SKU today, change paths, quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.rules.plans import PricePlan
from billing.rules.terms import TermLength
from catalog.models import ChangePath, Product
from catalog.queries.configuration import Choice, Configuration
from catalog.queries.sheets import AttributeSheet, PlanSheet, Sheet, SkuSheet, sheet_of, sku_of
from catalog.states import BillingMode
from koogallery.kernel.reasons import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """The yearly/monthly plans of one SKU in one currency, those that are sold now."""

    monthly: PlanSheet | None
    yearly: PlanSheet | None
    currency: str

    @property
    def month(self) -> PricePlan | None:
        """The monthly plan's price."""
        return self.monthly.values[self.currency] if self.monthly else None

    @property
    def year(self) -> PricePlan | None:
        """The yearly plan's price."""
        return self.yearly.values[self.currency] if self.yearly else None

    def plan_for(self, length: TermLength) -> PlanSheet | None:
        """The plan that sells a length."""
        plan = self.yearly if length.unit == "year" else self.monthly
        return plan if plan is not None and plan.values[self.currency].offers(length) else None

    @property
    def is_empty(self) -> bool:
        """Whether neither cycle is sold."""
        return self.monthly is None and self.yearly is None


def _sheet(product: Product) -> Sheet:
    """The sheet of a product, read once for the product as it was fetched."""
    known: Sheet | None = product.__dict__.get("_sheet")
    if known is None:
        known = product.__dict__["_sheet"] = sheet_of(product)
    return known


def _sku(product: Product, sku_code: str) -> SkuSheet | None:
    """A SKU that is sold: from the product's sheet when that was read, else asked for alone."""
    known: Sheet | None = product.__dict__.get("_sheet")
    if known is None:
        return sku_of(product, sku_code)
    found = known.sku(sku_code)
    return found[1] if found else None


def cycles_of(product: Product, sku_code: str, *, currency: str) -> Cycles:
    """The yearly/monthly plans of a SKU; none of them when the SKU is no longer sold."""
    sku = _sku(product, sku_code)
    plans: Mapping[str, PlanSheet] = {}
    if sku is not None:
        plans = {plan.term_unit: plan for plan in sku.plans_in(currency) if plan.billing_mode == BillingMode.PERIOD}
    return Cycles(monthly=plans.get("month"), yearly=plans.get("year"), currency=currency)


def usage_plan_of(product: Product, sku_code: str, *, currency: str) -> PlanSheet | None:
    """The pay-per-use plan of a SKU, if it is sold so."""
    sku = _sku(product, sku_code)
    if sku is None:
        return None
    return next((plan for plan in sku.plans_in(currency) if plan.billing_mode == BillingMode.ON_DEMAND), None)


def with_plan(configuration: Configuration, plan: PlanSheet, *, length: TermLength) -> Configuration:
    """The same configuration with a plan of today, for a length."""
    return replace(
        configuration,
        plan=plan.values[configuration.currency],
        plan_id=plan.pk,
        billing_mode=plan.billing_mode,
        term_unit=length.unit.value,
        term_count=length.count,
        trial_days=0,
    )


def reconfigured(
    product: Product, configuration: Configuration, *, sku_code: str = "", quantity: Decimal | None = None
) -> Configuration:
    """The configuration with another SKU or quantity; its plan is still the old one.

    Raises `Refused`: `configuration_not_sold`, `quantity_range`.
    """
    found = _sheet(product).sku(sku_code or configuration.sku_code)
    if found is None:
        raise Refused("configuration_not_sold", field="target")
    specification, sku = found
    counted = specification.quantity
    wanted = configuration.quantity if quantity is None else quantity
    choices = []
    for attribute in specification.attributes:
        if attribute.is_quantity:
            choices.append(_quantity(attribute, wanted))
            continue
        option = next((each for each in attribute.options if each.code == sku.choices.get(attribute.code)), None)
        if option is None:
            raise Refused("configuration_not_sold", field="target")
        choices.append(
            Choice(
                code=attribute.code,
                value=option.code,
                label=attribute.name,
                label_zh=attribute.name_zh,
                text=option.name,
                text_zh=option.name_zh,
            )
        )
    return replace(
        configuration,
        specification_code=specification.code,
        specification_name=specification.name,
        specification_name_zh=specification.name_zh,
        sku_code=sku.code,
        attributes=tuple(choices),
        quantity=wanted if counted else Decimal(1),
        quantity_unit=counted.unit_for(wanted) if counted else "",
        quantity_unit_zh=counted.unit_zh if counted else "",
    )


def _quantity(attribute: AttributeSheet, wanted: Decimal) -> Choice:
    if not attribute.accepts(wanted):
        raise Refused(
            "quantity_range",
            field="quantity",
            name=attribute.label,
            minimum=_plain(attribute.minimum),
            maximum=_plain(attribute.maximum),
            step=_plain(attribute.step),
        )
    number = _plain(wanted)
    return Choice(
        code=attribute.code,
        value=number,
        label=attribute.name,
        label_zh=attribute.name_zh,
        text=f"{number} {attribute.unit_for(wanted)}".strip(),
        text_zh=f"{number} {attribute.unit_zh or attribute.unit}".strip(),
    )


def quantity_of(product: Product, sku_code: str) -> AttributeSheet | None:
    """The quantity attribute of a SKU's specification, if it has one."""
    found = _sheet(product).sku(sku_code)
    return found[0].quantity if found else None


def name_of(product: Product, sku_code: str) -> str:
    """A SKU as a choice calls it, in the language in force: "Pro · Europe"; empty for one that is not sold."""
    found = _sheet(product).sku(sku_code)
    if found is None:
        return ""
    specification, sku = found
    options = [
        option.label
        for attribute in specification.enumerations
        for option in attribute.options
        if option.code == sku.choices.get(attribute.code)
    ]
    return " · ".join([specification.label, *options])


def _paths(product: Product, sku_code: str) -> list[tuple[str, bool]]:
    """Where the change paths of a SKU lead and whether upwards, read once for the product as it was fetched."""
    known: dict[str, list[tuple[str, bool]]] = product.__dict__.setdefault("_paths", {})
    if sku_code not in known:
        paths = ChangePath.objects.filter(product=product, source__code=sku_code)
        known[sku_code] = list(paths.values_list("target__code", "is_upgrade"))
    return known[sku_code]


def targets_of(product: Product, sku_code: str, *, upgrades_only: bool) -> list[str]:
    """The codes of the SKUs that a change path leads to from this one, sold ones, in the order of the sheet."""
    codes = {code for code, is_upgrade in _paths(product, sku_code) if is_upgrade or not upgrades_only}
    sheet = _sheet(product)
    return [sku.code for each in sheet.specifications for sku in each.skus if sku.code in codes]


def _plain(number: Decimal | None) -> str:
    return format((number or Decimal(0)).normalize(), "f")
