"""The secret address at which an account's renewal calendar is read by calendar programs."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.fields import EncryptedTextField
from koogallery.kernel.guard import GuardedModel


class CalendarFeed(GuardedModel):
    """One per account. `token` is the secret of its address, encrypted at rest and found by its digest.

    Both are empty while the feed is switched off; a renewed token ends the address before.
    """

    account = models.OneToOneField("identity.Account", models.PROTECT, related_name="calendar_feed")
    digest = models.CharField(max_length=64, unique=True, null=True, blank=True)
    token = EncryptedTextField(blank=True, default="")
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta(GuardedModel.Meta):
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")
        constraints = [
            models.CheckConstraint(
                condition=Q(digest__isnull=True, token="") | Q(digest__isnull=False) & ~Q(token=""),
                name="calendar_feed_on_or_off",
            ),
        ]

    def __str__(self) -> str:
        return str(self.account_id)

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the feed; never by its secret."""
        return str(self.pk), "iCal"

    @property
    def is_on(self) -> bool:
        """Whether its address answers."""
        return self.digest is not None


def digest_of(token: str) -> str:
    """By what a token is found."""
    return hashlib.sha256(token.encode()).hexdigest()
