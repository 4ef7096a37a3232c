"""Service Tickets: the list, a new ticket, one ticket with its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.kernel import files, operations, rates
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.page_parts import ShownFile
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Refused
from koogallery.tickets.forms import ReplyForm, TicketForm
from koogallery.tickets.models import Ticket
from koogallery.tickets.operations import opening, reading, replying
from koogallery.tickets.queries import linked, tickets
from koogallery.tickets.states import CHOOSABLE, QUEUED, Act, Side, TicketKind, TicketState

SENT_A_MINUTE = 10
"""Tickets and replies of one user."""
TOO_MANY = Refused("messages_too_many")
NEWEST = 50
"""How many messages a page shows unless all are asked for."""

AnyForm = TypeVar("AnyForm", bound=files.FilesForm)


def _linked_address(ticket: Ticket) -> str:
    kind = linked.kind_of(ticket.linked_kind)
    return kind.address(ticket.linked_number) if kind is not None else ""


def _linked_label(ticket: Ticket) -> Any:
    kind = linked.kind_of(ticket.linked_kind)
    return kind.label if kind is not None else ""


TICKETS = ListPage(
    name="tickets",
    caption=gettext_lazy("Service Tickets"),
    columns=(
        Column("number", gettext_lazy("Ticket No."), link=Ticket.get_absolute_url, mono=True, hideable=False),
        Column("subject", gettext_lazy("Subject"), sort="subject", wide=True, strong=True),
        Column("kind", gettext_lazy("Kind"), value=lambda ticket: ticket.kind_enum.label, sort="kind"),
        Column(
            "linked",
            gettext_lazy("Linked object"),
            value="linked_number",
            link=_linked_address,
            note=_linked_label,
            mono=True,
        ),
        Column("state", gettext_lazy("Status"), value=lambda ticket: ticket.state_enum, sort="state"),
        Column("opened", gettext_lazy("Opened"), value="opened_at", sort="opened_at", shown=False),
        Column("changed", gettext_lazy("Last change"), value="changed_at", sort="changed_at"),
        actions(lambda ticket, request: [Action(_("View Details"), ticket.get_absolute_url())]),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("working", gettext_lazy("With operations"), Q(state__in=QUEUED)),
        Tab("waiting", gettext_lazy("Waiting for you"), Q(state=TicketState.WAITING)),
        Tab("resolved", TicketState.RESOLVED.label, Q(state=TicketState.RESOLVED)),
        Tab("closed", TicketState.CLOSED.label, Q(state=TicketState.CLOSED)),
    ),
    filters=(
        ChoiceFilter("kind", gettext_lazy("Kind"), choices=TicketKind.choices),
        DateRangeFilter("opened", gettext_lazy("Opened"), field="opened_at"),
    ),
    search=Search(("number", "subject"), placeholder=gettext_lazy("Ticket No., subject")),
    default_sort="-changed",
    empty=Empty(
        gettext_lazy("No service tickets yet"),
        gettext_lazy("Ask operations for credit payment, about an order, or whatever a seller does not answer."),
        gettext_lazy("New ticket"),
        "/console/tickets/new/",
        operation="createTicket",
    ),
)


@page(audience="buyer", operations=["queryTicketList"])
def ticket_list(request: HttpRequest) -> HttpResponseBase:
    """The account's service tickets."""
    rows = reading.query_list(request.call, filters=request.GET.dict())
    context = {
        "page": {"title": _("Service Tickets"), "console": "buyer", "breadcrumbs": []},
        "may_create": operations.may(request.call, "createTicket"),
    }
    return TICKETS.respond(request, rows, "tickets/ticket_list.html", context)


@page(audience="buyer", operations=["createTicket"])
def new(request: HttpRequest) -> HttpResponse:
    """Open a ticket; `?kind=` and a linked object's number (`?order=CS…`) are filled in."""
    call = request.call
    refused = operations.may(call, "createTicket")
    form = _filled(request, TicketForm, initial=_initial(request))
    if _may_go_on(request, form, "createTicket", refused):
        entered = form.cleaned_data
        made = attempt(
            form,
            lambda: opening.create(
                call,
                kind=entered["kind"],
                subject=entered["subject"],
                description=entered["description"],
                linked_kind=entered["linked_kind"],
                linked_number=entered["linked_number"],
                uploads=entered["files"],
            ),
        )
        if made is not None:
            messages.success(request, _("Ticket %(number)s is opened.") % {"number": made.number})
            return redirect(made)
    context = {
        "page": {"title": _("New ticket"), "console": "buyer", "breadcrumbs": [_parent()]},
        "form": form,
        "refused": refused,
        "back": reverse("tickets:list"),
    }
    return _uncached(render(request, "tickets/ticket_new.html", context, status=_status(form)))


def _initial(request: HttpRequest) -> dict[str, str]:
    initial = {}
    if (kind := request.GET.get("kind", "")) in CHOOSABLE:
        initial["kind"] = kind
    for known in linked.kinds():
        if number := request.GET.get(known.key, ""):
            initial |= {"linked_kind": known.key, "linked_number": number[:40]}
    return initial


