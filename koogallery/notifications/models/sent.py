"""What left a rehearsal: kept whole, so that the operations manager sees every mail and SMS."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.notifications.states import Channel


class SentMessage(models.Model):
    """One e-mail or SMS as it went out; `attachments` holds `{name, type, content}` with base64 content."""

    channel = models.CharField(_("channel"), max_length=4, choices=Channel)
    recipient = models.CharField(_("to"), max_length=254, db_index=True)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    text = models.TextField(_("text"))
    html = models.TextField(_("HTML"), blank=True)
    attachments = models.JSONField(_("attachments"), default=list, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    key = models.CharField(_("key"), max_length=200)
    sent_at = models.DateTimeField(_("sent"), db_index=True)

    class Meta:
        verbose_name = _("sent message")
        verbose_name_plural = _("sent messages")
        ordering = ["-sent_at", "-pk"]

    def __str__(self) -> str:
        return self.subject or self.text[:60]
