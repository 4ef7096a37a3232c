"""Service Supervision in My KooGallery: the list of service flows, and their details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.states import DeliveryMethod
from koogallery import clock
from koogallery.kernel import display, operations, pages
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from supervision.models import Flow
from supervision.operations import reading
from supervision.queries import lists
from supervision.states import Actor, Step
from supervision.views import details

SERVICE_FLOWS = (
    (DeliveryMethod.PROFESSIONAL_SERVICE.value, gettext_lazy("Standard")),
    (DeliveryMethod.SAAS.value, DeliveryMethod.SAAS.label),
    (DeliveryMethod.LICENSE.value, DeliveryMethod.LICENSE.label),
    (DeliveryMethod.HARDWARE.value, DeliveryMethod.HARDWARE.label),
)


def status_badges(flow: Flow) -> SafeString:
    """The step as a badge, and **Frozen** beside it while the flow stands still."""
    at = clock.now()
    step = display.badge_html(flow.shown_step(at))
    milestone = format_html('<small class="note">{}</small>', details.milestone_text(flow)) if flow.milestones else ""
    frozen = display.badge_html(_("Frozen"), tone="accent") if details.is_frozen(flow, at) else ""
    return format_html('<span class="row">{}{}</span>{}', step, frozen, milestone)


def status_text(flow: Flow) -> str:
    """The same for an export."""
    at = clock.now()
    label = str(flow.shown_step(at).label)
    return f"{label} ({_('Frozen')})" if details.is_frozen(flow, at) else label


def product_cell(flow: Flow, *, note: str = "") -> SafeString:
    """The product, leading to its page."""
    product = flow.order.product
    return display.product_html(
        product.label, url=product.get_absolute_url(), logo_url=product.logo.url if product.logo else "", note=note
    )


def by_step(flows: QuerySet[Flow], step: str) -> QuerySet[Flow]:
    """The flows that a page shows at a step now."""
    return flows.filter(lists.at_step(step, clock.now()))


def order_column(link: Callable[[Flow], str]) -> Column:
    """The order No., leading to the flow."""
    return Column(
        "order",
        gettext_lazy("Order No."),
        value="order_number",
        link=link,
        sort="order_number",
        mono=True,
        hideable=False,
    )


PRODUCT = Column(
    "product", gettext_lazy("Product"), html=product_cell, csv="order.product.label", sort="product_name", strong=True
)
SPECIFICATION = Column("specification", gettext_lazy("Specification"), value="order.specification")
METHOD = Column(
    "method",
    gettext_lazy("Delivery method"),
    value=lambda flow: str(DeliveryMethod(flow.delivery_method).label),
    sort="delivery_method",
)
STATUS = Column("status", gettext_lazy("Service Status"), html=status_badges, csv=status_text, sort="step")
CREATED = Column("created", gettext_lazy("Created"), value="created_at", sort="created_at")
FILTERS = (
    ChoiceFilter("flow", gettext_lazy("Service Flow"), choices=SERVICE_FLOWS, field="delivery_method"),
    ChoiceFilter("status", gettext_lazy("Service Status"), choices=Step.choices, apply=by_step),
    DateRangeFilter("created", gettext_lazy("Created"), field="created_at"),
)
SEARCH = Search(("order_number",), placeholder=gettext_lazy("Order No."))


def tabs_of(actor: Actor) -> tuple[Tab, ...]:
    """The status tabs as a party sees them."""
    return (
        Tab("all", gettext_lazy("All")),
        Tab(
            "to_do", gettext_lazy("To do"), lambda request: lists.waits_for(actor, request.call.at), empty=NOTHING_TO_DO
        ),
        Tab("in_progress", gettext_lazy("In progress"), lambda request: lists.in_progress(request.call.at)),
        Tab("frozen", gettext_lazy("Frozen"), lambda request: lists.frozen(request.call.at), empty=NOTHING_FROZEN),
        Tab("completed", Step.COMPLETED.label, lambda request: lists.completed(request.call.at)),
        Tab("canceled", Step.CANCELED.label, Q(step=Step.CANCELED)),
        Tab("unsubscribed", Step.UNSUBSCRIBED.label, Q(step=Step.UNSUBSCRIBED)),
    )


NOTHING_TO_DO = Empty(
    gettext_lazy("Nothing waits for you"), gettext_lazy("Service flows in which it is your turn appear here.")
)
NOTHING_FROZEN = Empty(
    gettext_lazy("Nothing is frozen"), gettext_lazy("Service flows with an undecided appeal appear here.")
)


def _row_actions(flow: Flow, request: HttpRequest) -> list[Action]:
    details_action = Action(_("View Details"), flow.get_absolute_url())
    if details.is_frozen(flow, request.call.at):
        return [details_action]
    if flow.step == Step.SUBMIT:
        refused = operations.may(request.call, "submitRequirement", flow)
        address = reverse("supervision:request", args=[flow.number])
        return [Action(_("Submit Request"), address, refused=refused), details_action]
    if flow.step_enum.is_acceptance:
        refused = operations.may(request.call, "confirmAcceptance", flow)
        return [Action(_("Accept Service"), flow.get_absolute_url(), refused=refused), details_action]
    return [details_action]


FLOWS = ListPage(
    name="supervision",
    caption=gettext_lazy("Service Supervision"),
    columns=(
        order_column(Flow.get_absolute_url),
        PRODUCT,
        SPECIFICATION,
        METHOD,
        Column("seller", gettext_lazy("Seller"), value="seller.label"),
        STATUS,
        CREATED,
        actions(_row_actions),
    ),
    tabs=tabs_of(Actor.BUYER),
    filters=FILTERS,
    search=SEARCH,
    default_sort="-created",
    empty=Empty(
        gettext_lazy("No service flows yet"),
        gettext_lazy("When you buy a product whose delivery is supervised, you follow and accept it here."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)


@page(audience="buyer", operations=["querySupervisionList"])
def flow_list(request: HttpRequest) -> HttpResponseBase:
    """Service Supervision."""
    flows = reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Service Supervision"), "console": "buyer", "breadcrumbs": []}}
    return FLOWS.respond(request, lists.listed(flows, request.call.at), "supervision/flow_list.html", context)


@page(audience="buyer", operations=["queryDeliveryProcess"])
def flow_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One flow as its buyer sees it."""
    flow = reading.query_delivery_process(request.call, flow=number)
    context: dict[str, Any] = details.for_buyer(request, flow)
    return pages.render(request, "supervision/flow_detail.html", context)
