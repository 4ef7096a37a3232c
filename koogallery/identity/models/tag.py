"""Predefined tags: key and value pairs an account offers for choice."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.account import Account
from koogallery.kernel.guard import GuardedModel


class PredefinedTag(GuardedModel):
    """A tag that users of the account can pick."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="predefined_tags", verbose_name=_("account"))
    key = models.CharField(_("key"), max_length=36)
    value = models.CharField(_("value"), max_length=43)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("predefined tag")
        verbose_name_plural = _("predefined tags")
        ordering = ["key", "value"]
        constraints = [models.UniqueConstraint(fields=["account", "key", "value"], name="predefined_tag_once")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"

    def trace_ref(self) -> tuple[str, str]:
        """Number and `key=value`."""
        return str(self.pk), str(self)
