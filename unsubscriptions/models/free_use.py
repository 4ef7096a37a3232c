"""The free unsubscriptions of images that an account had, so many a calendar year."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from unsubscriptions.models.request import Request


class FreeUse(GuardedModel):
    """That a request took the free one number `time` of an account's calendar year in the platform zone."""

    request = models.OneToOneField(Request, models.PROTECT, related_name="free_use", verbose_name=_("request"))
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="+", verbose_name=_("account"), db_index=False
    )
    year = models.PositiveSmallIntegerField(_("year"))
    time = models.PositiveSmallIntegerField(_("time"))

    class Meta(GuardedModel.Meta):
        verbose_name = _("free unsubscription")
        verbose_name_plural = _("free unsubscriptions")
        ordering = ["account", "year", "time"]
        constraints = [
            models.UniqueConstraint(fields=["account", "year", "time"], name="free_use_once"),
            models.CheckConstraint(condition=Q(time__gte=1), name="free_use_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.year}/{self.time}"
