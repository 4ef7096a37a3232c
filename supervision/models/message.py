"""Messages between the parties of a flow; they stay open while it is frozen."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from supervision.models.flow import Flow
from supervision.states import Actor


class FlowMessage(GuardedModel):
    """What a party, or operations, wrote to the others; evidence, so it is never changed."""

    flow = models.ForeignKey(Flow, models.PROTECT, related_name="messages", verbose_name=_("service flow"))
    at = models.DateTimeField(_("time"))
    actor = models.CharField(_("by"), max_length=10, choices=Actor)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    text = models.TextField(_("message"))

    class Meta(GuardedModel.Meta):
        verbose_name = _("message of a flow")
        verbose_name_plural = _("messages of flows")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["flow", "at"], name="message_of_flow")]

    def __str__(self) -> str:
        return f"{self.flow_id} {self.actor}"
