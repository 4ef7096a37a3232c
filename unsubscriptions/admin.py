"""Operations managers' pages of unsubscription: requests, payouts with their three hours, special agreements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import linebreaksbr
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.queries import order_money
from koogallery import clock
from koogallery.kernel import display, files
from koogallery.kernel.admin import GuardedModelAdmin, OperationButton, shown_moment, shown_money
from koogallery.kernel.calls import Call
from supervision.rules.texts import MAX_CHARACTERS
from unsubscriptions.models import Payout, Request, SpecialAgreement
from unsubscriptions.operations import agreements, paying_out, reading
from unsubscriptions.queries import details, lists
from unsubscriptions.states import PayoutState, RequestState, Status, Way


class AgreementForm(forms.Form):
    """A special agreement with one order line; an order number means its first line."""

    line = forms.CharField(label=gettext_lazy("Order No. or line No."), max_length=30)
    way = forms.ChoiceField(
        label=gettext_lazy("Unsubscription"),
        choices=[(each.value, each.label) for each in (Way.NEGOTIATED, Way.NEVER)],
    )
    note = forms.CharField(label=gettext_lazy("What was agreed"), max_length=MAX_CHARACTERS, widget=forms.Textarea)

    def clean_line(self) -> str:
        """The number of the line."""
        number: str = self.cleaned_data["line"].strip()
        return number if "-" in number else f"{number}-000001"


class StatusFilter(admin.SimpleListFilter):
    """Requests by what pages show of them and their payouts."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Request]) -> QuerySet[Request]:
        value = self.value()
        return queryset.filter(lists.status_q(Status(value))) if value in Status.values else queryset


