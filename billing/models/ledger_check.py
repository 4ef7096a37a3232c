"""Results of the nightly ledger check."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class LedgerCheck(models.Model):
    """One run: when, how much was looked at, what was wrong."""

    at = models.DateTimeField(db_index=True)
    postings = models.BigIntegerField(default=0)
    entries = models.BigIntegerField(default=0)
    ledger_accounts = models.BigIntegerField(default=0)
    orders = models.BigIntegerField(default=0)
    findings = models.JSONField(default=list)
    seconds = models.DecimalField(max_digits=9, decimal_places=3, default=0)

    class Meta:
        verbose_name = _("ledger check")
        verbose_name_plural = _("ledger checks")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {'clean' if self.clean_run else 'faults'}"

    @property
    def clean_run(self) -> bool:
        """Whether nothing was wrong."""
        return not self.findings
