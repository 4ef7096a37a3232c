"""The configurator of the Pricing tab: what can be chosen, what is chosen, what it costs, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing.rules.discounts import DiscountSource
from billing.rules.plans import PricePlan
from catalog.models import PrivateOffer, Product
from catalog.queries.configuration import (
    Configuration,
    PricedConfiguration,
    configure,
    currency_of,
    price,
    term_text,
)
from catalog.queries.offers import differences, is_offers, why_unusable
from catalog.queries.sheets import AttributeSheet, PlanSheet, Sheet, SkuSheet, SpecificationSheet, sheet_of
from catalog.rules.offers import Difference
from catalog.rules.shown import cycle_text, per_text, told
from catalog.states import BillingMode, PriceModel
from koogallery.kernel.money import Money, unit_price_text
from koogallery.kernel.reasons import Refused

ANY_LENGTHS = {"month": (1, 2, 3, 6), "year": (1, 2, 3)}


@dataclass(frozen=True, slots=True)
class Pick:
    """One choice among several."""

    value: str
    label: str
    checked: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """A question with its choices."""

    name: str
    label: str
    picks: tuple[Pick, ...]
    error: str = ""

    @property
    def several(self) -> bool:
        return len(self.picks) > 1


@dataclass(frozen=True, slots=True)
class Number:
    """A number to enter."""

    name: str
    label: str
    value: str
    low: str
    high: str
    step: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class BandRow:
    """One band of a tiered or volume plan; `own` is the chosen quantity where it falls into this band."""

    quantities: str
    price: str
    own: str


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One way to pay for the chosen specification."""

    mode: str
    price: str
    note: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferHelp:
    """What the Pricing tab says of the private offer it was opened with.

    `is_linked` says that the configuration is the offer's, `is_taken` that its price counts; else `refused` says why it
    cannot be used or `differences` what is different. `values` are the form's fields with which it is linked, none
    where the product no longer sells them: then its link still does.
    """

    offer: PrivateOffer
    is_linked: bool
    is_taken: bool
    refused: Refused | None
    differences: tuple[Difference, ...]
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurator:
    """Everything the Pricing tab shows for one state of its form."""

    specification: Choices
    enumerations: tuple[Choices, ...]
    quantity: Number | None
    modes: Choices
    terms: Choices
    items: Number | None
    priced: PricedConfiguration | None
    refused: Refused | None
    bands: tuple[BandRow, ...]
    band_unit: str
    band_price_label: str
    band_rule: str
    prices: tuple[PriceRow, ...]
    only_modes: str
    trial_days: int
    offer: OfferHelp | None = None
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def amount(self) -> Money | None:
        return self.priced.amount if self.priced else None

    @property
    def is_per_use(self) -> bool:
        """Whether nothing is due at purchase because use is billed later."""
        return bool(self.priced and self.priced.configuration.billing_mode == BillingMode.ON_DEMAND)

    @property
    def total_label(self) -> str:
        """What the large amount is for."""
        if self.priced is None:
            return _("Total")
        text = self.priced.configuration.term_text
        return _("Total for %(term)s") % {"term": text} if text else _("Total")

    @property
    def sum_text(self) -> str:
        """The unit price and what it is multiplied by: `USD 30.00 × 40 users`."""
        return "" if self.priced is None else _sum_text(self.priced)

    @property
    def discount_text(self) -> str:
        """Which discount counts: "Standing discount: you pay 90 %"."""
        if self.priced is None or self.priced.discount is None:
            return ""
        share = self.priced.discount.share
        return DISCOUNT_NAMES[self.priced.discount.source]() % {
            "percent": format((share * 100).normalize(), "f") if share is not None else ""
        }


DISCOUNT_NAMES = {
    DiscountSource.STANDING: lambda: _("Standing discount: you pay %(percent)s%%"),
    DiscountSource.RESELLER_CUSTOMER: lambda: _("Your reseller's discount for you: you pay %(percent)s%%"),
    DiscountSource.RESELLER_PARTNER: lambda: _("Your reseller's discount: you pay %(percent)s%%"),
    DiscountSource.RESELLER_PRODUCT: lambda: _("Your reseller's discount on this product: you pay %(percent)s%%"),
    DiscountSource.OFFER: lambda: _("Private offer"),
}


