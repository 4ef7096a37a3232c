"""The demand board: what visitors did not find."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.states import DemandState
from koogallery.kernel.guard import GuardedModel


class DemandRequest(GuardedModel):
    """A need that the catalogue did not meet, for operations managers to answer."""

    account = models.ForeignKey("identity.Account", on_delete=models.PROTECT, null=True, related_name="demands")
    user = models.ForeignKey("identity.User", on_delete=models.PROTECT, null=True, related_name="demands")
    state = models.CharField(max_length=10, choices=DemandState.choices, default=DemandState.OPEN)
    subject = models.CharField(max_length=120)
    description = models.TextField()
    email = models.EmailField()
    searched_for = models.CharField(max_length=120, blank=True)
    made_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("demand")
        verbose_name_plural = _("demands")
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return self.subject

    def trace_ref(self) -> tuple[str, str]:
        return str(self.pk), self.subject
