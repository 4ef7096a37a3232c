"""A message in someone's message centre."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.notifications import rendering
from koogallery.notifications.states import Severity, Topic


class Message(models.Model):
    """One message to one user; rendered in the reader's language whenever it is shown. `key` is unique per user.

    No foreign key, as for `account_id`: what one user is told by many at once would have them wait for its row.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="messages_received",
        verbose_name=_("user"),
        db_index=False,
        db_constraint=False,
    )
    account_id = models.BigIntegerField(_("account"))
    kind = models.CharField(_("kind"), max_length=40)
    topic = models.CharField(_("topic"), max_length=16, choices=Topic)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    params = models.JSONField(_("parameters"), default=dict)
    link = models.CharField(_("link"), max_length=500, blank=True)
    key = models.CharField(max_length=160)
    created_at = models.DateTimeField(_("received"))
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="message_once")]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="message_list"),
            models.Index(fields=["user"], name="message_unread", condition=models.Q(read_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def subject(self) -> str:
        """The subject in the language in force."""
        return rendering.subject(self.kind, self.params)

    @property
    def body(self) -> str:
        """The body in the language in force."""
        return rendering.body(self.kind, self.params)

    @property
    def severity_enum(self) -> Severity:
        """The severity as an enum with its tone."""
        return Severity(self.severity)

    @property
    def is_unread(self) -> bool:
        """Whether the reader has not opened it yet."""
        return self.read_at is None

    def trace_ref(self) -> tuple[str, str]:
        """Key and kind."""
        return self.key, self.kind
