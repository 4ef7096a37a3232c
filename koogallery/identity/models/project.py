"""Enterprise projects: how an account groups its orders, resources and costs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.account import Account
from koogallery.identity.states import ProjectKind
from koogallery.kernel.guard import GuardedModel

DEFAULT_CODE = "0"


class EnterpriseProject(GuardedModel):
    """A project; `default` has the code 0 and cannot be changed."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="projects", verbose_name=_("account"))
    code = models.CharField(_("project ID"), max_length=36)
    name = models.CharField(_("name"), max_length=255)
    description = models.CharField(_("description"), max_length=512, blank=True)
    kind = models.CharField(_("type"), max_length=10, choices=ProjectKind, default=ProjectKind.COMMERCIAL)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("enterprise project")
        verbose_name_plural = _("enterprise projects")
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "code"], name="project_code_once"),
            models.UniqueConstraint("account", Lower("name"), name="project_name_once"),
            models.CheckConstraint(
                condition=models.Q(enabled=True) | ~models.Q(code=DEFAULT_CODE), name="project_default_enabled"
            ),
            models.CheckConstraint(
                condition=models.Q(enabled=True) | ~models.Q(kind=ProjectKind.TEST), name="project_test_enabled"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_default(self) -> bool:
        """Whether this is the project `default`."""
        return self.code == DEFAULT_CODE

    def trace_ref(self) -> tuple[str, str]:
        """Project ID and name."""
        return self.code, self.name
