"""Credit that finance has granted, with its history."""

from __future__ import annotations

from datetime import date, datetime

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.rules.bills import is_overdue
from billing.states import CreditKind, StatementState
from koogallery import clock
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
        return f"{Money(self.before, self.currency)} → {Money(self.after, self.currency)}"

    @property
    def currency(self) -> str:
        """The currency of its credit line."""
        return self.credit_line.currency


class CreditStatement(GuardedModel):
    """What was used of the platform credit until the end of a month and not stated before (billing.md, Paying).

    Due at 23:59:59 of its date + 30 days. Repayments and refunds lower the oldest open statement first.
    """

    number = models.CharField(max_length=24, unique=True)
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="credit_statements")
    month = models.DateField()
    amount = AmountField()
    repaid = AmountField(default=0)
    currency = CurrencyField()
    generated_at = models.DateTimeField()
    due_at = models.DateTimeField()
    remind_at = models.DateTimeField(null=True)
    repaid_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("credit statement")
        verbose_name_plural = _("credit statements")
        base_manager_name = "objects"
        ordering = ["-month", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "month"], name="statement_once_a_month"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="statement_positive"),
            models.CheckConstraint(
                condition=models.Q(repaid__gte=0) & models.Q(repaid__lte=models.F("amount")),
                name="statement_repaid_within",
            ),
            models.CheckConstraint(
                condition=models.Q(repaid_at=None, repaid__lt=models.F("amount"))
                | models.Q(repaid_at__isnull=False, repaid=models.F("amount")),
                name="statement_repaid_when",
            ),
        ]
        indexes = [
            models.Index(fields=["remind_at"], name="statement_remind", condition=models.Q(remind_at__isnull=False)),
            models.Index(
                fields=["account", "due_at"], name="statement_open", condition=models.Q(repaid_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, f"{self.month:%Y-%m}"

    @property
    def money(self) -> Money:
        """The amount stated."""
        return Money(self.amount, self.currency)

    @property
    def outstanding(self) -> Money:
        """What is still to be repaid."""
        return Money(self.amount - self.repaid, self.currency)

    @property
    def repaid_money(self) -> Money:
        """What was repaid of it, or refunded."""
        return Money(self.repaid, self.currency)

    def get_absolute_url(self) -> str:
        """The statement's page."""
        return reverse("billing:credit_statement", args=[self.number])

    def state_at(self, moment: datetime) -> StatementState:
        """Open, overdue or repaid at a moment."""
        if self.repaid_at is not None:
            return StatementState.REPAID
        return StatementState.OVERDUE if is_overdue(due_at=self.due_at, at=moment) else StatementState.OPEN

    @property
    def last_day(self) -> date:
        """The day by which it is to be repaid, in the platform zone."""
        return clock.platform_date(self.due_at)
