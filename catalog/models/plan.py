"""Price plans: a billing mode of a SKU with its prices per currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.rules import plans as rules
from billing.rules.terms import TermUnit as RuleTermUnit
from catalog.states import BillingMode, Overflow, PriceModel, TermUnit
from koogallery.kernel.fields import CurrencyField, UnitPriceField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.texts import in_language


class PricePlan(GuardedModel):
    """A billing mode of a SKU. `lengths` counts term units on sale; `usage_unit` names what pay-per-use counts.

    A package holds `package_quota` usage units for `package_months`; then it stops or further use is charged.
    """

    sku = models.ForeignKey("catalog.Sku", on_delete=models.PROTECT, related_name="plans")
    billing_mode = models.CharField(max_length=16, choices=BillingMode.choices)
    model = models.CharField(max_length=8, choices=PriceModel.choices, default=PriceModel.FLAT)
    term_unit = models.CharField(max_length=5, choices=TermUnit.choices, blank=True)
    lengths = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    usage_unit = models.CharField(_("usage unit (one)"), max_length=40, blank=True)
    usage_units = models.CharField(_("usage unit (many)"), max_length=40, blank=True)
    usage_unit_zh = models.CharField(max_length=40, blank=True)
    package_quota = models.DecimalField(max_digits=18, decimal_places=4, null=True, blank=True)
    package_months = models.PositiveSmallIntegerField(null=True, blank=True)
    overflow = models.CharField(max_length=5, choices=Overflow.choices, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("price plan")
        verbose_name_plural = _("price plans")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["sku", "billing_mode", "term_unit"], name="plan_once"),
            models.CheckConstraint(
                condition=Q(billing_mode="PERIOD", term_unit__in=["month", "year"])
                | (~Q(billing_mode="PERIOD") & Q(term_unit="")),
                name="plan_term_unit",
            ),
            models.CheckConstraint(
                condition=~Q(billing_mode="ON_DEMAND_PKG") | Q(package_quota__gt=0, package_months__gte=1),
                name="plan_package",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.billing_mode} {self.term_unit}".strip()

    @property
    def usage_label(self) -> str:
        """The usage unit in the language in force."""
        return in_language(self, "usage_unit")


class PlanPrice(GuardedModel):
    """The prices of a plan in one currency. `bands` is `[[first, price], …]`.

    `length_prices` is `[{"count": 12, "charged_terms": "10"} | {"count": 3, "unit_price": "…"} | {"count", "bands"}]`.
    `overflow_price` is charged per usage unit beyond a package's quota.
    """

    plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="prices")
    currency = CurrencyField()
    unit_price = UnitPriceField(default=Decimal(0))
    bands = models.JSONField(default=list, blank=True)
    length_prices = models.JSONField(default=list, blank=True)
    overflow_price = UnitPriceField(null=True, blank=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["currency"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "currency"], name="plan_price_once"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="plan_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.plan} {self.currency}"

    def value(self) -> rules.PricePlan:
        """The plan with these prices as the value that rules compute with. Raises `ValueError` for faulty prices."""
        return plan_value(
            mode=self.plan.billing_mode,
            model=self.plan.model,
            term_unit=self.plan.term_unit,
            lengths=self.plan.lengths,
            currency=self.currency,
            unit_price=self.unit_price,
            bands=self.bands,
            length_prices=self.length_prices,
        )


def plan_value(
    *,
    mode: str,
    model: str,
    term_unit: str,
    lengths: list[int],
    currency: str,
    unit_price: Decimal,
    bands: list[Any],
    length_prices: list[Any],
) -> rules.PricePlan:
    """The value of stored plan fields. Raises `ValueError` for prices that contradict each other."""
    return rules.PricePlan(
        mode=rules.BillingMode(mode),
        model=rules.PriceModel(model),
        currency=currency,
        unit_price=Decimal(unit_price),
        bands=_bands(bands),
        term_unit=RuleTermUnit(term_unit) if term_unit else None,
        lengths=tuple(lengths),
        length_prices=tuple(_length_price(each) for each in length_prices),
    )


def _bands(stored: list[Any]) -> tuple[rules.Band, ...]:
    return tuple(rules.Band(first=Decimal(first), unit_price=Decimal(price)) for first, price in stored)


def _length_price(stored: dict[str, Any]) -> rules.LengthPrice:
    charged, price = stored.get("charged_terms"), stored.get("unit_price")
    return rules.LengthPrice(
        count=int(stored["count"]),
        charged_terms=None if charged is None else Decimal(charged),
        unit_price=None if price is None else Decimal(price),
        bands=_bands(stored.get("bands", [])),
    )