@page(audience="buyer", operations=["queryTicketDetail"])
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One ticket with its conversation."""
    call = request.call
    ticket = reading.query_detail(call, ticket=number)
    return _details(request, ticket, ReplyForm(call=call))


@page(audience="buyer", operations=["queryTicketDetail", "replyTicket"])
def reply(request: HttpRequest, number: str) -> HttpResponse:
    """Write to operations; a form that is refused keeps what was written."""
    call = request.call
    ticket = reading.query_detail(call, ticket=number)
    form = _filled(request, ReplyForm)
    if _may_go_on(request, form, "replyTicket", operations.may(call, "replyTicket", ticket), ticket=ticket):
        entered = form.cleaned_data
        done = attempt(
            form, lambda: replying.reply(call, ticket=number, text=entered["text"], uploads=entered["files"])
        )
        if done is not None:
            messages.success(request, _("Your message is sent."))
            return redirect(ticket)
    return _details(request, ticket, form)


@page(audience="buyer", operations=["queryTicketDetail", "closeTicket"])
def close(request: HttpRequest, number: str) -> HttpResponse:
    """Close the ticket."""
    call = request.call
    ticket = reading.query_detail(call, ticket=number)
    if request.method != "POST":
        return redirect(f"{ticket.get_absolute_url()}?confirm=close")
    replying.close(call, ticket=number)
    messages.success(request, _("The ticket is closed."))
    return redirect(ticket)


@page(audience="buyer", operations=["downloadTicketFile"])
def download(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A file of a ticket."""
    found = reading.download_file(request.call, ticket=number, file=file)
    return files.response(found.file)


# One page with its form


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as the page shows it."""

    told: tickets.Told
    title: str
    note: str
    files: Sequence[ShownFile]

    @property
    def mine(self) -> bool:
        """Whether the customer wrote it."""
        return self.told.row.side is Side.CUSTOMER


def _entry(ticket: Ticket, told: tickets.Told) -> Entry:
    row = told.row
    return Entry(
        told=told,
        title=row.name or str(row.side.label),
        note="" if row.act in (Act.REPLY, Act.ANSWER) else str(row.act_enum.label),
        files=[
            ShownFile(each.name, reverse("tickets:file", args=[ticket.number, each.number]), each.size)
            for each in told.files
        ],
    )


def _details(request: HttpRequest, ticket: Ticket, form: ReplyForm) -> HttpResponse:
    call = request.call
    is_whole = "all" in request.GET
    told = tickets.conversation(ticket, newest=None if is_whole else NEWEST + 1)
    shown = told if is_whole else told[-NEWEST:]
    context = {
        "page": {"title": ticket.subject, "console": "buyer", "breadcrumbs": [_parent()]},
        "ticket": ticket,
        "linked_label": _linked_label(ticket),
        "linked_address": _linked_address(ticket),
        "entries": [_entry(ticket, each) for each in shown],
        "has_more": len(told) > len(shown),
        "form": form,
        "is_over": ticket.state in (TicketState.RESOLVED, TicketState.CLOSED),
        "can_close": ticket.state != TicketState.CLOSED,
        "may_reply": operations.may(call, "replyTicket", ticket),
        "may_close": operations.may(call, "closeTicket", ticket),
    }
    return _uncached(render(request, "tickets/ticket_detail.html", context, status=_status(form)))


def _filled(request: HttpRequest, kind: type[AnyForm], **more: Any) -> AnyForm:
    is_posted = request.method == "POST"
    return kind(
        request.POST if is_posted else None,
        request.FILES if is_posted else None,
        call=request.call,
        **more,
    )


def _may_go_on(
    request: HttpRequest,
    form: files.FilesForm,
    operation: str,
    refused: Refused | None,
    *,
    ticket: Ticket | None = None,
) -> bool:
    """Whether a form was sent and is valid; of one that is refused anyway, or sent too often, no file is stored."""
    call = request.call
    if request.method != "POST":
        return False
    if not rates.is_within(what="tickets", who=str(call.user_id), per_minute=SENT_A_MINUTE):
        files.refuse_form(form, TOO_MANY)
        return False
    if request.FILES and refused is not None and not operations.is_replay(call, operation):
        operations.refuse(call, operation, refused, target=ticket)
        files.refuse_form(form, refused)
        return False
    return form.is_valid()


def _status(form: files.FilesForm) -> int:
    """The HTTP status of a page with a form: as it was filled in."""
    is_too_many = any(error.code == TOO_MANY.code for error in form.non_field_errors().as_data())
    return TOO_MANY.reason.status if is_too_many else 422 if form.errors else 200


def _parent() -> tuple[str, str]:
    return _("Service Tickets"), reverse("tickets:list")


def _uncached(response: HttpResponse) -> HttpResponse:
    add_never_cache_headers(response)
    return response
