"""Specifications, their attributes, the SKU grid, and the paths of change between SKUs."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.states import AttributeKind
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.texts import in_language


class Specification(GuardedModel):
    """A sellable variant of a product."""

    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="specifications")
    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    name_zh = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=300, blank=True)
    description_zh = models.CharField(max_length=300, blank=True)
    limit_per_account = models.PositiveIntegerField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("specification")
        verbose_name_plural = _("specifications")
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["product", "code"], name="specification_code")]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")

    @property
    def explanation(self) -> str:
        """The description in the language in force."""
        return in_language(self, "description")


class Attribute(GuardedModel):
    """What a buyer chooses in a specification: one of several options, or a quantity.

    A specification has at most one quantity, which its prices count.
    """

    specification = models.ForeignKey(Specification, on_delete=models.PROTECT, related_name="attributes")
    code = models.SlugField(max_length=40)
    kind = models.CharField(max_length=12, choices=AttributeKind.choices)
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    unit = models.CharField(_("unit (many)"), max_length=40, blank=True)
    unit_one = models.CharField(_("unit (one)"), max_length=40, blank=True)
    unit_zh = models.CharField(max_length=40, blank=True)
    minimum = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    maximum = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    step = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["specification", "code"], name="attribute_code"),
            models.UniqueConstraint(
                fields=["specification"], condition=Q(kind="quantity"), name="attribute_one_quantity"
            ),
            models.CheckConstraint(
                condition=~Q(kind="quantity")
                | Q(minimum__gt=0, step__gt=0, maximum__gte=F("minimum"), maximum__isnull=False),
                name="attribute_quantity_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")

    @property
    def unit_label(self) -> str:
        """The unit in the language in force, such as "users"."""
        return in_language(self, "unit")

    def accepts(self, quantity: Decimal) -> bool:
        """Whether the quantity lies in the range and on a step of it."""
        assert self.minimum is not None and self.maximum is not None and self.step is not None
        return self.minimum <= quantity <= self.maximum and (quantity - self.minimum) % self.step == 0


class AttributeOption(GuardedModel):
    """One option of an enumeration."""

    attribute = models.ForeignKey(Attribute, on_delete=models.PROTECT, related_name="options")
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("option")
        verbose_name_plural = _("options")
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["attribute", "code"], name="option_code")]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")


class Sku(GuardedModel):
    """One cell of the attribute grid of a specification. `choices` maps each enumeration to an option, by code."""

    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="skus")
    specification = models.ForeignKey(Specification, on_delete=models.PROTECT, related_name="skus")
    code = models.SlugField(max_length=120)
    choices = models.JSONField(default=dict, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("SKU")
        verbose_name_plural = _("SKUs")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["product", "code"], name="sku_code"),
            models.UniqueConstraint(fields=["specification", "choices"], name="sku_choices"),
        ]

    def __str__(self) -> str:
        return self.code


class ChangePath(GuardedModel):
    """A change that a running resource may make. Paths marked as upgrade are offered within the term."""

    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="change_paths")
    source = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="paths_from")
    target = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="paths_to")
    is_upgrade = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("change path")
        verbose_name_plural = _("change paths")
        constraints = [
            models.UniqueConstraint(fields=["source", "target"], name="change_path_once"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="change_path_differs"),
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
