"""What a buyer configured, and what it costs: the product page, the quote and the order all call these two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import get_language, ngettext

from billing.rules.discounts import Discount, DiscountSource
from billing.rules.explanation import Explanation, decode, encode
from billing.rules.plans import NotPriced, PricePlan
from billing.rules.pricing import price_purchase, price_trial
from billing.rules.terms import TermLength, TermUnit
from catalog.models import PrivateOffer, Product
from catalog.queries.discounts import discounts_for
from catalog.queries.sheets import AttributeSheet, PlanSheet, Sheet, SkuSheet, SpecificationSheet, sheet_of
from catalog.states import BillingMode
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused

QUANTITY_TEXT = re.compile(r"\d{1,9}(\.\d{1,2})?")
TERM_TEXT = re.compile(r"(\d{1,3})-(month|year)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One attribute as chosen: label and value in both languages."""

    code: str
    value: str
    label: str
    label_zh: str
    text: str
    text_zh: str

    @property
    def label_shown(self) -> str:
        """The attribute's name in the language in force."""
        return (_chinese() and self.label_zh) or self.label

    @property
    def text_shown(self) -> str:
        """The chosen value in the language in force."""
        return (_chinese() and self.text_zh) or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a pay-per-use package holds: usage units for so many months; `overflow_price` beyond, or it stops."""

    quota: Decimal
    months: int
    overflow: str
    overflow_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A product as configured, with the price plan in force: everything a quote, an order line and a resource keep.

    `quantity` is what the price counts (users, GB), `items` how many are bought. `term_unit` and `term_count` are
    set for `PERIOD` only. A trial has `trial_days` > 0.
    """

    product_id: int
    product_code: str
    product_slug: str
    product_name: str
    product_name_zh: str
    seller_id: int
    seller_name: str
    seller_name_zh: str
    delivery_method: str
    supervised: bool
    fee_percent: Decimal
    specification_code: str
    specification_name: str
    specification_name_zh: str
    sku_code: str
    attributes: tuple[Choice, ...]
    quantity: Decimal
    quantity_unit: str
    quantity_unit_zh: str
    items: int
    billing_mode: str
    term_unit: str
    term_count: int
    plan_id: int
    plan: PricePlan
    currency: str
    usage_unit: str
    usage_unit_zh: str
    package: Package | None
    trial_days: int

    @property
    def length(self) -> TermLength | None:
        """The bought length; None unless yearly/monthly."""
        return TermLength(self.term_count, TermUnit(self.term_unit)) if self.term_count else None

    @property
    def name(self) -> str:
        """The product's name in the language in force."""
        return self._told("product_name")

    @property
    def seller(self) -> str:
        """The seller's name in the language in force."""
        return self._told("seller_name")

    @property
    def spec_text(self) -> str:
        """Specification and what was chosen in one line, in the language in force: "Pro · Europe · 40 users"."""
        parts = [self._told("specification_name")]
        parts += [choice.text_shown for choice in self.attributes]
        return " · ".join(part for part in parts if part)

    @property
    def term_text(self) -> str:
        """The length in words, in the language in force; empty unless yearly/monthly or a trial."""
        if self.trial_days:
            return ngettext("%(count)d day", "%(count)d days", self.trial_days) % {"count": self.trial_days}
        return term_text(unit=self.term_unit, count=self.term_count)

    @property
    def mode_label(self) -> str:
        """The billing mode in the language in force."""
        return str(BillingMode(self.billing_mode).label)

    def _told(self, field: str) -> str:
        return str((_chinese() and getattr(self, f"{field}_zh")) or getattr(self, field))

    def form_data(self) -> dict[str, str]:
        """The fields which, given to `configure` again, configure the same."""
        data = {
            "specification": self.specification_code,
            "plan": self.billing_mode,
            "items": str(self.items),
            **{f"attr_{each.code}": each.value for each in self.attributes},
        }
        if self.term_count:
            data["term"] = f"{self.term_count}-{self.term_unit}"
        if self.trial_days:
            data["trial"] = "1"
        return data

    def to_json(self) -> dict[str, Any]:
        """As kept by quotes, order lines and resources."""
        stored: dict[str, Any] = encode(self)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Configuration:
        """The inverse of `to_json`."""
        configuration: Configuration = decode(cls, stored)
        return configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedConfiguration:
    """What a configuration costs an account, and why.

    `list_amount` is the price before discount, rounded; `list_price` the same unrounded, which with `share` stays with
    the resource (pricing.md). `discount_source` is empty without a discount. `milestones` is in how many parts it is
    paid by a private offer, else 0.
    """

    configuration: Configuration
    amount: Money
    list_amount: Money
    list_price: Money
    share: Decimal
    discount: Discount | None
    explanation: Explanation
    milestones: int = 0

    @property
    def discount_source(self) -> str:
        return self.discount.source.value if self.discount else ""

    @property
    def saved(self) -> Money:
        """What the discount saves."""
        return self.list_amount - self.amount


