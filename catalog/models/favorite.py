"""Saved products."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel


class Favorite(GuardedModel):
    """A product that a user saved; it stays when the product leaves the catalogue."""

    account = models.ForeignKey("identity.Account", on_delete=models.PROTECT, related_name="favorites")
    user = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="favorites")
    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="favorites")
    saved_at = models.DateTimeField()

    class Meta:
        verbose_name = _("favorite")
        verbose_name_plural = _("favorites")
        ordering = ["-saved_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "product"], name="favorite_once")]

    def __str__(self) -> str:
        return str(self.product)

    @property
    def product_code(self) -> str:
        return self.product.code

    def trace_ref(self) -> tuple[str, str]:
        return self.product.code, self.product.name
