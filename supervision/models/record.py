"""Operation records: what happened in a flow, as both sides see it, and the files that belong to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from supervision.models.appeal import Appeal
from supervision.models.flow import Flow
from supervision.models.message import FlowMessage
from supervision.states import Actor, FilePurpose, RecordKind, Step


class FlowRecord(GuardedModel):
    """One event of a flow. `step` is where the flow stood before it; `data` holds what the sentence names."""

    flow = models.ForeignKey(
        Flow,
        models.PROTECT,
        related_name="records",
        verbose_name=_("service flow"),
        db_index=False,
        db_constraint=False,
    )
    at = models.DateTimeField(_("time"))
    kind = models.CharField(_("operation"), max_length=20, choices=RecordKind)
    step = models.CharField(_("step"), max_length=10, choices=Step)
    milestone = models.PositiveSmallIntegerField(_("milestone"), default=1)
    actor = models.CharField(_("by"), max_length=10, choices=Actor)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    comment = models.TextField(_("comment"), blank=True)
    data = models.JSONField(default=dict, blank=True)
    appeal = models.ForeignKey(
        Appeal,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="records",
        verbose_name=_("appeal"),
        db_index=False,
    )

    class Meta(GuardedModel.Meta):
        verbose_name = _("operation record")
        verbose_name_plural = _("operation records")
        ordering = ["at", "pk"]
        indexes = [
            models.Index(fields=["flow", "at"], name="record_of_flow"),
            models.Index(fields=["user"], name="record_by_user", condition=Q(user__isnull=False)),
            models.Index(fields=["appeal"], name="record_of_appeal", condition=Q(appeal__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id} {self.kind}"

    @property
    def kind_enum(self) -> RecordKind:
        """The kind as an enum."""
        return RecordKind(self.kind)


class FlowFile(GuardedModel):
    """A stored file of a flow: of a record, or of a message."""

    flow = models.ForeignKey(Flow, models.PROTECT, related_name="files", verbose_name=_("service flow"))
    record = models.ForeignKey(
        FlowRecord, models.PROTECT, null=True, blank=True, related_name="files", verbose_name=_("operation record")
    )
    message = models.ForeignKey(
        FlowMessage, models.PROTECT, null=True, blank=True, related_name="files", verbose_name=_("message")
    )
    file = models.OneToOneField("kernel.StoredFile", models.PROTECT, related_name="+", verbose_name=_("file"))
    purpose = models.CharField(_("purpose"), max_length=10, choices=FilePurpose)

    class Meta(GuardedModel.Meta):
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(record__isnull=False, message__isnull=True) | Q(record__isnull=True, message__isnull=False),
                name="flow_file_of_one",
            ),
        ]

    def __str__(self) -> str:
        return str(self.file)
