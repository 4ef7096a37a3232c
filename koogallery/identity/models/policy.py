"""Identity policies and to whom they are attached."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.account import Account
from koogallery.identity.models.group import Group
from koogallery.identity.models.user import User
from koogallery.kernel import ids
from koogallery.kernel.guard import GuardedModel


class Policy(GuardedModel):
    """A JSON document that allows or denies actions; `account` is None for the platform's own policies."""

    number = models.CharField(max_length=32, unique=True, default=ids.public_id, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, blank=True, related_name="policies")
    name = models.CharField(_("name"), max_length=128)
    description = models.CharField(_("description"), max_length=512, blank=True)
    document = models.JSONField(_("policy document"))
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("identity policy")
        verbose_name_plural = _("identity policies")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint("account", Lower("name"), name="policy_name_once"),
            models.UniqueConstraint(
                Lower("name"), condition=models.Q(account__isnull=True), name="policy_system_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_system(self) -> bool:
        """Whether the platform provides it; then it cannot be changed."""
        return self.account_id is None

    def trace_ref(self) -> tuple[str, str]:
        """Policy ID and name."""
        return self.number, self.name


class Attachment(GuardedModel):
    """A policy given to a user or to a group."""

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="attachments")
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="attachments")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="attachments")

    class Meta:
        verbose_name = _("policy attachment")
        verbose_name_plural = _("policy attachments")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=True, group__isnull=False)
                | models.Q(user__isnull=False, group__isnull=True),
                name="attachment_one_holder",
            ),
            models.UniqueConstraint(fields=["policy", "user"], name="attachment_user_once"),
            models.UniqueConstraint(fields=["policy", "group"], name="attachment_group_once"),
        ]
