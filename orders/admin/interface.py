"""Calls to sellers' servers, each with its tries, and the replay of those that ended without success."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, OperationButton, shown_moment
from orders.models import InterfaceAttempt, InterfaceCall
from orders.operations import interface_calls


class AttemptInline(GuardedInline):
    """The tries of a call, secrets masked."""

    model = InterfaceAttempt
    fields = ("number", "at", "status", "code", "message", "http_status", "signature_ok", "elapsed_ms", "response_body")
    ordering = ("-number",)
    tab = False


@admin.register(InterfaceCall)
class InterfaceCallAdmin(GuardedModelAdmin):
    """All calls; the parked ones wait for a person."""

    list_display = (
        "number",
        "activity",
        "seller",
        "product",
        "order",
        "state",
        "tries",
        "last_code",
        shown_moment("created_at", _("Created")),
        shown_moment("next_try_at", _("Next try")),
    )
    list_filter = ("state", "activity", "test", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=number", "=order__number", "=product__code", "=resource__instance_id")
    search_help_text = _("Call ID, order No., product code or instance ID, exactly")
    list_select_related = ("seller", "product", "order")
    exclude = ("parameters", "key")
    ordering = ("-pk",)
    inlines = (AttemptInline,)
    operation_buttons = (
        OperationButton(
            "replayInterfaceCall",
            _("Replay"),
            run=lambda call, row, data: interface_calls.replay(call, interface_call=row.number),
            says=_(
                "The seller's server is called again now, and for an hour if it fails. If the order is canceled "
                "and the call succeeds, the instance is released."
            ),
            shown=lambda row: row.is_replayable and not row.test,
        ),
    )
