"""Cards: what the gateway calls them. Card data never reaches the platform."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.fields import EncryptedTextField
from koogallery.kernel.guard import GuardedModel


class Card(GuardedModel):
    """A card that an account has added: the gateway's token and what may be shown of it."""

    code = models.CharField(max_length=32, unique=True)
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="cards")
    gateway = models.CharField(max_length=20)
    token = EncryptedTextField()
    customer_token = EncryptedTextField(blank=True)
    brand = models.CharField(max_length=20)
    last_digits = models.CharField(max_length=4)
    expires_month = models.PositiveSmallIntegerField()
    expires_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        base_manager_name = "objects"
        ordering = ["-is_default", "added_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=models.Q(is_default=True, removed_at=None), name="one_default_card"
            ),
            models.CheckConstraint(condition=models.Q(expires_month__range=(1, 12)), name="card_month"),
        ]

    def __str__(self) -> str:
        return f"{self.brand} •••• {self.last_digits}"

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.code, str(self)

    @property
    def expires(self) -> str:
        """`04/2030`."""
        return f"{self.expires_month:02d}/{self.expires_year}"