class WorkFilter(admin.SimpleListFilter):
    """Payouts that somebody should look at: late, whether or not the sweep has run, or failed; and all under way."""

    title = gettext_lazy("work")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("attention", _("Late or failed")), ("late", _("Late")), ("open", _("Not refunded yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payout]) -> QuerySet[Payout]:
        now = clock.now()
        return {
            "attention": queryset.filter(lists.attention_q(now)),
            "late": queryset.filter(lists.late_q(now)),
            "open": queryset.exclude(state=PayoutState.DONE),
        }.get(self.value() or "", queryset)


def _link(name: str, row_id: int, label: str) -> SafeString:
    return format_html(
        '<a class="whitespace-nowrap" href="{}">{}</a>', reverse(f"admin:{name}_change", args=[row_id]), label
    )


def _late(text: Any) -> SafeString:
    return format_html(
        '<span class="font-semibold text-red-700 dark:text-red-400 whitespace-nowrap">{} · {}</span>', text, _("Late")
    )


def _due(payout: Payout) -> SafeString:
    """Until when the money is to be back, marked when it is, or came, late."""
    moment = display.moment_text(payout.due_at)
    if payout.is_late(clock.now()):
        return _late(moment)
    return format_html('<span class="whitespace-nowrap">{}</span>', moment)


def _retry(payout_of: Callable[[Any], Payout | None], *, number_of: Callable[[Any], str]) -> OperationButton:
    def is_failed(row: Any) -> bool:
        payout = payout_of(row)
        return payout is not None and payout.state == PayoutState.FAILED

    return OperationButton(
        "retryPayout",
        gettext_lazy("Retry"),
        run=lambda call, row, data: paying_out.retry(call, payout=number_of(row)),
        says=gettext_lazy(
            "The card's gateway is asked again what became of the refund, and told to make it if it did not. "
            "Nothing is refunded twice."
        ),
        shown=is_failed,
        icon="refresh",
        done=gettext_lazy("The gateway is asked again."),
    )


class Case:
    """What the pages of a request and of its payout share: money, refunds with their parts, the seller's evidence."""

    change_form_after_template = "admin/unsubscription_case.html"

    @staticmethod
    def case_of(asked: Request) -> dict[str, Any]:
        """What stands below the columns."""
        found = details.details_of(asked, at=clock.now())
        return {
            "case": found,
            "asked": asked,
            "money": order_money(asked.order_number, currency=asked.currency),
            "is_late": found.payout is not None and found.payout.is_late(clock.now()),
        }


@admin.register(Request)
class RequestAdmin(Case, GuardedModelAdmin):
    """All requests, the newest first."""

    list_display = (
        "number",
        "kind",
        "shown_order",
        "product_name",
        "account",
        "seller",
        shown_money("amount", gettext_lazy("Refund")),
        "shown_status",
        shown_moment("requested_at", pgettext_lazy("time", "Requested")),
        shown_moment("ended_at", gettext_lazy("Ended")),
    )
    list_filter = (StatusFilter, "kind", "delivery_method", "reason", ("requested_at", admin.DateFieldListFilter))
    search_fields = ("=number", "=order_number", "=account__name", "=seller__name")
    search_help_text = gettext_lazy("Request No., order No., account or seller name, exactly")
    list_select_related = ("account", "seller", "order", "payout", "user", "decided_by")
    ordering = ("-requested_at", "-pk")
    fieldsets = (
        (
            None,
            {"fields": ("number", "kind", "shown_status", "shown_order", "product_name", "account", "seller")},
        ),
        (
            gettext_lazy("Unsubscription request"),
            {
                "fields": (
                    "amount",
                    "renewals_amount",
                    "limit_amount",
                    "reason",
                    "written_text",
                    "contact_given",
                    "user",
                    "requested_at",
                    "reminded_at",
                )
            },
        ),
        (gettext_lazy("Answer"), {"fields": ("ended_by", "decided_by", "ended_at", "why", "written_comment")}),
    )

    operation_buttons = (_retry(lambda row: getattr(row, "payout", None), number_of=lambda row: row.number),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Request]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        found = super().get_fieldsets(request, obj)
        return found if obj is None or obj.is_negotiated else found[:-1]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/files/<str:file>/", wrap(self.file_view), name="unsubscriptions_request_file"),
            *super().get_urls(),
        ]

    def file_view(self, request: HttpRequest, object_id: str, file: str) -> HttpResponseBase:
        """A file of the seller's evidence; the download leaves a trace."""
        call = self.call_of(request)
        return self.shown_file(
            request,
            object_id,
            lambda asked: files.response(reading.read_file(call, request=asked.number, file=file).file),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= self.case_of(obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=gettext_lazy("Order No."), ordering="order_number")
    def shown_order(self, row: Request) -> SafeString:
        """The order that is given back."""
        return _link("orders_order", row.order_id, row.order_number)

    @admin.display(description=gettext_lazy("Status"))
    def shown_status(self, row: Request) -> Any:
        """The agreement and, once agreed, its payout, marked when the money is late."""
        payout = getattr(row, "payout", None) if row.state == RequestState.AGREED else None
        if payout is not None and payout.state != PayoutState.DONE and payout.is_late(clock.now()):
            return _late(row.status.label)
        return row.status.label

    @admin.display(description=gettext_lazy("Description"))
    def written_text(self, row: Request) -> SafeString:
        """What the buyer wrote."""
        return linebreaksbr(row.text, autoescape=True) if row.text else SafeString(display.NOTHING)

    @admin.display(description=gettext_lazy("Comment of the seller"))
    def written_comment(self, row: Request) -> SafeString:
        """What the seller answered."""
        return linebreaksbr(row.comment, autoescape=True) if row.comment else SafeString(display.NOTHING)

    @admin.display(description=gettext_lazy("Why it ended"))
    def why(self, row: Request) -> str:
        """Why the platform ended it."""
        return row.why_ended or display.NOTHING


@admin.register(Payout)
class PayoutAdmin(Case, GuardedModelAdmin):
    """Where the money of each unsubscription is; what is late or failed first."""

    list_display = (
        "shown_request",
        "shown_order",
        "customer",
        shown_money("amount", gettext_lazy("Refund")),
        "state",
        "deadline",
        shown_moment("done_at", gettext_lazy("Refunded")),
    )
    list_filter = (WorkFilter, "state", ("began_at", admin.DateFieldListFilter))
    search_fields = ("=request__number", "=order__number", "=request__order_number", "=request__account__name")
    search_help_text = gettext_lazy("Request No., order No. or account name, exactly")
    list_select_related = ("request__account", "request__seller", "request__order", "request__line", "order")
    fieldsets = (
        (None, {"fields": ("shown_request", "shown_order", "shown_returned", "customer", "seller")}),
        (
            gettext_lazy("Refund"),
            {
                "fields": (
                    "amount", "lowered", "state", "began_at", "deadline", "breached_at", "failed_at", "done_at",
                )
            },
        ),
    )  # fmt: skip
    operation_buttons = (_retry(lambda row: row, number_of=lambda row: row.request.number),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payout]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [lists.attention_first(clock.now()), "-began_at", "-pk"]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= self.case_of(obj.request)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=gettext_lazy("Request No."), ordering="request__number")
    def shown_request(self, row: Payout) -> SafeString:
        """What was given back."""
        return _link("unsubscriptions_request", row.request_id, row.request.number)

    @admin.display(description=gettext_lazy("Order No."), ordering="request__order_number")
    def shown_order(self, row: Payout) -> SafeString:
        """The order that was given back."""
        return _link("orders_order", row.request.order_id, row.request.order_number)

    @admin.display(description=gettext_lazy("Order of the unsubscription"))
    def shown_returned(self, row: Payout) -> SafeString:
        """The UNSUBSCRIBE order."""
        return _link("orders_order", row.order_id, row.order.number)

    @admin.display(description=gettext_lazy("Customer"))
    def customer(self, row: Payout) -> str:
        """Whose money it is."""
        return str(row.request.account)

    @admin.display(description=gettext_lazy("Seller"))
    def seller(self, row: Payout) -> str:
        """Whose sale it was."""
        return str(row.request.seller)

    @admin.display(description=gettext_lazy("To be back by"), ordering="due_at")
    def deadline(self, row: Payout) -> SafeString:
        """The three hours."""
        return _due(row)


def _set_agreement(call: Call, row: Any, data: Mapping[str, Any]) -> Any:
    return agreements.set_agreement(call, line=data["line"], way=data["way"], note=data["note"])


@admin.register(SpecialAgreement)
class SpecialAgreementAdmin(GuardedModelAdmin):
    """What was agreed with single orders, and by whom."""

    list_display = (
        "shown_line",
        "account",
        "way",
        "note",
        shown_moment("granted_at", gettext_lazy("Granted")),
        "granted_by",
        shown_moment("ended_at", gettext_lazy("Ended")),
    )
    list_filter = ("way", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("=line__number", "=line__order__number", "=account__name")
    search_help_text = gettext_lazy("Order No., line No. or account name, exactly")
    list_select_related = ("line", "account", "granted_by")
    ordering = ("-granted_at", "-pk")
    fields = ("shown_line", "account", "way", "note", "granted_at", "granted_by", "ended_at")
    list_buttons = (
        OperationButton(
            "setSpecialAgreement",
            gettext_lazy("Set special agreement"),
            run=_set_agreement,
            form=AgreementForm,
            says=gettext_lazy(
                "For this order line the agreement counts from now on, whatever the table of unsubscription says, "
                "also once the order is completed. It replaces an earlier agreement."
            ),
            icon="handshake",
        ),
    )
    operation_buttons = (
        OperationButton(
            "endSpecialAgreement",
            gettext_lazy("End agreement"),
            run=lambda call, row, data: agreements.end_agreement(call, agreement=row.line.number),
            says=gettext_lazy("From now on the table of unsubscription counts again. Open requests go on."),
            shown=lambda row: row.ended_at is None,
            danger=True,
        ),
    )

    @admin.display(description=gettext_lazy("Line No."), ordering="line__number")
    def shown_line(self, row: SpecialAgreement) -> SafeString:
        """The order line."""
        return _link("orders_order", row.line.order_id, row.line.number)
