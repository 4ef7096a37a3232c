"""Service Supervision in the Seller Console: the list of service flows, and their details."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery import clock
from koogallery.kernel import display, operations, pages
from koogallery.kernel.lists import Action, Column, Empty, ListPage, actions
from koogallery.kernel.pages import page
from supervision.models import Flow
from supervision.operations import reading
from supervision.queries import lists
from supervision.states import Actor, Step
from supervision.views import details
from supervision.views.flows import (
    CREATED,
    FILTERS,
    METHOD,
    PRODUCT,
    SEARCH,
    SPECIFICATION,
    STATUS,
    order_column,
    product_cell,
    tabs_of,
)


def _due(flow: Flow) -> SafeString | str:
    """When what the flow waits for is due, or for how long somebody has waited."""
    running = details.clock_of(flow, clock.now())
    if running is None:
        return display.NOTHING
    if running.stands:
        return format_html("{}", _("stands"))
    if running.due_at is None:
        text = details.waiting_text(running)
        return format_html('{} <small class="note">{}</small>', running.kind.label, text)
    moment = display.moment_html(running.due_at)
    if running.is_over:
        return format_html("<div>{}{}</div>", display.badge_html(_("Overdue"), tone="danger"), moment)
    return moment


def _row_actions(flow: Flow, request: HttpRequest) -> list[Action]:
    details_action = Action(_("View Details"), flow.get_seller_url())
    if details.is_frozen(flow, request.call.at):
        return [details_action]
    if flow.step == Step.REVIEW:
        refused = operations.may(request.call, "acceptRequirement", flow)
        return [Action(_("Accept Request"), flow.get_seller_url(), refused=refused), details_action]
    if flow.step_enum.is_delivery:
        refused = operations.may(request.call, "deliverService", flow)
        address = reverse("supervision:deliver", args=[flow.number])
        return [Action(_("Deliver Service"), address, refused=refused), details_action]
    return [details_action]


def _product(flow: Flow) -> SafeString:
    return product_cell(flow, note=flow.order.specification)


SOLD_FLOWS = ListPage(
    name="seller-supervision",
    caption=gettext_lazy("Service Supervision"),
    columns=(
        order_column(Flow.get_seller_url),
        replace(PRODUCT, html=_product),
        replace(SPECIFICATION, shown=False),
        METHOD,
        Column("customer", gettext_lazy("Customer"), value="account.name"),
        replace(STATUS, wide=True),
        Column("due", gettext_lazy("Due"), html=_due, csv="due_at", sort="due_at"),
        replace(CREATED, shown=False),
        actions(_row_actions),
    ),
    tabs=tabs_of(Actor.SELLER),
    filters=FILTERS,
    search=SEARCH,
    default_sort="-created",
    empty=Empty(
        gettext_lazy("No service flows yet"), gettext_lazy("What customers buy and you are to deliver appears here.")
    ),
)


@page(audience="seller", operations=["querySupervisionList"])
def flow_list(request: HttpRequest) -> HttpResponseBase:
    """The service flows of the seller's orders."""
    flows = reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Service Supervision"), "console": "seller", "breadcrumbs": [(_("Delivery"), "")]}}
    return SOLD_FLOWS.respond(request, lists.listed(flows, request.call.at), "supervision/flow_list.html", context)


@page(audience="seller", operations=["queryDeliveryProcess"])
def flow_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One flow as its seller sees it."""
    flow = reading.query_delivery_process(request.call, flow=number)
    context: dict[str, Any] = details.for_seller(request, flow)
    return pages.render(request, "supervision/flow_detail.html", context)
