"""A trace: one operation, as it happened. Rows are only ever added; old ones leave with their partition."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.rules import canonical
from koogallery.kernel.calls import TraceType
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.operations import Rating


class Trace(GuardedModel):
    """One row of a table partitioned by `time`. No foreign keys: a trace outlives what it speaks of.

    `account_id` is the account whose list shows it; `user_*` is who acted, which may be someone else.
    `id` is unique by its sequence; the database's own key is (time, id).
    """

    id = models.BigAutoField(primary_key=True)
    trace_id = models.UUIDField(_("Trace ID"))
    time = models.DateTimeField(_("Operated"))
    record_time = models.DateTimeField(_("Recorded"))
    account_id = models.BigIntegerField(_("Account"), null=True)
    user_type = models.CharField(_("Role"), max_length=16)
    user_id = models.BigIntegerField(_("User ID"), null=True)
    user_name = models.CharField(_("Operator"), max_length=150, blank=True)
    user_account = models.CharField(_("Operator's account"), max_length=150, blank=True)
    user_is_root = models.BooleanField(_("Root user"), default=False)
    access_key = models.CharField(_("Access Key"), max_length=64, blank=True)
    source_ip = models.CharField(_("Source IP"), max_length=45, blank=True)
    resource_type = models.CharField(_("Resource Type"), max_length=64)
    resource_id = models.CharField(_("Resource ID"), max_length=128, blank=True)
    resource_name = models.CharField(_("Resource Name"), max_length=255, blank=True)
    trace_name = models.CharField(_("Trace Name"), max_length=64)
    trace_rating = models.CharField(_("Trace Status"), max_length=8, choices=[(r.value, r.value) for r in Rating])
    trace_type = models.CharField(_("Trace Type"), max_length=16, choices=[(t.value, t.value) for t in TraceType])
    request = models.JSONField(_("Request"), default=dict)
    response = models.JSONField(_("Response"), default=dict)
    code = models.CharField(_("Code"), max_length=64)
    message = models.TextField(_("Message"), blank=True)
    request_id = models.CharField(_("Request ID"), max_length=64, blank=True)
    read_only = models.BooleanField(_("Read only"), default=False)
    enterprise_project_id = models.CharField(_("Enterprise Project ID"), max_length=64, blank=True)
    parent_trace = models.UUIDField(_("Parent trace"), null=True)

    class Meta:
        verbose_name = _("trace")
        verbose_name_plural = _("traces")
        ordering = ["-time", "-id"]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.trace_name} {self.trace_id}"

    def public_fields(self) -> dict[str, Any]:
        """Everything the trace says, as exported and hashed (audit.md: Fields)."""
        return {
            "api_version": canonical.API_VERSION,
            "code": self.code,
            "enterprise_project_id": self.enterprise_project_id,
            "message": self.message,
            "parent_trace": str(self.parent_trace) if self.parent_trace else "",
            "read_only": self.read_only,
            "record_time": canonical.milliseconds(self.record_time),
            "request": self.request,
            "request_id": self.request_id,
            "resource_account_id": self.account_id,
            "resource_id": self.resource_id,
            "resource_name": self.resource_name,
            "resource_type": self.resource_type,
            "response": self.response,
            "service_type": canonical.SERVICE_TYPE,
            "source_ip": self.source_ip,
            "time": canonical.milliseconds(self.time),
            "trace_id": str(self.trace_id),
            "trace_name": self.trace_name,
            "trace_rating": self.trace_rating,
            "trace_type": self.trace_type,
            "tracker_name": canonical.TRACKER,
            "user": {
                "access_key_id": self.access_key,
                "account": self.user_account,
                "id": self.user_id,
                "name": self.user_name,
                "principal_is_root_user": self.user_is_root,
                "type": self.user_type,
            },
        }

    @property
    def hash(self) -> str:
        """The SHA-256 that the hourly digest holds for this trace."""
        return canonical.trace_hash(self.public_fields())