def currency_of(account: Any) -> str:
    """The currency in which an account buys; for visitors (None) the site's."""
    return str(account.currency) if account is not None else str(getattr(settings, "SITE_CURRENCY", "USD"))


def term_text(*, unit: str, count: int) -> str:
    """A length in words, in the language in force."""
    if not count:
        return ""
    if unit == TermUnit.MONTH:
        return ngettext("%(count)d month", "%(count)d months", count) % {"count": count}
    return ngettext("%(count)d year", "%(count)d years", count) % {"count": count}


def configure(
    product: Product, data: Mapping[str, Any], *, account: Any = None, sheet: Sheet | None = None, currency: str = ""
) -> Configuration:
    """Check what a buyer chose and take the plan in force, in `currency` or the account's (visitors: the site's).

    `data` holds `specification`, `attr_<code>` of each attribute (the quantity also as `quantity`), `plan` (a billing
    mode), `term` ("1-year", "6-month"), `items`, `trial` ("1"). What is missing takes its first value. Raises `Refused`
    with the field at fault: `configuration_choice`, `configuration_not_sold`, `quantity_range`, `items_range`,
    `term_not_sold`, `mode_not_sold`, `not_sold_in_currency`, `trial_not_offered`.
    """
    sheet = sheet or sheet_of(product)
    currency = currency or currency_of(account)
    specification = _specification(sheet, data)
    choices = tuple(_choice(attribute, data) for attribute in specification.attributes)
    sku = _sku(specification, choices)
    trial_days = _trial_days(product, data)
    plan, length = _plan(sku, data, currency=currency, is_trial=bool(trial_days))
    quantity = next((choice for choice in choices if _is_quantity(specification, choice)), None)
    counted = specification.quantity
    value = plan.values[currency]
    return Configuration(
        product_id=product.pk,
        product_code=product.code,
        product_slug=product.slug,
        product_name=product.name,
        product_name_zh=product.name_zh,
        seller_id=product.seller_id,
        seller_name=product.seller.name,
        seller_name_zh=product.seller.name_zh,
        delivery_method=product.delivery_method,
        supervised=product.supervised,
        fee_percent=product.platform_fee_percent,
        specification_code=specification.code,
        specification_name=specification.name,
        specification_name_zh=specification.name_zh,
        sku_code=sku.code,
        attributes=choices,
        quantity=Decimal(quantity.value) if quantity else Decimal(1),
        quantity_unit=counted.unit_for(Decimal(quantity.value)) if counted and quantity else "",
        quantity_unit_zh=counted.unit_zh if counted else "",
        items=_items(product, data),
        billing_mode=plan.billing_mode,
        term_unit=length.unit.value if length else "",
        term_count=length.count if length else 0,
        plan_id=plan.pk,
        plan=value,
        currency=currency,
        usage_unit=plan.usage_unit,
        usage_unit_zh=plan.usage_unit_zh,
        package=_package(plan, currency),
        trial_days=trial_days,
    )


def price(
    configuration: Configuration, *, account: Any, at: datetime, offer: PrivateOffer | None = None
) -> PricedConfiguration:
    """What the configuration costs `account` (None: a visitor) at the moment `at`, by the lowest of its discounts.

    `offer` is a private offer for this very configuration; one with milestones stands alone. Raises
    `Refused("configuration_not_sold")` when the plan has no price for it.
    """
    if configuration.trial_days:
        trial = price_trial(currency=configuration.currency, days=configuration.trial_days)
        return PricedConfiguration(
            configuration=configuration,
            amount=trial.amount,
            list_amount=trial.amount,
            list_price=trial.amount,
            share=Decimal(1),
            discount=None,
            explanation=trial.explanation,
        )
    if offer is not None and offer.milestones:
        discounts = [offer.discount]
    else:
        discounts = discounts_for(product_id=configuration.product_id, account=account, at=at) if account else []
        discounts += [offer.discount] if offer is not None else []
    milestones = offer.milestones if offer is not None else 0
    try:
        priced = price_purchase(
            plan=configuration.plan,
            quantity=configuration.quantity,
            items=configuration.items,
            length=configuration.length,
            discounts=discounts,
        )
    except NotPriced as error:
        raise Refused("configuration_not_sold", field="quantity") from error
    return PricedConfiguration(
        configuration=configuration,
        amount=priced.amount,
        list_amount=priced.list_price.rounded(),
        list_price=priced.list_price,
        share=priced.share,
        discount=discounts[0] if milestones else priced.discount,
        explanation=priced.explanation,
        milestones=milestones,
    )


def _chinese() -> bool:
    return (get_language() or "en").startswith("zh")


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return "" if value is None else str(value).strip()


def _specification(sheet: Sheet, data: Mapping[str, Any]) -> SpecificationSheet:
    if not sheet.specifications:
        raise Refused("configuration_not_sold", field="specification")
    wanted = _text(data, "specification")
    found = sheet.specification(wanted) if wanted else sheet.specifications[0]
    if found is None:
        raise Refused("configuration_choice", field="specification", name="specification")
    return found


