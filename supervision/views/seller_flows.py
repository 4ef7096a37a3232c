"""Service Supervision in the Seller Console: list and details."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.states import DeliveryMethod
from koogallery.kernel import pages
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, actions
from koogallery.kernel.pages import page
from supervision.models import Flow
from supervision.operations import reading
from supervision.states import Step
from supervision.views.flows import SERVICE_FLOWS


def _row_actions(flow: Flow, request: HttpRequest) -> list[Action]:
    return [Action(_("View Details"), flow.get_seller_url())]


SOLD_FLOWS = ListPage(
    name="seller-supervision",
    caption=gettext_lazy("Service Supervision"),
    columns=(
        Column("order_number", gettext_lazy("Order No."), link=lambda flow: flow.get_seller_url(), mono=True),
        Column("product", gettext_lazy("Product"), value="order.product.label", strong=True),
        Column("specification", gettext_lazy("Specification"), value="order.specification"),
        Column("method", gettext_lazy("Delivery method"), value=lambda flow: DeliveryMethod(flow.delivery_method)),
        Column("customer", gettext_lazy("Customer"), value="account.name"),
        Column("step", gettext_lazy("Service Status"), value="step_enum"),
        Column("created", gettext_lazy("Created"), value="created_at", sort="created_at"),
        actions(_row_actions),
    ),
    filters=(
        ChoiceFilter("delivery_method", gettext_lazy("Service Flow"), choices=SERVICE_FLOWS),
        ChoiceFilter("step", gettext_lazy("Service Status"), choices=Step.choices),
        DateRangeFilter("created", gettext_lazy("Created"), field="created_at"),
    ),
    search=Search(("order_number",), placeholder=gettext_lazy("Order No.")),
    default_sort="-created",
    empty=Empty(gettext_lazy("No service flows yet"), gettext_lazy("What you are to deliver appears here.")),
)


@page(audience="seller", operations=["querySupervisionList"])
def flow_list(request: HttpRequest) -> HttpResponseBase:
    """The service flows of the seller's orders."""
    flows = reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Service Supervision"), "console": "seller", "breadcrumbs": [(_("Delivery"), "")]}}
    return SOLD_FLOWS.respond(request, flows, "supervision/seller_flow_list.html", context)


@page(audience="seller", operations=["queryDeliveryProcess"])
def flow_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One flow as its seller sees it."""
    flow = reading.query_delivery_process(request.call, flow=number)
    context: dict[str, Any] = {
        "page": {
            "title": flow.order.product.label,
            "console": "seller",
            "breadcrumbs": [(_("Service Supervision"), reverse("supervision:seller_list"))],
        },
        "flow": flow,
    }
    return pages.render(request, "supervision/seller_flow_detail.html", context)
