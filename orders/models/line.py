"""A line of an order: the product, the configuration it was bought in, its amount and how that came about."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from billing.rules.explanation import Explanation
from catalog.queries import Configuration
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from orders.models.order import Order


class OrderLine(GuardedModel):
    """One product in one configuration. `number` is the order's number with `-000001`.

    `configuration` is the frozen configuration as JSON; `explanation` recomputes `amount`. `once_key` makes what an
    account may have only once (a trial of a product) unique; it is cleared when the order is Canceled. `milestones` is
    the number of parts in which a supervised delivery is accepted, 0 where it is accepted whole. `resource` is what a
    renewal or change is for; `reverses` the line that a line of an UNSUBSCRIBE order gives back: its amount is
    negative, its explanation that of the refund.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines", verbose_name=_("order"))
    number = models.CharField(_("line No."), max_length=30, unique=True)
    product = models.ForeignKey(
        "catalog.Product",
        models.PROTECT,
        related_name="+",
        verbose_name=_("product"),
        db_index=False,
        db_constraint=False,
    )
    product_code = models.CharField(_("product code"), max_length=64)
    product_name = models.CharField(_("product"), max_length=200)
    specification_code = models.CharField(_("specification code"), max_length=60)
    sku_code = models.CharField(_("SKU"), max_length=128, blank=True)
    spec_text = models.CharField(_("specification"), max_length=300, blank=True)
    delivery_method = models.CharField(_("delivery method"), max_length=30)
    supervised = models.BooleanField(_("supervised"), default=False)
    billing_mode = models.CharField(_("billing mode"), max_length=20)
    quantity = models.DecimalField(_("quantity"), max_digits=19, decimal_places=4)
    items = models.PositiveIntegerField(_("items"), default=1)
    term_unit = models.CharField(_("term unit"), max_length=10, blank=True)
    term_count = models.PositiveIntegerField(_("term"), null=True, blank=True)
    configuration = models.JSONField(default=dict)
    list_amount = AmountField(_("list price"))
    discount_share = models.DecimalField(_("share that is paid"), max_digits=12, decimal_places=10, default=1)
    discount_source = models.CharField(_("discount"), max_length=30, blank=True)
    discount_reference = models.CharField(max_length=64, blank=True)
    amount = AmountField(_("amount"))
    currency = CurrencyField()
    explanation = models.JSONField(default=dict)
    fee_percent = models.DecimalField(_("platform fee in percent"), max_digits=5, decimal_places=2, default=0)
    once_key = models.CharField(max_length=100, null=True, blank=True)
    milestones = models.PositiveSmallIntegerField(_("milestones"), default=0, db_default=0)
    resource = models.ForeignKey(
        "orders.Resource",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="follow_ups",
        verbose_name=_("resource"),
        db_constraint=False,
    )

    reverses = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reversals",
        verbose_name=_("reverses"),
        db_index=False,
    )
    agreed_way = models.CharField(
        _("special agreement"), max_length=10, blank=True, default="", db_default="", editable=False
    )

    class Meta(GuardedModel.Meta):
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reverses__isnull=True, amount__gte=0, list_amount__gte=0)
                | Q(reverses__isnull=False, amount__lte=0, list_amount__lte=0),
                name="line_amount_not_negative",
            ),
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="line_reversed_once"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0, items__gt=0), name="line_counts_positive"),
            models.CheckConstraint(
                condition=Q(discount_share__gte=0, discount_share__lte=1), name="line_discount_is_share"
            ),
            models.UniqueConstraint(fields=["once_key"], condition=Q(once_key__isnull=False), name="line_once_per_key"),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the line: by its order."""
        return self.number.rpartition("-")[0], self.product_name

    @property
    def total(self) -> Money:
        """What was to be paid for the line."""
        return Money(self.amount, self.currency)

    @property
    def list_total(self) -> Money:
        """The price before discount, rounded."""
        return Money(self.list_amount, self.currency)

    @property
    def calculation(self) -> Explanation | None:
        """The stored explanation, for “How is this calculated?”."""
        return Explanation.from_json(self.explanation) if self.explanation else None

    @cached_property
    def configured(self) -> Configuration:
        """What was bought, as frozen in the quote."""
        return Configuration.from_json(self.configuration)
