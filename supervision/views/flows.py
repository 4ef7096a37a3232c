"""Service Supervision in My KooGallery: list and details."""

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

SERVICE_FLOWS = (
    (DeliveryMethod.PROFESSIONAL_SERVICE.value, gettext_lazy("Standard")),
    (DeliveryMethod.SAAS.value, DeliveryMethod.SAAS.label),
    (DeliveryMethod.LICENSE.value, DeliveryMethod.LICENSE.label),
    (DeliveryMethod.HARDWARE.value, DeliveryMethod.HARDWARE.label),
)


def _row_actions(flow: Flow, request: HttpRequest) -> list[Action]:
    return [Action(_("View Details"), flow.get_absolute_url())]


FLOWS = ListPage(
    name="supervision",
    caption=gettext_lazy("Service Supervision"),
    columns=(
        Column("order_number", gettext_lazy("Order No."), link=lambda flow: flow.get_absolute_url(), mono=True),
        Column("product", gettext_lazy("Product"), value="order.product.label", strong=True),
        Column("specification", gettext_lazy("Specification"), value="order.specification"),
        Column("method", gettext_lazy("Delivery method"), value=lambda flow: DeliveryMethod(flow.delivery_method)),
        Column("seller", gettext_lazy("Seller"), value="seller.label"),
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
    empty=Empty(gettext_lazy("No service flows yet"), gettext_lazy("Deliveries that you accept appear here.")),
)


@page(audience="buyer", operations=["querySupervisionList"])
def flow_list(request: HttpRequest) -> HttpResponseBase:
    """Service Supervision."""
    flows = reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Service Supervision"), "console": "buyer", "breadcrumbs": []}}
    return FLOWS.respond(request, flows, "supervision/flow_list.html", context)


@page(audience="buyer", operations=["queryDeliveryProcess"])
def flow_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One flow as its buyer sees it."""
    flow = reading.query_delivery_process(request.call, flow=number)
    context: dict[str, Any] = {
        "page": {
            "title": flow.order.product.label,
            "console": "buyer",
            "breadcrumbs": [(_("Service Supervision"), reverse("supervision:list"))],
        },
        "flow": flow,
    }
    return pages.render(request, "supervision/flow_detail.html", context)
