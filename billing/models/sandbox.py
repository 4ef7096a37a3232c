"""The books of the built-in sandbox gateway: another company's, kept apart from ours."""

from __future__ import annotations

from django.db import models

from koogallery.kernel.fields import AmountField, CurrencyField


class SandboxCharge(models.Model):
    """What the sandbox gateway did with one idempotency key."""

    key = models.CharField(max_length=120, unique=True)
    token = models.CharField(max_length=60)
    amount = AmountField()
    currency = CurrencyField()
    approved = models.BooleanField()
    asked = models.PositiveSmallIntegerField(default=1)
    refunded = AmountField(default=0)

    def __str__(self) -> str:
        return self.key


class SandboxRefund(models.Model):
    """What the sandbox gateway gave back for one idempotency key."""

    key = models.CharField(max_length=120, unique=True)
    charge = models.ForeignKey(SandboxCharge, models.PROTECT)
    amount = AmountField()
    approved = models.BooleanField()

    def __str__(self) -> str:
        return self.key