def configurator(
    product: Product,
    data: Mapping[str, Any],
    *,
    account: Any,
    at: datetime,
    sheet: Sheet | None = None,
    currency: str = "",
    offer: PrivateOffer | None = None,
) -> Configurator:
    """The state of the Pricing tab for these form values; a faulty value keeps its place and gets its sentence.

    Prices are in `currency`, or the account's. `offer` is a private offer of the account for the product: its price is
    linked where the configuration is the offer's and it can be used.
    """
    sheet = sheet or sheet_of(product)
    currency = currency or currency_of(account)
    priced: PricedConfiguration | None = None
    refused: Refused | None = None
    chosen_by_buyer: Configuration | None = None
    try:
        chosen_by_buyer = configure(product, data, account=account, sheet=sheet, currency=currency)
        if offer is not None and why_unusable(offer, at) is None and is_offers(offer, chosen_by_buyer):
            agreed = Configuration.from_json(offer.configuration)
            priced = price(agreed, account=account, at=at, offer=offer)
        else:
            priced = price(chosen_by_buyer, account=account, at=at)
    except Refused as found:
        refused = found
    specification = _specification(sheet, data)
    sku = _sku(specification, data) if specification else None
    plans = sku.plans_in(currency) if sku else ()
    mode = _mode(plans, data, priced)
    offered = [plan for plan in plans if plan.billing_mode == mode]
    term = _term(offered, data, priced)
    chosen = next((plan for plan in offered if not term or plan.term_unit == term.partition("-")[2]), None)
    errors = {refused.field: refused.sentence} if refused else {}
    value = chosen.values[currency] if chosen else None
    counted = specification.quantity if specification else None
    return Configurator(
        specification=Choices(
            "specification",
            _("Specification"),
            tuple(
                Pick(
                    each.code,
                    each.label,
                    specification is not None and each.code == specification.code,
                    each.explanation,
                )
                for each in sheet.specifications
            ),
            errors.get("specification", ""),
        ),
        enumerations=tuple(
            _enumeration(each, data, errors) for each in (specification.enumerations if specification else ())
        ),
        quantity=_quantity(counted, data, errors) if counted else None,
        modes=Choices(
            "plan",
            _("Billing mode"),
            tuple(
                Pick(each, str(BillingMode(each).label), each == mode)
                for each in dict.fromkeys(plan.billing_mode for plan in plans)
            ),
            errors.get("plan", ""),
        ),
        terms=Choices("term", _("Required Duration"), _term_picks(offered, currency, term), errors.get("term", "")),
        items=_items(product, data, errors),
        priced=priced,
        refused=refused,
        bands=_bands(value, counted, priced),
        band_unit=counted.label if counted else _("Quantity"),
        band_price_label=_band_price_label(chosen),
        band_rule=str(PriceModel(value.model.value).label) if value and value.bands else "",
        prices=tuple(_price_row(plan, currency, counted, chosen) for plan in plans),
        only_modes=_only_modes(sheet, currency),
        trial_days=product.trial_days or 0,
        offer=_offer_help(offer, product, chosen_by_buyer, priced, account=account, at=at, sheet=sheet)
        if offer is not None
        else None,
    )


def _offer_help(
    offer: PrivateOffer,
    product: Product,
    chosen: Configuration | None,
    priced: PricedConfiguration | None,
    *,
    account: Any,
    at: datetime,
    sheet: Sheet,
) -> OfferHelp:
    why = why_unusable(offer, at)
    linked = why is None and chosen is not None and is_offers(offer, chosen)
    values: tuple[tuple[str, str], ...] = ()
    if why is None and not linked:
        try:
            sold = configure(product, offer.form, account=account, sheet=sheet)
        except Refused:
            pass
        else:
            values = tuple(offer.form.items()) if is_offers(offer, sold) else ()
    taken = linked and priced is not None and priced.discount_source == DiscountSource.OFFER
    return OfferHelp(
        offer=offer,
        is_linked=linked,
        is_taken=taken,
        refused=why,
        differences=tuple(differences(offer, chosen)) if why is None and chosen is not None else (),
        values=values,
    )


