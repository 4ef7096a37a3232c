"""My Unsubscriptions: what can be given back, images, requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.queries import live_invoices, returnables
from catalog.states import DeliveryMethod
from koogallery import clock
from koogallery.kernel import display, operations
from koogallery.kernel.addresses import Address
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from unsubscriptions.models import Request
from unsubscriptions.operations import reading
from unsubscriptions.queries import lists
from unsubscriptions.queries.entries import OPERATION
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.states import Reason, Status
from unsubscriptions.views.images import IMAGES
from unsubscriptions.views.requests import withdrawing

NAME = "unsubscriptions"
NEGOTIATED, OF_IMAGES, REQUESTS = "negotiated", "images", "requests"
_DETAIL = Address("unsubscriptions:detail")
_NEW = Address("unsubscriptions:request")
_WITHDRAW = Address("unsubscriptions:withdraw")


@dataclass(frozen=True)
class RowsTab(Tab):
    """A tab with rows of its own; the list that is shown narrows only its own tab's."""

    rows: Callable[[HttpRequest], QuerySet[Any]] | None = None

    def narrow(self, queryset: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """The filtered rows for the tab that is shown, for another all of its own."""
        return queryset if chosen(request) == self.key or self.rows is None else self.rows(request)


def chosen(request: HttpRequest) -> str:
    """The tab that a request asks for."""
    wanted = request.GET.get("tab", "")
    return wanted if wanted in (OF_IMAGES, REQUESTS) else NEGOTIATED


def _lines(request: HttpRequest) -> QuerySet[Any]:
    call = request.call  # type: ignore[attr-defined]
    return lists.negotiable_lines(call.account_id, call.at)


def _images(request: HttpRequest) -> QuerySet[Any]:
    call = request.call  # type: ignore[attr-defined]
    return lists.image_resources(call.account_id, call.at)


def _requests(request: HttpRequest) -> QuerySet[Request]:
    return reading.requests.requests_of(request.call.account_id)  # type: ignore[attr-defined]


TABS = (
    RowsTab(NEGOTIATED, gettext_lazy("Negotiated"), rows=_lines),
    RowsTab(OF_IMAGES, gettext_lazy("Images"), rows=_images),
    RowsTab(REQUESTS, gettext_lazy("Requests"), rows=_requests),
)


# Negotiated


def _read_money(lines: Sequence[Any], request: HttpRequest) -> None:
    """The actual payment of each line of a page, and its invoice that is to be returned first."""
    money = returnables({line.number: line.currency for line in lines})
    invoices = live_invoices([line.number for line in lines])
    for line in lines:
        line.actual_payment = money[line.number].actual_payment
        wanted = line.number in invoices and line.order.policies["unsub.require_invoice_return"]
        line.invoice = invoices[line.number].number if wanted else ""


def _why_not(line: Any, request: HttpRequest) -> Refused | None:
    """Why a line cannot be given back now, as far as its row tells; the form says the rest."""
    call = request.call  # type: ignore[attr-defined]
    flow = flow_of(line)
    if call.account is not None and call.account.is_frozen:
        return Refused("account_frozen")
    if flow is not None and flow.stopped_at(call.at) is not None:
        return Refused("flow_frozen")
    if line.invoice:
        return Refused("unsub_invoiced", number=line.invoice)
    if line.actual_payment.amount <= 0:
        return Refused("unsub_nothing_left")
    return operations.may(call, OPERATION, line)


def _line_actions(line: Any, request: HttpRequest) -> list[Action]:
    if line.open_request:
        return [Action(_("View request"), _DETAIL(line.open_request))]
    return [Action(_("Unsubscribe"), _NEW(line.number), refused=_why_not(line, request))]


def _product(order: Any) -> SafeString:
    product = order.product
    logo = product.logo.url if product.logo else ""
    return display.product_html(product.label, url=product.get_absolute_url(), logo_url=logo, note=order.specification)


def _step(line: Any) -> Any:
    flow = flow_of(line)
    return flow.step_enum if flow is not None else line.order.state_enum


LINES = ListPage(
    name=NAME,
    kept_as="unsubscriptions-negotiated",
    caption=gettext_lazy("My Unsubscriptions"),
    columns=(
        Column(
            "order",
            gettext_lazy("Order No."),
            value="order.number",
            link=lambda line: line.order.get_absolute_url(),
            sort="order__number",
            mono=True,
            hideable=False,
        ),
        Column(
            "product",
            gettext_lazy("Product"),
            html=lambda line: _product(line.order),
            csv="order.product.label",
            sort="order__product_name",
            strong=True,
        ),
        Column(
            "method",
            gettext_lazy("Delivery method"),
            value=lambda line: str(DeliveryMethod(line.delivery_method).label),
            sort="delivery_method",
        ),
        Column("seller", gettext_lazy("Seller"), value="order.seller.label", shown=False),
        Column("step", gettext_lazy("Service Status"), value=_step, wide=True),
        Column("placed", gettext_lazy("Placed"), value="order.placed_at", sort="order__placed_at"),
        Column("paid", gettext_lazy("Actual payment"), value="actual_payment", numeric=True),
        actions(_line_actions),
    ),
    tabs=TABS,
    filters=(
        ChoiceFilter(
            "method",
            gettext_lazy("Delivery method"),
            choices=[(each.value, each.label) for each in lists.NEGOTIATED_2025],
            field="delivery_method",
        ),
        DateRangeFilter("placed", gettext_lazy("Placed"), field="order__placed_at"),
    ),
    search=Search(
        ("order__number", "order__product_name", "order__product__name_zh", "order__spec_text"),
        placeholder=gettext_lazy("Order No., product, specification"),
    ),
    default_sort="-placed",
    prepare=_read_money,
    empty=Empty(
        gettext_lazy("Nothing to unsubscribe from by negotiation"),
        gettext_lazy("Supervised products appear here from their payment until their order is completed."),
        gettext_lazy("My Orders"),
        "/console/orders/",
    ),
)


# Requests


def _status(request: Request) -> SafeString:
    badge = display.badge_html(request.status)
    if request.status is not Status.IN_PROGRESS:
        return badge
    if request.payout.is_late(clock.now()):
        return format_html("{} {}", badge, display.badge_html(_("Overdue"), tone="danger"))
    due = _("by %(at)s") % {"at": display.moment_text(request.payout.due_at)}
    return format_html('{}<small class="note">{}</small>', badge, due)


def _request_actions(asked: Request, request: HttpRequest) -> list[Action]:
    found = [Action(_("View Details"), asked.get_absolute_url())]
    if asked.is_open:
        found.append(
            Action(
                _("Withdraw"),
                _WITHDRAW(asked.number),
                post=True,
                confirm=withdrawing(asked),
                refused=operations.may(request.call, "withdrawUnsubscription", asked),  # type: ignore[attr-defined]
            )
        )
    return found


ASKED = ListPage(
    name=NAME,
    kept_as="unsubscriptions-requests",
    caption=gettext_lazy("My Unsubscriptions"),
    columns=(
        Column(
            "number",
            gettext_lazy("Request No."),
            link=Request.get_absolute_url,
            sort="number",
            mono=True,
            hideable=False,
        ),
        Column(
            "product",
            gettext_lazy("Product"),
            html=lambda asked: _product(asked.order),
            csv="order.product.label",
            sort="product_name",
            strong=True,
        ),
        Column(
            "order",
            gettext_lazy("Order No."),
            value="order_number",
            link=lambda asked: asked.order.get_absolute_url(),
            sort="order_number",
            mono=True,
        ),
        Column("kind", gettext_lazy("Kind"), value=lambda asked: str(asked.kind_enum.label), sort="kind", shown=False),
        Column("amount", gettext_lazy("Refund"), value="money", sort="amount", numeric=True),
        Column(
            "reason",
            gettext_lazy("Reason"),
            value=lambda asked: str(Reason(asked.reason).label) if asked.reason else "",
            sort="reason",
            wide=True,
            shown=False,
        ),
        Column("status", gettext_lazy("Status"), html=_status, csv=lambda asked: str(asked.status.label), wide=True),
        Column("requested", pgettext_lazy("time", "Requested"), value="requested_at", sort="requested_at"),
        actions(_request_actions),
    ),
    tabs=TABS,
    filters=(
        ChoiceFilter(
            "status",
            gettext_lazy("Status"),
            choices=Status.choices,
            apply=lambda rows, status: rows.filter(lists.status_q(Status(status))),
        ),
        DateRangeFilter("requested", pgettext_lazy("time", "Requested"), field="requested_at"),
    ),
    search=Search(
        ("number", "order_number", "product_name", "order__product__name_zh"),
        placeholder=gettext_lazy("Request No., order No., product"),
    ),
    default_sort="-requested",
    empty=Empty(
        gettext_lazy("No requests yet"),
        gettext_lazy("What you ask to unsubscribe from appears here with the state of its refund."),
        gettext_lazy("Negotiated"),
        "/console/unsubscriptions/",
    ),
)

_OF_TAB = {
    NEGOTIATED: LINES,
    OF_IMAGES: replace(IMAGES, kept_as="unsubscriptions-images", tabs=TABS),
    REQUESTS: ASKED,
}


@page(audience="buyer", operations=["queryUnsubscriptionList", OPERATION, "withdrawUnsubscription"])
def overview(request: HttpRequest) -> HttpResponseBase:
    """My Unsubscriptions with its tabs."""
    mine = reading.query_list(request.call, filters=request.GET.dict())  # type: ignore[attr-defined]
    tab = chosen(request)
    rows = {NEGOTIATED: lambda: _lines(request), OF_IMAGES: lambda: _images(request), REQUESTS: lambda: mine}[tab]()
    context = {"page": {"title": _("My Unsubscriptions"), "console": "buyer", "breadcrumbs": []}}
    return _OF_TAB[tab].respond(request, rows, "unsubscriptions/list.html", context)
