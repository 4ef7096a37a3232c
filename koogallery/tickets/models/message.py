"""What was said in a ticket, and the files that came with it; never changed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from koogallery.tickets.models.ticket import Ticket
from koogallery.tickets.states import Act, Side


class TicketMessage(GuardedModel):
    """One message, or one change of state without words; `name` is under which name the customer wrote."""

    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="messages", verbose_name=_("service ticket"))
    at = models.DateTimeField(_("time"))
    act = models.CharField(_("operation"), max_length=10, choices=Act)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    text = models.TextField(_("message"), blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("message of a ticket")
        verbose_name_plural = _("messages of tickets")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["ticket", "at"], name="message_of_ticket")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.act}"

    @property
    def act_enum(self) -> Act:
        """What it did, as an enum."""
        return Act(self.act)

    @property
    def side(self) -> Side:
        """Who wrote."""
        return self.act_enum.side


class TicketFile(GuardedModel):
    """A stored file of a message."""

    message = models.ForeignKey(TicketMessage, models.PROTECT, related_name="files", verbose_name=_("message"))
    file = models.OneToOneField("kernel.StoredFile", models.PROTECT, related_name="+", verbose_name=_("file"))

    class Meta(GuardedModel.Meta):
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.file)
