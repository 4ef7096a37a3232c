"""Payments: one try to bring in money by one method."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.states import GatewayOutcome, PaymentPurpose, PaymentState, PayMethod
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money


class Payment(GuardedModel):
    """Money for an order line, a top-up or a repayment.

    `account` is who bought, `payer` who is charged (a reseller for its customers, else the same). A card payment is
    Pending until the gateway's answer is booked; `next_try_at` is the due column of the sweep that asks again.
    """

    number = models.CharField(max_length=24, unique=True)
    purpose = models.CharField(max_length=12, choices=PaymentPurpose.choices, default=PaymentPurpose.ORDER)
    method = models.CharField(max_length=16, choices=PayMethod.choices)
    state = models.CharField(max_length=12, choices=PaymentState.choices)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="payments", db_index=False, db_constraint=False
    )
    payer = models.ForeignKey("identity.Account", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    order_number = models.CharField(max_length=24, blank=True)
    line_number = models.CharField(max_length=40, blank=True)
    part = models.CharField(max_length=40, blank=True)
    seller_id = models.BigIntegerField(null=True)
    fee_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    amount = AmountField()
    refunded = AmountField(default=0)
    currency = CurrencyField()
    description = models.CharField(max_length=255, blank=True)
    description_zh = models.CharField(max_length=255, blank=True, default="", db_default="")
    project_code = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict)
    explanation = models.JSONField(default=dict)
    note = models.CharField(max_length=255, blank=True)
    card = models.ForeignKey("billing.Card", models.PROTECT, null=True, related_name="payments", db_index=False)
    outcome = models.CharField(max_length=12, choices=GatewayOutcome.choices, blank=True)
    gateway_reference = models.CharField(max_length=120, blank=True)
    failure = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        base_manager_name = "objects"
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payment_positive"),
            models.CheckConstraint(
                condition=models.Q(refunded__gte=0) & models.Q(refunded__lte=models.F("amount")),
                name="refunds_within_payment",
            ),
            models.UniqueConstraint(
                fields=["line_number", "part"],
                condition=models.Q(state__in=["pending", "succeeded"]) & ~models.Q(line_number=""),
                name="one_live_payment_per_line",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="payment_due", condition=models.Q(next_try_at__isnull=False)),
            models.Index(fields=["order_number"], name="payment_of_order", condition=~models.Q(order_number="")),
            models.Index(fields=["account", "-created_at"], name="payment_of_account"),
            models.Index(fields=["seller_id"], name="payment_of_seller", condition=models.Q(seller_id__isnull=False)),
            models.Index(fields=["payer"], name="payment_on_credit", condition=models.Q(method="credit")),
            models.Index(fields=["card"], name="payment_by_card", condition=models.Q(card__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, self.description or self.get_purpose_display()

    @property
    def money(self) -> Money:
        """The amount."""
        return Money(self.amount, self.currency)

    @property
    def state_enum(self) -> PaymentState:
        """The state as its enum."""
        return PaymentState(self.state)

    @property
    def refundable(self) -> Money:
        """Paid and not yet refunded."""
        return Money(self.amount - self.refunded, self.currency)

    @property
    def held_for(self) -> str:
        """Whose *held* the money is: the order line's, or one milestone's of it."""
        return held_owner(self.line_number, self.part)


def held_owner(line_number: str, part: str) -> str:
    """The owner of the ledger's *held* for an order line or a part of it (`HELD_OWNER` says the same in SQL)."""
    return f"{line_number}/{part}" if part else line_number


HELD_OWNER = "(line_number || CASE WHEN part = '' THEN '' ELSE '/' || part END)"
