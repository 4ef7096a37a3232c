"""The sidebar: the pages of the console, then the rows of each app that the operations manager's roles show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel import operations, pages
from koogallery.tickets.queries import tickets
from supervision.queries import appeals
from unsubscriptions.queries import lists as unsubscriptions

ORDER = (
    "catalog",
    "orders",
    "supervision",
    "tickets",
    "unsubscriptions",
    "billing",
    "identity",
    "notifications",
    "audit",
    "kernel",
)

ICONS = {
    "seller": "storefront",
    "product": "inventory_2",
    "category": "category",
    "order": "receipt_long",
    "resource": "deployed_code",
    "interfacecall": "sync_alt",
    "appeal": "gavel",
    "flow": "conversion_path",
    "request": "undo",
    "payout": "currency_exchange",
    "specialagreement": "handshake",
    "holiday": "event",
    "ticket": "confirmation_number",
    "account": "domain",
    "user": "person",
    "agreementtext": "contract",
    "payment": "payments",
    "refund": "undo",
    "posting": "account_balance",
    "ledgeraccount": "account_balance_wallet",
    "ledgercheck": "fact_check",
    "trace": "history",
    "tracedigest": "verified",
    "message": "notifications",
    "sentmessage": "outgoing_mail",
    "outboxmessage": "outbox",
    "sweepfailure": "report",
    "policychoice": "rule",
    "schedule": "schedule",
}


BADGES: Mapping[str, Callable[[], int]] = {
    "supervision.appeal": lambda: appeals.undecided().count(),
    "tickets.ticket": lambda: tickets.queued().count(),
    "unsubscriptions.payout": lambda: unsubscriptions.needing_attention(clock.now()).count(),
}
"""How much work waits behind an entry."""


def environment(request: HttpRequest) -> list[str] | None:
    """The mark beside the title in a rehearsal or while debugging."""
    if settings.REHEARSAL:
        return [_("Rehearsal"), "warning"]
    return [_("Development"), "info"] if settings.DEBUG else None


def may(request: HttpRequest, name: str) -> bool:
    """Whether the operations manager's roles include an operation."""
    return operations.may(pages.make_call(request, "operator"), name) is None


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar for this operations manager."""
    pages_of_work = [("index", _("Overview"), "dashboard")]
    if may(request, "retryMessage"):
        pages_of_work.append(("parked", _("Parked work"), "hourglass_disabled"))
    if may(request, "choosePolicies"):
        pages_of_work += [("policies", _("Policies"), "rule"), ("what_if", _("What if"), "help")]
    if settings.REHEARSAL and may(request, "advanceClock"):
        pages_of_work.append(("clock", _("Rehearsal clock"), "schedule"))
    work = [_page_item(request, *page) for page in pages_of_work]
    groups = [{"title": _("Operations"), "separator": False, "items": work}]
    apps = sorted(admin.site.get_app_list(request), key=lambda app: _place(app["app_label"]))
    for app in apps:
        items = [
            _item(
                model["name"],
                model["admin_url"],
                ICONS.get(model["model"]._meta.model_name, "table_rows"),
                badge=BADGES[model["model"]._meta.label_lower]() if model["model"]._meta.label_lower in BADGES else 0,
            )
            for model in app["models"]
            if model["admin_url"]
        ]
        if items:
            groups.append({"title": app["name"], "separator": True, "collapsible": False, "items": items})
    return groups


def _page_item(request: HttpRequest, name: str, title: Any, icon: str) -> dict[str, Any]:
    link = reverse(f"admin:{name}")
    return {**_item(title, link, icon), "active": request.path == link}


def _item(title: Any, link: str, icon: str, *, badge: int = 0) -> dict[str, Any]:
    return {"title": str(title), "link": link, "icon": icon, "badge": badge}


def _place(app_label: str) -> tuple[int, str]:
    return (ORDER.index(app_label) if app_label in ORDER else len(ORDER), app_label)