def _specification(sheet: Sheet, data: Mapping[str, Any]) -> SpecificationSheet | None:
    wanted = str(data.get("specification") or "")
    return sheet.specification(wanted) or (sheet.specifications[0] if sheet.specifications else None)


def _picked(attribute: AttributeSheet, data: Mapping[str, Any]) -> str:
    wanted = str(data.get(f"attr_{attribute.code}") or "")
    known = [option.code for option in attribute.options]
    return wanted if wanted in known else (known[0] if known else "")


def _sku(specification: SpecificationSheet, data: Mapping[str, Any]) -> SkuSheet | None:
    cell = {each.code: _picked(each, data) for each in specification.enumerations}
    return specification.sku_for(cell)


def _mode(plans: Sequence[PlanSheet], data: Mapping[str, Any], priced: PricedConfiguration | None) -> str:
    if priced is not None:
        return priced.configuration.billing_mode
    wanted = str(data.get("plan") or "")
    sold = [plan.billing_mode for plan in plans]
    return wanted if wanted in sold else (sold[0] if sold else "")


def _term(offered: Sequence[PlanSheet], data: Mapping[str, Any], priced: PricedConfiguration | None) -> str:
    if priced is not None:
        own = priced.configuration
        return f"{own.term_count}-{own.term_unit}" if own.term_count else ""
    return str(data.get("term") or "")


def _term_picks(offered: Sequence[PlanSheet], currency: str, term: str) -> tuple[Pick, ...]:
    found = []
    for plan in sorted(offered, key=lambda each: each.term_unit):
        if not plan.term_unit:
            continue
        for count in plan.lengths or ANY_LENGTHS[plan.term_unit]:
            value = f"{count}-{plan.term_unit}"
            found.append(Pick(value, term_text(unit=plan.term_unit, count=count), value == term))
    return tuple(found)


def _enumeration(attribute: AttributeSheet, data: Mapping[str, Any], errors: Mapping[str, str]) -> Choices:
    name = f"attr_{attribute.code}"
    picked = _picked(attribute, data)
    return Choices(
        name,
        attribute.label,
        tuple(Pick(option.code, option.label, option.code == picked) for option in attribute.options),
        errors.get(name, ""),
    )


def _plain(number: Decimal | None) -> str:
    return format((number or Decimal(0)).normalize(), "f")


def _quantity(attribute: AttributeSheet, data: Mapping[str, Any], errors: Mapping[str, str]) -> Number:
    name = f"attr_{attribute.code}"
    value = data.get(name) or data.get("quantity") or _plain(attribute.minimum)
    low, high = attribute.minimum or Decimal(1), attribute.maximum or Decimal(1)
    label = _("%(name)s (%(low)s to %(high)s)") % {
        "name": attribute.label,
        "low": _thousands(low),
        "high": _thousands(high),
    }
    return Number(name, label, str(value)[:20], _plain(low), _plain(high), _plain(attribute.step), errors.get(name, ""))


