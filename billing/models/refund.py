"""Refunds and the parts in which they go back to the paying methods."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.states import GatewayOutcome, RefundDestination, RefundState, RefundStatus
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money


class Refund(GuardedModel):
    """Money given back for an order line; made once per `key`."""

    number = models.CharField(max_length=24, unique=True)
    key = models.CharField(max_length=120, unique=True)
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="refunds")
    order_number = models.CharField(max_length=24)
    line_number = models.CharField(max_length=40)
    amount = AmountField()
    currency = CurrencyField()
    reason = models.CharField(max_length=255, blank=True)
    explanation = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        base_manager_name = "objects"
        ordering = ["-at", "-pk"]
        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="refund_positive")]
        indexes = [
            models.Index(fields=["order_number"], name="refund_of_order"),
            models.Index(fields=["account", "-at"], name="refund_of_account"),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, self.line_number

    @property
    def money(self) -> Money:
        """The amount."""
        return Money(self.amount, self.currency)


class RefundPart(GuardedModel):
    """What of a refund goes back from one payment to one place; a card's part waits for the gateway.

    A payment on credit may have two: what is still owed, and what was repaid and goes to the balance.
    """

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="parts")
    payment = models.ForeignKey("billing.Payment", models.PROTECT, related_name="refund_parts")
    destination = models.CharField(max_length=12, choices=RefundDestination.choices)
    state = models.CharField(max_length=12, choices=RefundState.choices)
    amount = AmountField()
    currency = CurrencyField()
    outcome = models.CharField(max_length=12, choices=GatewayOutcome.choices, blank=True)
    gateway_reference = models.CharField(max_length=120, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("part of a refund")
        verbose_name_plural = _("parts of refunds")
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="refund_part_positive"),
            models.UniqueConstraint(fields=["refund", "payment", "destination"], name="refund_part_once"),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="refund_part_due", condition=models.Q(next_try_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.refund_id} {self.destination}"

    @property
    def money(self) -> Money:
        """The amount."""
        return Money(self.amount, self.currency)

    @property
    def state_enum(self) -> RefundState:
        """The state as its enum."""
        return RefundState(self.state)

    @property
    def status(self) -> RefundStatus:
        """What pages show."""
        if self.state == RefundState.PENDING and self.parked_at is not None:
            return RefundStatus.FAILED
        return RefundStatus(self.state)
