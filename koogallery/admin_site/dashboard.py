"""The overview: what waits for an operations manager, each card only for those whose roles show its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.admin_site import sidebar
from koogallery.kernel import display, rehearsal
from koogallery.kernel.admin import sees
from koogallery.kernel.models import OutboxMessage, SweepFailure
from koogallery.tickets.queries import tickets
from supervision.queries import appeals
from unsubscriptions.queries import lists as unsubscriptions


@dataclass(frozen=True, slots=True)
class Line:
    """A label with its value; `alarm` says that someone should look."""

    label: Any
    value: Any
    link: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A titled group of lines."""

    title: Any
    lines: Sequence[Line] = field(default_factory=tuple)
    link: str = ""
    action: Any = ""


def cards(request: HttpRequest) -> list[Card]:
    """The cards for this operations manager, in the order of urgency."""
    made = [
        make(request)
        for make in (_parked, _appeals, _refunds, _tickets, _orders, _ledger, _catalogue, _accounts, _clock)
    ]
    return [card for card in made if card is not None]


def _link(name: str, query: str = "") -> str:
    try:
        return reverse(f"admin:{name}") + (f"?{query}" if query else "")
    except NoReverseMatch:
        return ""


def _count(value: int) -> str:
    return f"{value:,}"


def _parked(request: HttpRequest) -> Card | None:
    if not sidebar.may(request, "retryMessage"):
        return None
    waiting = Q(next_try_at__isnull=False)
    messages = OutboxMessage.objects.aggregate(
        parked=Count("pk", filter=Q(parked_at__isnull=False)), waiting=Count("pk", filter=waiting)
    )
    rows = SweepFailure.objects.aggregate(
        parked=Count("pk", filter=Q(parked_at__isnull=False)), waiting=Count("pk", filter=Q(parked_at__isnull=True))
    )
    lines = [
        Line(_("Outgoing messages parked"), _count(messages["parked"]), _link("parked"), messages["parked"] > 0),
        Line(_("Outgoing messages waiting"), _count(messages["waiting"])),
        Line(_("Rows parked by sweeps"), _count(rows["parked"]), _link("parked"), rows["parked"] > 0),
        Line(_("Rows tried again by sweeps"), _count(rows["waiting"])),
    ]
    if (failed := failed_interface_calls()) is not None:
        count = failed[:1001].count()
        lines.append(
            Line(_("Interface calls parked"), _count(count), _link("orders_interfacecall_changelist"), count > 0)
        )
    return Card(_("Parked work"), lines, _link("parked"), _("Open"))


def failed_interface_calls() -> Any:
    """Calls to sellers' servers that are parked, newest first; None without the app."""
    if not apps.is_installed("orders"):
        return None
    return apps.get_model("orders", "InterfaceCall").objects.filter(state="parked").order_by("-pk")


def _appeals(request: HttpRequest) -> Card | None:
    if not sees(request.user, "supervision"):
        return None
    found = appeals.waiting(clock.now())
    link = _link("supervision_appeal_changelist", "state__exact=open")
    late = _link("supervision_appeal_changelist", "overdue=yes")
    signing = _link("supervision_appeal_changelist", "state__exact=proposed")
    lines = [
        Line(_("Overdue"), _count(found.overdue), late, found.overdue > 0),
        Line(_("To be decided today"), _count(found.today)),
        Line(_("Waiting for a second signature"), _count(found.proposed), signing),
        Line(_("All that wait"), _count(found.all), link),
        Line(_("Next deadline"), display.moment_text(found.next_due_at) if found.next_due_at else display.NOTHING),
    ]
    return Card(_("Appeals by deadline"), lines, _link("supervision_appeal_changelist"), _("Appeals"))


