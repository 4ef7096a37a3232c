"""My Orders, Unpaid Orders, order details, cancelling."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import queries as audit
from billing import queries as billing
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import operations, pages
from koogallery.kernel.addresses import Address
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.prepared import Given
from koogallery.kernel.reasons import Refused
from koogallery.notifications import queries as told
from orders.models import Order
from orders.operations import cancelling, reading
from orders.queries import returns
from orders.queries.orders import completed, ended, processing, timeline_of, waiting
from orders.queries.refund_timeline import money_back
from orders.states import OrderState, OrderType

TRACES_SHOWN = 20
ADDED_TO_FORM = ("from", "until", "changes", "automatic")
"""What a quote of a renewal or change notes beside the fields of its form."""
_PAY = Address("orders:pay")
_CANCEL = Address("orders:cancel")


def state_of(order: Order) -> OrderState:
    """The state a row shows now."""
    return order.shown_state(clock.now())


def same_again_url(order: Order) -> str:
    """Where the same can be ordered again: the confirmation page, or the page that renews or changes the resource."""
    if order.line.resource_id is not None and order.line.resource is not None:
        page = "orders:change" if order.type == OrderType.CHANGE else "orders:renewal"
        chosen = {name: value for name, value in order.form.items() if name not in ADDED_TO_FORM}
        chosen |= {"change": "on"} if order.form.get("changes") else {}
        return f"{reverse(page, args=[order.line.resource.number])}?{urlencode(chosen)}"
    return f"{reverse('orders:checkout')}?{urlencode({'product': order.product_code, **order.form})}"


def _row_actions(order: Order, request: HttpRequest) -> list[Action]:
    details = Action(_("Details"), order.get_absolute_url())
    if order.is_payable(request.call.at):
        return [*_unpaid_actions(order, request), details]
    listed, open_request = returns.read_along(order)
    entry = returns.entry_of(request.call, listed, open_request=open_request)
    return [details] if entry is None else [details, Action(entry.label, entry.url, refused=entry.refused)]


def _unpaid_actions(order: Order, request: HttpRequest) -> list[Action]:
    return [
        Action(
            _("Pay"),
            _PAY(order.number),
            refused=operations.may(request.call, "payOrder", order),
        ),
        Action(
            _("Cancel"),
            _CANCEL(order.number),
            post=True,
            danger=True,
            confirm=_("The order %(number)s for %(product)s is canceled at once. Nothing is charged.")
            % {"number": order.number, "product": order.product.label},
            refused=operations.may(request.call, "cancelOrder", order),
        ),
    ]


NUMBER = Column(
    "number",
    gettext_lazy("Order No."),
    link=lambda order: order.get_absolute_url(),
    sort="number",
    mono=True,
    hideable=False,
)
PRODUCT = Column(
    "product",
    gettext_lazy("Product"),
    value="product.label",
    link=lambda order: order.product.get_absolute_url(),
    note=lambda order: order.specification,
    sort="product_name",
    strong=True,
)
SELLER = Column("seller", gettext_lazy("Seller"), value="seller.label", shown=False)
TYPE = Column("type", gettext_lazy("Order type"), value="type_enum", shown=False)
STATE = Column("state", gettext_lazy("Status"), value=state_of)
PLACED = Column("placed", gettext_lazy("Placed"), value="placed_at", sort="placed_at")
DUE = Column("due", gettext_lazy("Pay until"), value="payment_due_at", sort="payment_due_at")
AMOUNT = Column("amount", gettext_lazy("Amount"), value="total", sort="amount", numeric=True)
PROJECT = Column(
    "project",
    gettext_lazy("Enterprise project"),
    value=lambda order: getattr(order, "project_name", "") or order.project_code,
    sort="project_code",
)
SEARCH = Search(
    ("number", "product_name", "product__name_zh", "spec_text"),
    placeholder=gettext_lazy("Order No., product, specification"),
)
NOTHING_BOUGHT = Empty(
    gettext_lazy("No orders yet"),
    gettext_lazy("What you buy appears here."),
    gettext_lazy("Browse products"),
    "/products/",
)

ORDERS = ListPage(
    name="orders",
    caption=gettext_lazy("My Orders"),
    columns=(NUMBER, PRODUCT, SELLER, TYPE, STATE, PLACED, AMOUNT, PROJECT, actions(_row_actions)),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("pending_payment", OrderState.PENDING_PAYMENT.label, waiting(Given("at"))),
        Tab("processing", OrderState.PROCESSING.label, processing(Given("at"))),
        Tab("completed", OrderState.COMPLETED.label, completed(Given("at"))),
        Tab("canceled", OrderState.CANCELED.label, ended(Given("at"))),
    ),
    filters=(
        ChoiceFilter("type", gettext_lazy("Order type"), choices=OrderType.choices),
        DateRangeFilter("placed", gettext_lazy("Placed"), field="placed_at"),
    ),
    search=SEARCH,
    default_sort="-placed",
    empty=NOTHING_BOUGHT,
)

UNPAID = ListPage(
    name="unpaid-orders",
    caption=gettext_lazy("Unpaid Orders"),
    columns=(NUMBER, PRODUCT, SELLER, TYPE, PLACED, DUE, AMOUNT, PROJECT, actions(_unpaid_actions)),
    filters=(DateRangeFilter("placed", gettext_lazy("Placed"), field="placed_at"),),
    search=SEARCH,
    default_sort="due",
    empty=Empty(
        gettext_lazy("Nothing to pay"),
        gettext_lazy("Orders that wait for payment appear here."),
        gettext_lazy("My Orders"),
        "/console/orders/",
    ),
)


@page(audience="buyer", operations=["queryOrderList"])
def order_list(request: HttpRequest) -> HttpResponseBase:
    """My Orders."""
    orders = reading.query_order_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("My Orders"), "console": "buyer", "breadcrumbs": [(_("Billing Center"), "")]}}
    return ORDERS.respond(request, orders, "orders/order_list.html", context)


@page(audience="buyer", operations=["queryOrderList"])
def unpaid_list(request: HttpRequest) -> HttpResponseBase:
    """Unpaid Orders."""
    orders = reading.query_order_list(request.call, filters={**request.GET.dict(), "tab": reading.UNPAID})
    context = {"page": {"title": _("Unpaid Orders"), "console": "buyer", "breadcrumbs": [(_("Billing Center"), "")]}}
    return UNPAID.respond(request, orders, "orders/order_list.html", context)


@page(audience="buyer", operations=["queryOrderDetail"])
def order_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One order; its tabs show the order, its payments, what was signed, and its traces."""
    call = request.call
    order = reading.query_order_detail(call, order=number)
    tab = request.GET.get("tab", "")
    tab = tab if tab in ("payments", "agreements", "traces") else ""
    state = order.shown_state(call.at)
    requests = returns.returned_of(order.number)
    open_request = next((each.number for each in requests if each.is_open), None)
    context: dict[str, Any] = {
        "page": {
            "title": order.product.label,
            "console": "buyer",
            "breadcrumbs": [(_("My Orders"), reverse("orders:list"))],
        },
        "order": order,
        "state": state,
        "tab": tab,
        "tabs": _tabs(order, tab),
        "is_payable": order.is_payable(call.at),
        "may_pay": operations.may(call, "payOrder", order),
        "shows_resources": operations.may(call, "queryResourceList") is None,
        "may_cancel": operations.may(call, "cancelOrder", order),
        "refund_hours": order.policies["refund.sla_hours"],
        "unsubscribe": returns.entry_of(call, order, open_request=open_request),
        "same_again": same_again_url(order) if state == OrderState.CANCELED and order.form else "",
    }
    if tab == "payments":
        context |= {"payments": billing.payments_of(order.number), "refunds": billing.refunds_of(order.number)}
    elif tab == "agreements":
        context["signatures"] = identity.signatures_of_order(order.number)
        context["told"] = told.messages_of(call.user).filter(link__startswith=order.get_absolute_url())
        context["consent"] = identity.consent_of_order(order.number, order.contact_kind) if order.contact_kind else None
    elif tab == "traces":
        context["traces"] = audit.for_resource(call.account_id, "Order", order.number, limit=TRACES_SHOWN)
    else:
        money = billing.order_money(order.number, currency=order.currency)
        context |= {
            "timeline": timeline_of(order),
            "money": money,
            "money_back": money_back(order.number, requests=requests, at=call.at, refunded=bool(money.refunded)),
            "milestones": billing.milestones_of(order.number) if order.line.milestones else [],
        }
    return pages.render(request, "orders/order_detail.html", context)


