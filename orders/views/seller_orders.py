"""The Seller Console's Order List and order details."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries as billing
from koogallery.identity import queries as identity
from koogallery.identity.states import ContactKind
from koogallery.kernel import pages
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from orders.models import Order
from orders.operations import reading
from orders.queries.orders import completed, ended, processing, timeline_of, waiting
from orders.states import OrderState, OrderType
from orders.views.orders import AMOUNT, PLACED, STATE, TYPE


def _address(order: Order) -> str:
    return reverse("orders:seller_detail", args=[order.number])


SOLD = ListPage(
    name="seller-orders",
    caption=gettext_lazy("Order List"),
    columns=(
        Column("number", gettext_lazy("Order No."), link=_address, sort="number", mono=True, hideable=False),
        Column(
            "product",
            gettext_lazy("Product"),
            value="product.label",
            note=lambda order: order.specification,
            sort="product_name",
            strong=True,
        ),
        Column("customer", gettext_lazy("Customer"), value="account.name", sort="account__name"),
        TYPE,
        STATE,
        PLACED,
        Column("paid", gettext_lazy("Paid at"), value="paid_at", sort="paid_at", shown=False),
        AMOUNT,
        actions(lambda order, request: [Action(_("Details"), _address(order))]),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("pending_payment", OrderState.PENDING_PAYMENT.label, lambda request: waiting(request.call.at)),
        Tab("processing", OrderState.PROCESSING.label, lambda request: processing(request.call.at)),
        Tab("completed", OrderState.COMPLETED.label, lambda request: completed(request.call.at)),
        Tab("canceled", OrderState.CANCELED.label, lambda request: ended(request.call.at)),
    ),
    filters=(
        ChoiceFilter("type", gettext_lazy("Order type"), choices=OrderType.choices),
        DateRangeFilter("placed", gettext_lazy("Placed"), field="placed_at"),
    ),
    search=Search(
        ("number", "product_name", "product__name_zh", "account__name"),
        placeholder=gettext_lazy("Order No., product, customer"),
    ),
    default_sort="-placed",
    empty=Empty(gettext_lazy("No orders yet"), gettext_lazy("What customers buy from you appears here.")),
)


@page(audience="seller", operations=["queryOrderList"])
def order_list(request: HttpRequest) -> HttpResponseBase:
    """The orders placed with the seller."""
    orders = reading.query_order_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Order List"), "console": "seller", "breadcrumbs": [(_("Orders"), "")]}}
    return SOLD.respond(request, orders, "orders/seller_order_list.html", context)


@page(audience="seller", operations=["queryOrderDetail"])
def order_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One order as its seller sees it: the buyer's contact data only with consent, masked once it is withdrawn."""
    call = request.call
    order = reading.query_order_detail(call, order=number)
    consent = identity.consent_of_order(order.number, order.contact_kind) if order.contact_kind else None
    context = {
        "page": {
            "title": order.product.label,
            "console": "seller",
            "breadcrumbs": [(_("Order List"), reverse("orders:seller_list"))],
        },
        "order": order,
        "state": order.shown_state(call.at),
        "timeline": timeline_of(order),
        "money": billing.order_money(order.number, currency=order.currency),
        "milestones": billing.milestones_of(order.number) if order.line.milestones else [],
        "contact_label": ContactKind(order.contact_kind).label if consent else "",
        "contact": identity.contact_for_seller(consent) if consent else "",
        "is_masked": consent is not None and consent.withdrawn_at is not None,
    }
    return pages.render(request, "orders/seller_order_detail.html", context)
