"""Rows of the kernel and of Django itself in the operations console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from koogallery.kernel import parked
from koogallery.kernel.admin import GuardedModelAdmin, OperationButton, shown_moment
from koogallery.kernel.models import OutboxMessage, PolicyChoice, Schedule, SweepFailure

for foreign in ("auth.Group", "otp_totp.TOTPDevice", "otp_static.StaticDevice"):
    for model in [model for model in admin.site._registry if model._meta.label == foreign]:
        admin.site.unregister(model)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(GuardedModelAdmin):
    """What waits to be told to the outside, and what was given up."""

    list_display = [
        "kind",
        "key",
        shown_moment("created_at", _("Created")),
        "attempts",
        shown_moment("next_try_at", _("Next try")),
        shown_moment("parked_at", _("Parked")),
        "error",
    ]
    list_filter = ["kind", ("parked_at", admin.EmptyFieldListFilter), ("delivered_at", admin.EmptyFieldListFilter)]
    search_fields = ["key"]
    ordering = ["-pk"]
    fields = [
        "kind",
        "key",
        "created_at",
        "next_try_at",
        "started_at",
        "attempts",
        "delivered_at",
        "parked_at",
        "error",
    ]
    operation_buttons = (
        OperationButton(
            "retryMessage",
            _("Try again"),
            run=lambda call, row, data: parked.retry_message(call, message=row.pk),
            says=_(
                "The message goes back to the queue and is sent at once. If the last try stopped while it was being "
                "sent, its reader may get it twice."
            ),
            shown=lambda row: row.parked_at is not None,
            icon="refresh",
        ),
    )


@admin.register(SweepFailure)
class SweepFailureAdmin(GuardedModelAdmin):
    """Rows that a sweep could not act on."""

    list_display = [
        "sweep",
        "row_id",
        "attempts",
        shown_moment("next_try_at", _("Next try")),
        shown_moment("parked_at", _("Parked")),
        "error",
    ]
    list_filter = ["sweep", ("parked_at", admin.EmptyFieldListFilter)]
    ordering = ["-pk"]
    operation_buttons = (
        OperationButton(
            "retrySweepRow",
            _("Try again"),
            run=lambda call, row, data: parked.retry_sweep_row(call, failure=row.pk),
            says=_("The sweep acts on this row at its next run."),
            icon="refresh",
        ),
    )


@admin.register(PolicyChoice)
class PolicyChoiceAdmin(GuardedModelAdmin):
    """Which policies were in force since when, by whom."""

    list_display = [shown_moment("since", _("Since")), "pack", "overrides", "chosen_by"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).order_by("-since", "-pk")


@admin.register(Schedule)
class ScheduleAdmin(GuardedModelAdmin):
    """When periodic jobs run next."""

    list_display = ["name", shown_moment("next_due_at", _("Next run")), shown_moment("last_run_at", _("Last run"))]
    ordering = ["name"]
