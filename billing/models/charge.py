"""The lines of Bills: one per charge and refund."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.states import ChargeKind, PayMethod
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from koogallery.kernel.texts import in_language


class Charge(GuardedModel):
    """What an account was charged (positive) or refunded (negative).

    It bears the number of its payment or refund, which keeps how the amount came about (`queries.explained`). For a
    reseller's customer the line stands in the reseller's account and names the `customer`.
    """

    number = models.CharField(max_length=24, unique=True)
    kind = models.CharField(max_length=12, choices=ChargeKind.choices)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="charges", db_index=False, db_constraint=False
    )
    customer = models.ForeignKey(
        "identity.Account", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    order_number = models.CharField(max_length=24)
    line_number = models.CharField(max_length=40)
    method = models.CharField(max_length=16, choices=PayMethod.choices)
    amount = AmountField()
    currency = CurrencyField()
    description = models.CharField(max_length=255, blank=True)
    description_zh = models.CharField(max_length=255, blank=True, default="", db_default="")
    project_code = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("bill line")
        verbose_name_plural = _("bill lines")
        base_manager_name = "objects"
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["account", "-at", "-id"], name="charge_of_account"),
            models.Index(fields=["order_number"], name="charge_of_order"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="charge", amount__gt=0) | models.Q(kind="refund", amount__lt=0),
                name="charge_sign",
            )
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, self.description

    def get_absolute_url(self) -> str:
        """The line's page."""
        return reverse("billing:bill", args=[self.number])

    @property
    def money(self) -> Money:
        """The amount, negative for a refund."""
        return Money(self.amount, self.currency)

    @property
    def product(self) -> str:
        """What it is for, in the language in force."""
        return in_language(self, "description")

    @property
    def kind_enum(self) -> ChargeKind:
        """The kind as its enum."""
        return ChargeKind(self.kind)
