"""The message centre: list, one message, marking as read, preferences."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as toasts
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import ngettext as _n

from koogallery.kernel.lists import (
    Action,
    Bulk,
    ChoiceFilter,
    Column,
    DateRangeFilter,
    Empty,
    ListPage,
    Search,
    Tab,
    actions,
)
from koogallery.kernel.pages import page, render
from koogallery.notifications import forms, operations, queries
from koogallery.notifications.kinds import KINDS
from koogallery.notifications.models import Message, MessageChoices
from koogallery.notifications.states import Channel, Topic


def _page(title: str, *, parents: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    return {"title": title, "console": "buyer", "breadcrumbs": list(parents)}


def address_of(message: Message) -> str:
    """The page of a message."""
    return reverse("notifications:message", args=[message.pk])


def _actions(message: Message, request: HttpRequest) -> list[Action]:
    found = [Action(_("View"), address_of(message))]
    if message.is_unread:
        found.append(Action(_("Mark as read"), reverse("notifications:read", args=[message.pk]), post=True))
    return found


MESSAGES = ListPage(
    name="messages",
    caption=gettext_lazy("Messages"),
    columns=(
        Column(
            "subject",
            gettext_lazy("Message"),
            value=lambda message: message.subject,
            link=address_of,
            hideable=False,
        ),
        Column("topic", gettext_lazy("Topic"), value=lambda message: Topic(message.topic)),
        Column("severity", gettext_lazy("Severity"), value=lambda message: message.severity_enum),
        Column("created", gettext_lazy("Received"), value="created_at", sort="created_at"),
        Column("read", gettext_lazy("Read"), value="read_at", shown=False),
        actions(_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("unread", gettext_lazy("Unread"), Q(read_at__isnull=True)),
        Tab("read", gettext_lazy("Read"), Q(read_at__isnull=False)),
    ),
    filters=(
        ChoiceFilter("topic", gettext_lazy("Topic"), field="topic", choices=Topic.choices),
        DateRangeFilter("created", gettext_lazy("Received"), field="created_at"),
    ),
    search=Search(("params",), placeholder=gettext_lazy("Order No., product")),
    default_sort="-created",
    selectable=lambda message: str(message.pk),
    bulk=(Bulk(gettext_lazy("Mark as read"), "/console/messages/read/"),),
    row_class=lambda message: "unread" if message.is_unread else "",
    empty=Empty(
        gettext_lazy("No messages yet"),
        gettext_lazy("What happens to your orders, bills and deliveries is told here."),
    ),
)


@page(audience="signed_in")
def message_list(request: HttpRequest) -> HttpResponseBase:
    """The user's messages."""
    return MESSAGES.respond(
        request,
        queries.messages_of(request.user),
        "notifications/message_list.html",
        {"page": _page(_("Messages")), "unread": queries.unread_of_request(request)},
    )


@page(audience="signed_in", operations=["readMessage"])
def message_details(request: HttpRequest, number: int) -> HttpResponse:
    """One message; opening it marks it as read."""
    message = operations.read(request.call, message=str(number))  # type: ignore[attr-defined]
    parents = ((_("Messages"), reverse("notifications:messages")),)
    return render(
        request,
        "notifications/message_details.html",
        {
            "page": _page(message.subject, parents=parents),
            "message": message,
            "topic": Topic(message.topic),
            "action": _(KINDS[message.kind].action) if message.kind in KINDS else _("Open"),
        },
    )


@page(audience="signed_in", operations=["readMessage"])
def read(request: HttpRequest, number: int) -> HttpResponse:
    """Mark one message as read and go back to the list."""
    if request.method == "POST":
        operations.read(request.call, message=str(number))  # type: ignore[attr-defined]
    return HttpResponseRedirect(reverse("notifications:messages"))


@page(audience="signed_in", operations=["readMessages"])
def read_many(request: HttpRequest) -> HttpResponse:
    """Mark the selected messages, or with `all` every message, as read."""
    if request.method == "POST":
        chosen = None if request.POST.get("all") else request.POST.getlist("selected")
        count = operations.read_all(request.call, messages=chosen)  # type: ignore[attr-defined]
        said = _n("%(count)d message is marked as read.", "%(count)d messages are marked as read.", count)
        toasts.success(request, said % {"count": count})
    return HttpResponseRedirect(reverse("notifications:messages"))


@page(audience="signed_in", operations=["setMessagePreferences"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Which kinds of messages come by mail and SMS."""
    if request.method == "POST":
        operations.choose(request.call, choices=forms.read(request.POST))  # type: ignore[attr-defined]
        toasts.success(request, _("Your preferences are saved."))
        return HttpResponseRedirect(reverse("notifications:preferences"))
    stored = MessageChoices.objects.filter(user_id=request.user.pk or 0).first()
    context = {
        "page": _page(_("Message preferences"), parents=((_("Messages"), reverse("notifications:messages")),)),
        "topics": forms.boxes(stored.choices if stored else {}),
        "channels": list(Channel),
    }
    return render(request, "notifications/preferences.html", context)
