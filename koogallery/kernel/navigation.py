"""The consoles' left navigation: one list of every group and item of `spec/pages.md`.

An item whose address leads nowhere yet is left out. The category menu comes from another app, which hands a function
of the request to `provide` in its `apps.py`. Counts beside items and the unread messages come by `provide_count`: one
statement counts all of a console.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.translation import gettext_lazy as _

from koogallery import clock
from koogallery.kernel.prepared import PreparedCounts

Provider = Callable[[HttpRequest], Any]
Rows = Callable[[], QuerySet[Any, Any]]
COUNTED = 100
IN_EVERY_FRAME = ("unread_messages", "is_seller")
_providers: dict[str, Provider] = {}
_counts: dict[str, Rows] = {}


def provide(name: str, function: Provider) -> None:
    """Let `function(request)` answer for a count or menu named here; a name is provided once."""
    if name in _providers and _providers[name] is not function:
        raise ValueError(f"{name!r} is provided twice.")
    _providers[name] = function


def provide_count(name: str, rows: Rows) -> None:
    """Let the count of what `rows()` finds stand under a name, to `COUNTED` rows.

    The conditions may hold `Given` places for `account`, `user` and `at`. A visitor without an account has none.
    """
    if name in _counts and _counts[name] is not rows:
        raise ValueError(f"{name!r} is provided twice.")
    _counts[name] = rows
    _asked_together.cache_clear()


def provided(name: str, request: HttpRequest, default: Any = None) -> Any:
    """What the provider of a name answers, asked once a request, else `default`."""
    function = _providers.get(name)
    if function is None and name not in _counts:
        return default
    answers: dict[str, Any] = request.__dict__.setdefault("_provided", {})
    if name not in answers:
        answers |= {name: function(request)} if function is not None else {**_count(name, request), **answers}
    return answers[name]


def _count(name: str, request: HttpRequest) -> dict[str, int]:
    """The count of a name, and along with it all that the console of this page shows."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or user.account_id is None:
        return {name: 0}
    console = "seller" if request.path.startswith("/seller/") else "buyer"
    names = _shown_in(console)
    together = _asked_together(names if name in names else (name,))
    call = getattr(request, "call", None)
    return together.all(account=user.account_id, user=user.pk, at=call.at if call is not None else clock.now())


@lru_cache(maxsize=32)
def _asked_together(names: tuple[str, ...]) -> PreparedCounts:
    return PreparedCounts(lambda: {name: _counts[name]() for name in names if name in _counts}, limit=COUNTED)


@lru_cache(maxsize=8)
def _shown_in(console: str) -> tuple[str, ...]:
    beside = (item.count for group in CONSOLES[console] for item in group.items if item.count)
    return tuple(dict.fromkeys((*IN_EVERY_FRAME, *beside)))


def know(name: str, request: HttpRequest, answer: Any) -> None:
    """Let a page that has counted already spare the provider of a name its question."""
    request.__dict__.setdefault("_provided", {})[name] = answer


