"""Access keys, with which a user's programs sign calls of the account's API."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.user import User
from koogallery.kernel.fields import EncryptedTextField
from koogallery.kernel.guard import GuardedModel


class AccessKey(GuardedModel):
    """A key ID with its secret, which is shown once and kept encrypted."""

    user = models.ForeignKey(User, models.PROTECT, related_name="access_keys", verbose_name=_("user"))
    key_id = models.CharField(_("access key ID"), max_length=20, unique=True)
    secret = EncryptedTextField(_("secret access key"))
    description = models.CharField(_("description"), max_length=255, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.key_id

    @property
    def account_id(self) -> int | None:
        """The account whose trace list shows operations on the key."""
        return self.user.account_id

    def trace_ref(self) -> tuple[str, str]:
        """Key ID, twice: a key has no name."""
        return self.key_id, self.key_id