def _refunds(request: HttpRequest) -> Card | None:
    if not sees(request.user, "unsubscriptions"):
        return None
    found = unsubscriptions.payouts_waiting(clock.now())
    name = "unsubscriptions_payout_changelist"
    lines = [
        Line(_("Late"), _count(found.late), _link(name, "work=attention"), found.late > 0),
        Line(_("Failed"), _count(found.failed), _link(name, "state__exact=failed"), found.failed > 0),
        Line(_("Not refunded yet"), _count(found.open), _link(name, "work=open")),
        Line(_("Next to be back"), display.moment_text(found.next_due_at) if found.next_due_at else display.NOTHING),
    ]
    return Card(_("Refunds of unsubscriptions"), lines, _link(name), _("Payouts"))


def _tickets(request: HttpRequest) -> Card | None:
    if not sees(request.user, "tickets"):
        return None
    found = tickets.waiting()
    link = _link("tickets_ticket_changelist")
    lines = [
        Line(_("Waiting for operations"), _count(found.all), link),
        Line(_("Taken on by nobody"), _count(found.unassigned), _link("tickets_ticket_changelist", "officer=nobody")),
        Line(_("Oldest"), display.moment_text(found.oldest_at) if found.oldest_at else display.NOTHING),
    ]
    return Card(_("Service tickets"), lines, link, _("Service tickets"))


def _orders(request: HttpRequest) -> Card | None:
    if not apps.is_installed("orders") or not sees(request.user, "orders"):
        return None
    order = apps.get_model("orders", "Order")
    today = clock.day_start(clock.platform_date(clock.now()))
    found = order.objects.aggregate(
        placed=Count("pk", filter=Q(placed_at__gte=today)),
        paid=Count("pk", filter=Q(paid_at__gte=today)),
        completed=Count("pk", filter=Q(completed_at__gte=today)),
        canceled=Count("pk", filter=Q(canceled_at__gte=today)),
    )
    labels = {
        "placed": _("Placed"),
        "paid": _("Paid"),
        "completed": _("Completed"),
        "canceled": _("Canceled"),
    }
    lines = [Line(label, _count(found[name])) for name, label in labels.items()]
    return Card(_("Orders today"), lines, _link("orders_order_changelist"), _("Orders"))


def _ledger(request: HttpRequest) -> Card | None:
    if not apps.is_installed("billing") or not sees(request.user, "billing"):
        return None
    check = apps.get_model("billing", "LedgerCheck").objects.order_by("-at", "-pk").first()
    if check is None:
        return Card(_("Ledger check"), [Line(_("Last run"), _("never"))])
    faults = len(check.findings)
    return Card(
        _("Ledger check"),
        [
            Line(_("Last run"), display.moment_text(check.at)),
            Line(_("Postings"), _count(check.postings)),
            Line(_("Findings"), _count(faults), _link("billing_ledgercheck_changelist"), faults > 0),
        ],
    )


def _catalogue(request: HttpRequest) -> Card | None:
    if not apps.is_installed("catalog") or not sees(request.user, "catalog"):
        return None
    states: Callable[[str], list[Line]] = lambda model: [  # noqa: E731
        Line(
            label, _count(counted.get(value, 0)), _link(f"catalog_{model.lower()}_changelist", f"state__exact={value}")
        )
        for row in [apps.get_model("catalog", model)]
        for counted in [dict(row.objects.order_by().values_list("state").annotate(count=Count("pk")))]
        for value, label in row._meta.get_field("state").flatchoices
    ]
    return Card(_("Products"), states("Product"), _link("catalog_product_changelist"), _("Products"))


def _accounts(request: HttpRequest) -> Card | None:
    if not sees(request.user, "identity"):
        return None
    account = apps.get_model("identity", "Account")
    frozen = account.objects.filter(frozen_at__isnull=False).count()
    return Card(
        _("Accounts"),
        [Line(_("Frozen"), _count(frozen))],
        _link("identity_account_changelist"),
        _("Accounts"),
    )


def _clock(request: HttpRequest) -> Card | None:
    if not settings.REHEARSAL or not sidebar.may(request, "advanceClock"):
        return None
    due = rehearsal.next_deadline()
    return Card(
        _("Rehearsal clock"),
        [
            Line(_("Stands at"), display.moment_text(clock.now())),
            Line(_("Next deadline"), display.moment_text(due) if due else display.NOTHING),
        ],
        _link("clock"),
        _("Advance"),
    )