def _tabs(order: Order, current: str) -> list[dict[str, Any]]:
    names = (
        ("", _("Order")),
        ("payments", _("Payments and refunds")),
        ("agreements", _("Agreements and messages")),
        ("traces", _("Traces")),
    )
    address = order.get_absolute_url()
    return [
        {"label": label, "url": f"{address}?tab={key}" if key else address, "current": key == current}
        for key, label in names
    ]


@page(audience="buyer", operations=["queryOrderDetail", "cancelOrder"])
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Cancel an unpaid order: asks first, also without JavaScript."""
    order = reading.query_order_detail(request.call, order=number)
    refused: Refused | None = operations.may(request.call, "cancelOrder", order)
    if request.method == "POST":
        try:
            cancelling.cancel_order(request.call, order=number)
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            refused = why
        else:
            messages.success(request, _("The order %(number)s is canceled.") % {"number": number})
            return redirect(order.get_absolute_url())
    context = {
        "page": {
            "title": _("Cancel order"),
            "console": "buyer",
            "breadcrumbs": [(_("My Orders"), reverse("orders:list")), (order.number, order.get_absolute_url())],
        },
        "order": order,
        "refused": refused,
        "state": order.shown_state(request.call.at),
    }
    return pages.render(request, "orders/order_cancel.html", context, status=409 if request.method == "POST" else 200)
