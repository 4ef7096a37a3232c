"""Categories and sub-categories of the storefront (guide 7.2)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.texts import in_language


class Category(GuardedModel):
    """A shelf of the storefront; sub-categories have a `parent`."""

    code = models.SlugField(max_length=60, unique=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    summary = models.CharField(max_length=160, blank=True)
    summary_zh = models.CharField(max_length=160, blank=True)
    icon = models.CharField(max_length=40, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")

    @property
    def teaser(self) -> str:
        """The line below the name, in the language in force."""
        return in_language(self, "summary")

    def trace_ref(self) -> tuple[str, str]:
        return self.code, self.name
