"""Operations managers' pages of service tickets: the queue, conversations, what can be done for what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import display, files, operations
from koogallery.kernel.admin import GuardedModelAdmin, OperationButton, shown_moment
from koogallery.kernel.calls import Call, Role
from koogallery.tickets import actions
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import handling, reading
from koogallery.tickets.queries import linked
from koogallery.tickets.queries.tickets import conversation
from koogallery.tickets.rules import MAX_CHARACTERS
from koogallery.tickets.states import QUEUED, TicketKind


class TextForm(forms.Form):
    """A message to the customer."""

    text = forms.CharField(label=gettext_lazy("Message"), max_length=MAX_CHARACTERS, widget=forms.Textarea)


class AssignForm(forms.Form):
    """Who takes the ticket on: those whose roles include answering."""

    officer = forms.ChoiceField(label=gettext_lazy("Operations manager"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nobody = Call(role=Role.OPERATOR, at=clock.now())
        able = [
            officer
            for officer in identity.operators()
            if operations.may(replace(nobody, user=officer), "answerTicket") is None
        ]
        self.fields["officer"].choices = [  # type: ignore[attr-defined]
            ("", _("Myself")), *((officer.number, str(officer)) for officer in able)
        ]  # fmt: skip


class QueueFilter(admin.SimpleListFilter):
    """What operations are to act on, unless all tickets, or those of one status, are asked for."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("All tickets"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Both, the first without a parameter."""
        first, everything = super().choices(changelist)
        yield {**first, "display": _("Waiting for operations")}
        yield everything

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        return queryset.filter(state__in=QUEUED) if shows_queue(request) else queryset


BEYOND_THE_QUEUE = {QueueFilter.parameter_name, "state__exact", "q"}


def shows_queue(request: HttpRequest) -> bool:
    """Whether a list of tickets holds waiting ones only, so that the index of the queue serves its order."""
    return not any(request.GET.get(name) for name in BEYOND_THE_QUEUE)


class OfficerFilter(admin.SimpleListFilter):
    """Whose tickets they are."""

    title = gettext_lazy("assigned to")
    parameter_name = "officer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("Me")), ("nobody", _("Nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        match self.value():
            case "me":
                return queryset.filter(assigned_to=request.user.pk)
            case "nobody":
                return queryset.filter(assigned_to=None)
        return queryset


BUTTONS = (
    OperationButton(
        "answerTicket",
        gettext_lazy("Answer"),
        run=lambda call, row, data: handling.answer(call, ticket=row.number, **data),
        form=TextForm,
        says=gettext_lazy("The customer is told by message and e-mail, and the ticket waits for the reply."),
        shown=lambda row: row.is_unfinished,
        icon="reply",
    ),
    OperationButton(
        "resolveTicket",
        gettext_lazy("Resolve"),
        run=lambda call, row, data: handling.resolve(call, ticket=row.number, **data),
        form=TextForm,
        says=gettext_lazy("Say what was done. The customer is told, and can close the ticket or reply."),
        shown=lambda row: row.is_unfinished,
        icon="task_alt",
    ),
    OperationButton(
        "assignTicket",
        gettext_lazy("Assign"),
        run=lambda call, row, data: handling.assign(call, ticket=row.number, **data),
        form=AssignForm,
        says=gettext_lazy("The first time, the customer is told that the ticket is in progress."),
        shown=lambda row: row.is_unfinished,
        icon="person_add",
    ),
)


@admin.register(Ticket)
class TicketAdmin(GuardedModelAdmin):
    """The queue of tickets: what waits for operations first, the oldest on top."""

    change_form_after_template = "admin/ticket_case.html"
    list_display = (
        "number",
        "subject",
        "kind",
        "customer",
        "state",
        "assigned_to",
        shown_moment("opened_at", gettext_lazy("Opened")),
        "age",
    )
    list_filter = (QueueFilter, "kind", "state", OfficerFilter)
    search_fields = ("=number", "=linked_number", "=account__name", "subject")
    search_help_text = gettext_lazy("Ticket No., number of the linked object or account name, exactly; or the subject")
    list_select_related = ("account", "assigned_to")
    fieldsets = (
        (None, {"fields": ("number", "subject", "kind", "state", "customer", "account_kind", "linked", "asked_by")}),
        (
            gettext_lazy("Handling"),
            {"fields": ("assigned_to", "opened_at", "changed_at", "resolved_at", "closed_at")},
        ),
    )

    @property
    def operation_buttons(self) -> tuple[OperationButton, ...]:  # type: ignore[override]
        """What rooms above offer for the kind, then what every ticket has."""
        return (*actions.offered(), *BUTTONS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        return super().get_queryset(request).select_related("account", "assigned_to", "user")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        queue = [] if shows_queue(request) else [Case(When(state__in=QUEUED, then=Value(0)), default=Value(1))]
        return [*queue, "opened_at", "pk"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/files/<str:file>/", wrap(self.file_view), name="tickets_ticket_file"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("Customer"))
    def customer(self, row: Ticket) -> str:
        """Whose ticket it is, or that a visitor asked."""
        return str(row.account) if row.account is not None else _("Visitor")

    @admin.display(description=gettext_lazy("Kind of account"))
    def account_kind(self, row: Ticket) -> str:
        """How the account pays."""
        return str(row.account.get_kind_display()) if row.account is not None else display.NOTHING

    @admin.display(description=gettext_lazy("Age"), ordering="opened_at")
    def age(self, row: Ticket) -> str:
        """For how long it has been open."""
        return display.duration_text(clock.now() - row.opened_at)

    @admin.display(description=gettext_lazy("Linked object"))
    def linked(self, row: Ticket) -> SafeString | str:
        """What it is about, leading to operations' page of that."""
        kind = linked.kind_of(row.linked_kind)
        if kind is None:
            return row.linked_number or display.NOTHING
        return format_html(
            '{} <a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
            kind.label,
            kind.admin_address(row.linked_number),
            row.linked_number,
        )

    @admin.display(description=gettext_lazy("Asked by"))
    def asked_by(self, row: Ticket) -> str:
        """The user, and what the demand form was told of who asks."""
        told = [row.contact.get(name, "") for name in ("company", "contact", "phone", "email")]
        return " · ".join(filter(None, [str(row.user or ""), *told])) or display.NOTHING

    def file_view(self, request: HttpRequest, object_id: str, file: str) -> HttpResponseBase:
        """A file of the ticket."""
        call = self.call_of(request)
        return self.shown_file(
            request,
            object_id,
            lambda ticket: files.response(reading.download_attachment(call, ticket=ticket.number, file=file).file),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                "ticket": obj,
                "told": conversation(obj),
                "may_download": operations.may(self.call_of(request), "downloadTicketAttachment", obj) is None,
                "waits_for_invoices": obj.kind == TicketKind.RETURN_INVOICE
                and not actions.offered_for(TicketKind.RETURN_INVOICE),
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)
