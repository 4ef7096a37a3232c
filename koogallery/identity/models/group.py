"""IAM groups of an account and who is in them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.account import Account
from koogallery.identity.models.user import User
from koogallery.kernel import ids
from koogallery.kernel.guard import GuardedModel


class Group(GuardedModel):
    """A named set of IAM users that share policies."""

    number = models.CharField(max_length=32, unique=True, default=ids.public_id, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="iam_groups", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=128)
    description = models.CharField(_("description"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("user group")
        verbose_name_plural = _("user groups")
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint("account", Lower("name"), name="group_name_once")]

    def __str__(self) -> str:
        return self.name

    def trace_ref(self) -> tuple[str, str]:
        """Group ID and name."""
        return self.number, self.name


class Membership(GuardedModel):
    """A user in a group."""

    group = models.ForeignKey(Group, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="membership_once")]
