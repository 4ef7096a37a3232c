"""What the page of a change within the term offers for one state of its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.rules.explanation import to_decimal
from billing.rules.plans import NotPriced, PricePlan
from catalog.queries import Configuration
from catalog.queries.changing import cycles_of, name_of, quantity_of, targets_of
from catalog.queries.configurator import Choices, Number, Pick
from catalog.queries.sheets import AttributeSheet
from catalog.rules.shown import cycle_text, per_text
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.models import Resource
from orders.states import ChangeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be chosen and what is chosen; one kind of change at a time."""

    kinds: Choices
    targets: Choices | None
    quantity: Number | None
    form: Mapping[str, str]


def options_of(resource: Resource, data: Mapping[str, str]) -> Options:
    """The kinds of change that are offered, their targets with prices, and what `data` chooses among them.

    Raises `Refused("change_none_offered")`.
    """
    current = resource.configured
    targets = targets_of(resource.product, current.sku_code, upgrades_only=True)
    counted = _counted(resource, current)
    possible = [
        kind
        for kind, offered in ((ChangeKind.UPGRADE, targets), (ChangeKind.EXPANSION, counted is not None))
        if offered
    ]
    if not possible:
        raise Refused("change_none_offered")
    kind = ChangeKind(data["kind"]) if data.get("kind") in possible else possible[0]
    kinds = Choices(
        "kind", _("Kind of change"), tuple(Pick(each.value, str(each.label), each is kind) for each in possible)
    )
    if kind is ChangeKind.UPGRADE:
        chosen = data["target"] if data.get("target") in targets else targets[0]
        return Options(
            kinds=kinds,
            targets=_targets(resource, current, targets, chosen),
            quantity=None,
            form={"kind": kind.value, "target": chosen},
        )
    assert counted is not None
    number = _number(counted, current, data.get("quantity", ""))
    return Options(kinds=kinds, targets=None, quantity=number, form={"kind": kind.value, "quantity": number.value})


def _counted(resource: Resource, current: Configuration) -> AttributeSheet | None:
    """The quantity that can grow: one that the price follows and that is below its maximum."""
    counted = quantity_of(resource.product, current.sku_code)
    if counted is None or counted.maximum is None or current.quantity + (counted.step or 1) > counted.maximum:
        return None
    cycles = cycles_of(resource.product, current.sku_code, currency=current.currency)
    plans = [plan for plan in (cycles.month, cycles.year) if plan is not None]
    return counted if any(plan.model.counts_quantity for plan in plans) else None


def _targets(resource: Resource, current: Configuration, codes: list[str], chosen: str) -> Choices:
    picks = [
        Pick(code, name_of(resource.product, code), code == chosen, _prices(resource, current, code)) for code in codes
    ]
    return Choices("target", _("New specification"), tuple(picks))


def _prices(resource: Resource, current: Configuration, code: str) -> str:
    """What a target costs in the cycles in which it is sold: `USD 80.00 / month · USD 900.00 / year`."""
    cycles = cycles_of(resource.product, code, currency=current.currency)
    sold = (("month", cycles.month, 1), ("year", cycles.year, 12))
    told = [_price(plan, months, current, unit) for unit, plan, months in sold if plan is not None]
    return " · ".join(price for price in told if price)


def _price(plan: PricePlan, months: int, current: Configuration, unit: str) -> str:
    try:
        price = plan.term_price(months=months, quantity=current.quantity, items=current.items)
    except NotPriced:
        return ""
    return f"{Money(to_decimal(price), plan.currency)} {per_text(unit='', per=cycle_text(unit))}"


def _number(counted: AttributeSheet, current: Configuration, entered: str) -> Number:
    least = current.quantity + (counted.step or Decimal(1))
    low, high = (f"{number.normalize():f}" for number in (least, counted.maximum or least))
    label = _("%(name)s after the change (%(low)s to %(high)s)") % {"name": counted.label, "low": low, "high": high}
    step = f"{(counted.step or Decimal(1)).normalize():f}"
    return Number("quantity", label, entered[:20] or low, low, high, step)