@dataclass(frozen=True, slots=True)
class Item:
    """A word, where it leads, its icon, and the name under which its count is provided."""

    label: Any
    address: str
    icon: str
    count: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A heading with its items."""

    label: Any
    items: tuple[Item, ...]


CONSOLES: dict[str, tuple[Group, ...]] = {
    "buyer": (
        Group(
            _("My KooGallery"),
            (
                Item(_("Overview"), "/console/", "layout-dashboard"),
                Item(_("Purchased Apps"), "/console/apps/", "box"),
                Item(_("Service Supervision"), "/console/supervision/", "shield-check", "supervision_to_do"),
                Item(_("My Unsubscriptions"), "/console/unsubscriptions/", "undo-2", "open_unsubscriptions"),
                Item(_("My Favorites"), "/console/favorites/", "heart"),
                Item(_("Agreements"), "/console/agreements/", "handshake"),
                Item(_("Servers"), "/console/servers/", "server"),
            ),
        ),
        Group(
            _("Discounts"),
            (
                Item(_("Exclusive Offers"), "/console/offers/", "tag", "offers_in_effect"),
                Item(_("Milestone Bills"), "/console/bills/milestones/", "file-check", "milestone_bills_due"),
            ),
        ),
        Group(
            _("Billing Center"),
            (
                Item(_("Billing Overview"), "/console/billing/", "wallet"),
                Item(_("Unpaid Orders"), "/console/orders/unpaid/", "clock", "unpaid_orders"),
                Item(_("My Orders"), "/console/orders/", "list"),
                Item(_("Bills"), "/console/bills/", "receipt"),
                Item(_("Renewals"), "/console/renewals/", "calendar-clock", "renewals_soon"),
                Item(_("Unsubscriptions"), "/console/unsubscriptions/", "undo-2"),
                Item(_("Invoices"), "/console/invoices/", "file-text"),
                Item(_("Cost Analysis"), "/console/costs/", "chart-column"),
                Item(_("Customers"), "/console/customers/", "users"),
            ),
        ),
        Group(
            _("Management"),
            (
                Item(_("Enterprise Projects"), "/console/projects/", "folder"),
                Item(_("Tags"), "/console/tags/", "tags"),
                Item(_("Users and Permissions"), "/console/iam/", "users"),
                Item(_("Agencies"), "/console/agencies/", "building-2"),
                Item(_("Trace List"), "/console/traces/", "history"),
                Item(_("Messages"), "/console/messages/", "bell", "unread_messages"),
                Item(_("Service Tickets"), "/console/tickets/", "ticket"),
            ),
        ),
    ),
    "seller": (
        Group(
            _("Seller Console"),
            (
                Item(_("Overview"), "/seller/", "layout-dashboard"),
                Item(_("My Products"), "/seller/products/", "package"),
                Item(_("My Applications"), "/seller/applications/", "clipboard-list"),
            ),
        ),
        Group(_("Sales"), (Item(_("Seller Offers"), "/seller/offers/", "badge-percent"),)),
        Group(
            _("Orders"),
            (
                Item(_("Order List"), "/seller/orders/", "list"),
                Item(_("Unsubscriptions"), "/seller/unsubscriptions/", "undo-2", "seller_unsubscriptions"),
            ),
        ),
        Group(
            _("Delivery"),
            (
                Item(_("Service Supervision"), "/seller/supervision/", "shield-check", "seller_supervision"),
                Item(_("Interface Calls"), "/seller/interface/", "plug"),
            ),
        ),
        Group(
            _("Settlement"),
            (
                Item(_("Bills and Settlement"), "/seller/settlements/", "banknote"),
                Item(_("Export History"), "/seller/exports/", "download"),
            ),
        ),
        Group(
            _("Store"),
            (
                Item(_("Seller Profile"), "/seller/profile/", "store"),
                Item(_("Team"), "/seller/team/", "users"),
            ),
        ),
    ),
}

CONSOLE_NAMES = {"buyer": _("My KooGallery"), "seller": _("Seller Console")}


@lru_cache(maxsize=256)
def leads_somewhere(address: str) -> bool:
    """Whether an address of this site has a page of its own, not one that takes its last part for a number."""
    try:
        found = resolve(address)
    except Resolver404:
        return False
    return not found.kwargs


@dataclass(frozen=True, slots=True)
class Link:
    """An item as shown."""

    label: Any
    url: str
    icon: str
    count: str
    current: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A group as shown."""

    label: Any
    links: Sequence[Link]


def sections(console: str, request: HttpRequest) -> list[Section]:
    """The navigation of a console for this request; groups without items are left out.

    Of two items that lead to one page, the first is where one is.
    """
    groups = CONSOLES.get(console, ())
    known = [(group, [item for item in group.items if leads_somewhere(item.address)]) for group in groups]
    every = [item for _, items in known for item in items]
    here = current_address([item.address for item in every], request.path)
    current = next((item for item in every if item.address == here), None)
    return [
        Section(group.label, [_link(item, request, current=item is current) for item in items])
        for group, items in known
        if items
    ]


@lru_cache(maxsize=8)
def _shown_items(console: str) -> tuple[Item, ...]:
    groups = CONSOLES.get(console, ())
    return tuple(item for group in groups for item in group.items if leads_somewhere(item.address))


def state(console: str, request: HttpRequest) -> tuple[str, tuple[str, ...]]:
    """All that the navigation of a console depends on besides the language: where one is, and the counts."""
    items = _shown_items(console)
    here = current_address([item.address for item in items], request.path)
    return here, tuple(shown_badge(provided(item.count, request, 0)) for item in items if item.count)


def current_address(addresses: Sequence[str], path: str) -> str:
    """The longest address that `path` lies under; a console's overview only matches itself."""
    roots = {"/console/", "/seller/"}
    fitting = [address for address in addresses if (path == address if address in roots else path.startswith(address))]
    return max(fitting, key=len, default="")


def _link(item: Item, request: HttpRequest, *, current: bool) -> Link:
    count = provided(item.count, request, 0) if item.count else 0
    return Link(item.label, item.address, item.icon, shown_badge(count), current)


def shown_badge(count: int) -> str:
    """A count in a small badge: nothing for zero, at most `99+`."""
    return "" if not count else "99+" if count > 99 else str(count)
