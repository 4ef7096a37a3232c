"""Special agreements with single orders, which beat the table."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from unsubscriptions.states import Way


class SpecialAgreement(GuardedModel):
    """Whether one order line can be given back, whatever the table says; kept by operations."""

    line = models.ForeignKey("orders.OrderLine", models.PROTECT, related_name="+", verbose_name=_("order line"))
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    way = models.CharField(
        _("unsubscription"), max_length=10, choices=[(each.value, each.label) for each in (Way.NEGOTIATED, Way.NEVER)]
    )
    note = models.TextField(_("note"))
    granted_at = models.DateTimeField(_("granted"))
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("granted by")
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("special agreement")
        verbose_name_plural = _("special agreements")
        ordering = ["-granted_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["line"], condition=Q(ended_at__isnull=True), name="agreement_one_live"),
            models.CheckConstraint(condition=Q(way__in=[Way.NEGOTIATED, Way.NEVER]), name="agreement_way"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.way}"

    def trace_ref(self) -> tuple[str, str]:
        """How traces name it: by the order."""
        return self.line.trace_ref()