def _thousands(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _items(product: Product, data: Mapping[str, Any], errors: Mapping[str, str]) -> Number | None:
    most = product.max_items if product.stock is None else min(product.max_items, max(product.stock, 1))
    if product.max_items <= 1:
        return None
    label = _("%(name)s (%(low)s to %(high)s)") % {"name": _("Items"), "low": 1, "high": f"{most:,}"}
    return Number("items", label, str(data.get("items") or "1")[:8], "1", str(most), "1", errors.get("items", ""))


def _bands(
    value: PricePlan | None, counted: AttributeSheet | None, priced: PricedConfiguration | None
) -> tuple[BandRow, ...]:
    if value is None or not value.bands:
        return ()
    own = priced.configuration.quantity if priced else None
    rows = []
    for band, after in zip(value.bands, [*value.bands[1:], None], strict=True):
        last = after.first - (counted.step if counted and counted.step else 1) if after else None
        inside = own is not None and band.first <= own and (after is None or own < after.first)
        quantities = (
            _("%(first)s and more") % {"first": _thousands(band.first)}
            if last is None
            else f"{_thousands(band.first)} – {_thousands(last)}"
        )
        rows.append(
            BandRow(
                quantities,
                unit_price_text(band.unit_price, value.currency),
                _thousands(own) if inside and own is not None else "",
            )
        )
    return tuple(rows)


def _band_price_label(plan: PlanSheet | None) -> str:
    if plan is None:
        return ""
    if plan.term_unit:
        return _("Unit price per %(cycle)s") % {"cycle": cycle_text(plan.term_unit)}
    return _("Unit price")


def _price_row(plan: PlanSheet, currency: str, counted: AttributeSheet | None, chosen: PlanSheet | None) -> PriceRow:
    value = plan.values[currency]
    unit = counted.one_label if counted and value.model.counts_quantity and plan.billing_mode != "ON_DEMAND" else ""
    per = cycle_text(plan.term_unit) if plan.term_unit else plan.usage_label if plan.billing_mode == "ON_DEMAND" else ""
    lowest = min((band.unit_price for band in value.bands), default=value.unit_price)
    text = f"{unit_price_text(lowest, currency)} {per_text(unit=unit, per=per)}".strip()
    if value.bands:
        text = _("from %(price)s") % {"price": text}
    return PriceRow(str(BillingMode(plan.billing_mode).label), text, _plan_note(plan, currency), plan is chosen)


def _plan_note(plan: PlanSheet, currency: str) -> str:
    value = plan.values[currency]
    notes = [
        _("%(length)s cost %(terms)s")
        % {
            "length": term_text(unit=plan.term_unit, count=each.count),
            "terms": term_text(unit=plan.term_unit, count=int(each.charged_terms))
            if each.charged_terms is not None and each.charged_terms == int(each.charged_terms)
            else unit_price_text(each.unit_price or Decimal(0), currency),
        }
        for each in value.length_prices
        if each.charged_terms is not None or each.unit_price is not None
    ]
    if plan.package_quota is not None:
        notes.append(
            _("%(quota)s %(unit)s, valid for %(term)s")
            % {
                "quota": _thousands(plan.package_quota),
                "unit": plan.usage_labels,
                "term": term_text(unit="month", count=plan.package_months or 1),
            }
        )
        beyond = plan.overflow_prices.get(currency)
        notes.append(
            _("then %(price)s") % {"price": f"{unit_price_text(beyond, currency)} / {plan.usage_label}"}
            if plan.overflow == "price" and beyond is not None
            else _("then service stops")
        )
    return " · ".join(notes)


def _only_modes(sheet: Sheet, currency: str) -> str:
    """The sentence of guide 7.4 where pay-per-use or yearly/monthly is missing."""
    modes = sheet.modes(currency)
    if {BillingMode.PERIOD, BillingMode.ON_DEMAND} <= set(modes) or not modes:
        return ""
    names = [str(mode.label) for mode in modes]
    listed = names[0] if len(names) == 1 else _(" and ").join([", ".join(names[:-1]), names[-1]])
    return _("Only %(modes)s billing is offered by the seller.") % {"modes": listed}


def _sum_text(priced: PricedConfiguration) -> str:
    own = priced.configuration
    plan = own.plan
    if own.trial_days:
        return ""
    try:
        unit = plan.unit_price_at(quantity=own.quantity)
    except ValueError:
        return ""
    text = unit_price_text(unit, own.currency)
    if own.billing_mode == BillingMode.ON_DEMAND:
        return _("%(price)s per %(unit)s, billed by use") % {
            "price": text,
            "unit": told((own.usage_unit, own.usage_unit_zh)),
        }
    parts = [text]
    if plan.model.counts_quantity:
        parts.append(f"{_thousands(own.quantity)} {told((own.quantity_unit, own.quantity_unit_zh))}".strip())
    if own.items > 1:
        parts.append(str(own.items))
    return " × ".join(parts) if len(parts) > 1 else ""
