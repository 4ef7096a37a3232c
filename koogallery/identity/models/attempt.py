"""Attempts that count against a limit: failed sign-ins, sign-ups, password resets."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.identity.states import AttemptKind


class Attempt(models.Model):
    """One attempt; `subject` is a digest of the name tried or of the address it came from."""

    kind = models.CharField(max_length=10, choices=AttemptKind)
    subject = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = [models.Index(fields=["kind", "subject", "at"], name="attempt_recent")]
