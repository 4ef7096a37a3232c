"""Stock taken by orders."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel


class StockMovement(GuardedModel):
    """What one order took of a product's stock, and when it was given back."""

    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="stock_movements")
    order_number = models.CharField(max_length=40, unique=True)
    count = models.PositiveIntegerField()
    taken_at = models.DateTimeField()
    given_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        constraints = [models.CheckConstraint(condition=Q(count__gte=1), name="stock_movement_count")]

    def __str__(self) -> str:
        return f"{self.order_number} {self.count}"
