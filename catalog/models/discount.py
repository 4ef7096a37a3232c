"""Standing discounts of an account, and those of its reseller. A discount is the share that is paid (R14)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel


class StandingDiscount(GuardedModel):
    """A share that an account pays on a product, from `valid_from` until before `valid_to` (None: without end)."""

    account = models.ForeignKey("identity.Account", on_delete=models.PROTECT, related_name="standing_discounts")
    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="standing_discounts")
    share = models.DecimalField(max_digits=5, decimal_places=4)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("standing discount")
        verbose_name_plural = _("standing discounts")
        ordering = ["-valid_from", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(share__gt=0, share__lt=1), name="standing_share"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="standing_dates"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.product} {self.share}"

    def trace_ref(self) -> tuple[str, str]:
        return str(self.pk), str(self.product)


class ResellerDiscount(GuardedModel):
    """A share that a reseller's customers pay: for one customer, else for all of them, else for one product."""

    reseller = models.ForeignKey("identity.Account", on_delete=models.PROTECT, related_name="reseller_discounts")
    customer = models.ForeignKey(
        "identity.Account", on_delete=models.PROTECT, null=True, blank=True, related_name="discounts_of_reseller"
    )
    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, null=True, blank=True)
    share = models.DecimalField(max_digits=5, decimal_places=4)

    class Meta:
        verbose_name = _("reseller discount")
        verbose_name_plural = _("reseller discounts")
        constraints = [
            models.CheckConstraint(condition=Q(share__gt=0, share__lt=1), name="reseller_share"),
            models.CheckConstraint(
                condition=Q(customer__isnull=True) | Q(product__isnull=True), name="reseller_one_subject"
            ),
            models.UniqueConstraint(
                fields=["reseller", "customer", "product"], name="reseller_discount_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reseller} {self.share}"

    @property
    def account_id(self) -> int:
        return self.reseller_id

    def trace_ref(self) -> tuple[str, str]:
        return str(self.pk), str(self.reseller)
