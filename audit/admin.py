"""Traces and digests for operations managers, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from audit.models import Trace, TraceDigest
from koogallery.kernel.admin import GuardedModelAdmin, shown_moment


@admin.register(Trace)
class TraceAdmin(GuardedModelAdmin):
    """Every trace of every account; filters are exact."""

    list_display = [
        "trace_name",
        "trace_rating",
        "resource_type",
        "resource_name",
        "user_name",
        "user_type",
        "source_ip",
        "code",
        shown_moment("time", _("Operated")),
    ]
    list_filter = ["trace_rating", "trace_type", "user_type", "read_only"]
    search_fields = ["=trace_id", "=trace_name", "=resource_id", "=resource_name", "=user_name"]
    search_help_text = _("Trace ID, trace name, resource ID, resource name or operator, exactly")
    ordering = ["-time", "-id"]
    sortable_by = ()
    list_per_page = 50


@admin.register(TraceDigest)
class TraceDigestAdmin(GuardedModelAdmin):
    """The signed hourly digests."""

    list_display = [
        "account_id",
        "number",
        shown_moment("start", _("From")),
        shown_moment("end", _("To")),
        "count",
        "hash",
    ]
    fields = ["account_id", "number", "start", "end", "count", "leaves_hash", "previous_hash", "hash", "signature"]
    search_fields = ["=account_id"]
    ordering = ["-end", "account_id"]
