"""Credit that finance has granted, with its history."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.states import CreditKind
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money


class CreditLine(GuardedModel):
    """The limit of one credit of an account; what is left of it is the balance of its ledger account."""

    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="credit_lines")
    kind = models.CharField(max_length=12, choices=CreditKind.choices)
    limit = AmountField()
    currency = CurrencyField()
    granted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("credit line")
        verbose_name_plural = _("credit lines")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["account", "kind"], name="credit_line_once"),
            models.CheckConstraint(condition=models.Q(limit__gte=0), name="credit_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.money}"

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return str(self.pk), str(self)

    @property
    def money(self) -> Money:
        """The limit."""
        return Money(self.limit, self.currency)


class CreditChange(GuardedModel):
    """One change of a credit line's limit."""

    credit_line = models.ForeignKey(CreditLine, models.PROTECT, related_name="changes")
    before = AmountField()
    after = AmountField()
    reason = models.CharField(max_length=255, blank=True)
    changed_by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("credit change")
        verbose_name_plural = _("credit changes")
        base_manager_name = "objects"
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"