def _choice(attribute: AttributeSheet, data: Mapping[str, Any]) -> Choice:
    field = f"attr_{attribute.code}"
    wanted = _text(data, field) or (_text(data, "quantity") if attribute.is_quantity else "")
    if attribute.is_quantity:
        quantity = _quantity(attribute, wanted, field)
        number = format(quantity.normalize(), "f")
        return Choice(
            code=attribute.code,
            value=number,
            label=attribute.name,
            label_zh=attribute.name_zh,
            text=f"{number} {attribute.unit_for(quantity)}".strip(),
            text_zh=f"{number} {attribute.unit_zh or attribute.unit}".strip(),
        )
    option = next((each for each in attribute.options if each.code == wanted), None)
    if not wanted and attribute.options:
        option = attribute.options[0]
    if option is None:
        raise Refused("configuration_choice", field=field, name=attribute.label)
    return Choice(
        code=attribute.code,
        value=option.code,
        label=attribute.name,
        label_zh=attribute.name_zh,
        text=option.name,
        text_zh=option.name_zh,
    )


def _quantity(attribute: AttributeSheet, wanted: str, field: str) -> Decimal:
    assert attribute.minimum is not None
    if not wanted:
        return attribute.minimum
    if QUANTITY_TEXT.fullmatch(wanted) and attribute.accepts(Decimal(wanted)):
        return Decimal(wanted)
    raise Refused(
        "quantity_range",
        field=field,
        name=attribute.label,
        minimum=_plain(attribute.minimum),
        maximum=_plain(attribute.maximum),
        step=_plain(attribute.step),
    )


def _plain(number: Decimal | None) -> str:
    return format((number or Decimal(0)).normalize(), "f")


def _is_quantity(specification: SpecificationSheet, choice: Choice) -> bool:
    return specification.quantity is not None and specification.quantity.code == choice.code


def _sku(specification: SpecificationSheet, choices: tuple[Choice, ...]) -> SkuSheet:
    cell = {choice.code: choice.value for choice in choices if not _is_quantity(specification, choice)}
    found = specification.sku_for(cell)
    if found is None:
        field = f"attr_{next(iter(cell))}" if cell else "specification"
        raise Refused("configuration_not_sold", field=field)
    return found


def _trial_days(product: Product, data: Mapping[str, Any]) -> int:
    if _text(data, "trial") in ("", "0"):
        return 0
    if not product.trial_days:
        raise Refused("trial_not_offered", field="trial")
    return product.trial_days


def _plan(
    sku: SkuSheet, data: Mapping[str, Any], *, currency: str, is_trial: bool
) -> tuple[PlanSheet, TermLength | None]:
    plans = sku.plans_in(currency)
    if not plans:
        raise Refused(
            "not_sold_in_currency" if sku.plans else "configuration_not_sold", field="plan", currency=currency
        )
    mode, term = _text(data, "plan"), _text(data, "term")
    if not mode:
        mode = BillingMode.PERIOD if term else plans[0].billing_mode
    if mode not in BillingMode.values:
        raise Refused("configuration_choice", field="plan", name="plan")
    offered = [plan for plan in plans if plan.billing_mode == mode]
    if not offered:
        raise Refused("mode_not_sold", field="plan", mode=BillingMode(mode).label)
    if mode != BillingMode.PERIOD:
        return offered[0], None
    if not term:
        first = offered[0]
        return first, TermLength(min(first.lengths, default=1), TermUnit(first.term_unit))
    match = TERM_TEXT.fullmatch(term)
    if match and int(match[1]):
        length = TermLength(int(match[1]), TermUnit(match[2]))
        for plan in offered:
            if plan.term_unit == length.unit and plan.values[currency].offers(length):
                return plan, length
    if is_trial:
        return offered[0], TermLength(min(offered[0].lengths, default=1), TermUnit(offered[0].term_unit))
    raise Refused("term_not_sold", field="term")


def _items(product: Product, data: Mapping[str, Any]) -> int:
    wanted = _text(data, "items") or "1"
    if not re.fullmatch(r"\d{1,7}", wanted) or not 1 <= int(wanted) <= product.max_items:
        raise Refused("items_range", field="items", maximum=product.max_items)
    return int(wanted)


def _package(plan: PlanSheet, currency: str) -> Package | None:
    if plan.billing_mode != BillingMode.ON_DEMAND_PKG:
        return None
    assert plan.package_quota is not None and plan.package_months is not None
    return Package(
        quota=plan.package_quota,
        months=plan.package_months,
        overflow=plan.overflow,
        overflow_price=plan.overflow_prices.get(currency),
    )


__all__ = [
    "Choice",
    "Configuration",
    "DiscountSource",
    "Package",
    "PricedConfiguration",
    "configure",
    "currency_of",
    "price",
    "term_text",
]
