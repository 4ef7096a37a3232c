"""Orders with their lines, timeline and explanations."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from koogallery.kernel import display
from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, OperationButton, shown_moment, shown_money
from orders.models import Order, OrderEvent, OrderLine
from orders.operations import cancelling
from orders.states import OrderState


class CancelForm(forms.Form):
    """Why an order is canceled; the buyer reads it."""

    reason = forms.CharField(label=_("What failed (the buyer reads it)"), max_length=500, widget=forms.Textarea)


class LineInline(GuardedInline):
    """The lines of an order, each with how its amount came about."""

    model = OrderLine
    fields = ("number", "product_code", "spec_text", "billing_mode", "items", "amount", "fee_percent", "calculation")
    readonly_fields = ("calculation",)
    tab = False

    @admin.display(description=_("How is this calculated?"))
    def calculation(self, line: OrderLine) -> SafeString:
        """The stored steps."""
        explanation = line.calculation
        if explanation is None:
            return SafeString(display.NOTHING)
        told = [(each.label, each.formula, each.value) for each in [*explanation.fact_lines(), *explanation.lines()]]
        return format_html_join(format_html("<br>"), "{} {} <b>{}</b>", told)


class EventInline(GuardedInline):
    """What happened to an order besides its own moments."""

    model = OrderEvent
    fields = ("at", "step", "actor", "note")


@admin.register(Order)
class OrderAdmin(GuardedModelAdmin):
    """All orders."""

    list_display = (
        "number",
        "account",
        "seller",
        "product_name",
        "type",
        "state",
        shown_money("amount", _("Amount")),
        "paid_by",
        shown_moment("placed_at", _("Placed")),
    )
    list_filter = ("state", "type", "paid_by", "cancel_reason", ("placed_at", admin.DateFieldListFilter))
    search_fields = ("=number", "=account__name", "=product_code")
    search_help_text = _("Order No., account name or product code, exactly")
    list_select_related = ("account", "seller")
    ordering = ("-pk",)
    inlines = (LineInline, EventInline)
    operation_buttons = (
        OperationButton(
            "cancelUndeliverableOrder",
            _("Cancel and refund"),
            run=lambda call, row, data: cancelling.cancel_undeliverable(call, order=row.number, **data),
            form=CancelForm,
            says=_("The order is canceled, all that was paid goes back to where it came from, and the buyer is told."),
            shown=lambda row: row.state == OrderState.PROCESSING and not row.line.supervised,
            danger=True,
        ),
    )
