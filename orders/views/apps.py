"""Purchased Apps: what the account bought and received."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from catalog.states import BillingMode, DeliveryMethod
from koogallery import clock
from koogallery.kernel import display, operations
from koogallery.kernel.addresses import Address
from koogallery.kernel.lists import Action, ChoiceFilter, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.prepared import Given
from orders.models import Resource
from orders.operations import resources
from orders.queries import renewing
from orders.queries.delivered import completed
from orders.queries.renewals import why_no_strategy
from orders.queries.resources import days_left, expiring, in_delivery, in_use, periods_of, released
from orders.queries.returns import Entry, entry_of, open_request_of, why_asked_back
from orders.states import ExpirationPolicy, ResourceStatus
from orders.views.renewals import RENEWAL, cancel_action, change_url, waiting_context, waiting_note

_ORDER = Address("orders:detail")
_POLICY = Address("orders:resource_policy")
_DISABLE = Address("orders:resource_disable")


@dataclass(frozen=True, slots=True)
class _Words:
    """What every row says, in one language."""

    details: str
    renewal: str
    change: str
    policy: str
    disable: str
    disabling: str
    no_change: str


@lru_cache(maxsize=8)
def _words(language: str | None) -> _Words:
    return _Words(
        details=_("Resource Details"),
        renewal=_("Renewal"),
        change=_("Change"),
        policy=_("Expiration policy"),
        disable=_("Disable"),
        disabling=_(
            "%(product)s (%(number)s) is closed at once and its data is deleted at the seller. "
            "Nothing is refunded. This cannot be undone."
        ),
        no_change=_("Changes are not offered here yet."),
    )


def logo_of(product: Any) -> str:
    """The address of a product's logo; empty for its letters."""
    return product.logo.url if product.logo else ""


def renewal_action(resource: Resource, call: Any, in_force: Any) -> Action:
    """**Renewal**, or why not."""
    not_now = renewing.why_not_renewable(resource, at=call.at, in_force=in_force)
    refused = not_now or operations.may(call, "renewOrder", resource)
    return Action(_words(get_language()).renewal, RENEWAL(resource.number), refused=refused)


def change_action(resource: Resource, call: Any, in_force: Any) -> Action:
    """**Change**, or why not."""
    words, address = _words(get_language()), change_url(resource)
    not_now = renewing.why_not_changeable(resource, at=call.at, in_force=in_force)
    refused = not_now or operations.may(call, "changeOrder", resource)
    return Action(words.change, address, refused=refused, reason="" if address else words.no_change)


def row_actions(resource: Resource, request: HttpRequest) -> list[Action]:
    """What can be done with a resource, from its row."""
    words, call = _words(get_language()), request.call
    details = Action(words.details, resource.get_absolute_url())
    periods: Any = periods_of(resource)
    status = renewing.status_now(resource, at=call.at, in_force=periods)
    entry = unsubscribe_entry(resource, call, status)
    unsubscribe = [] if entry is None else [Action(entry.label, entry.url, refused=entry.refused)]
    if not status.is_in_use:
        return [details, *unsubscribe]
    found = [details, renewal_action(resource, call, periods), change_action(resource, call, periods)]
    if resource.has_term:
        found.append(
            Action(
                words.policy,
                _POLICY(resource.number),
                refused=why_no_strategy(resource, at=call.at, in_force=periods)
                or operations.may(call, "setResourceStrategy", resource),
            )
        )
    if (cancel := cancel_action(resource, request)) is not None:
        found.append(cancel)
    disable = Action(
        words.disable,
        _DISABLE(resource.number),
        post=True,
        danger=True,
        confirm=disable_warning(resource),
        refused=why_asked_back(resource) or operations.may(call, "closeResource", resource),
    )
    return [*found, *unsubscribe, disable]


def unsubscribe_entry(resource: Resource, call: Any, status: ResourceStatus) -> Entry | None:
    """**Unsubscribe** while the order that produced the resource can be given back, or where its open request is."""
    if status is ResourceStatus.CLOSED:
        return None
    order = resource.line.order
    order.line, order.completes_at = resource.line, resource.completes_at
    return entry_of(call, order, open_request=open_request_of(resource))


def disable_warning(resource: Resource) -> str:
    """What disabling does, naming the resource."""
    return _words(get_language()).disabling % {"product": resource.product.label, "number": resource.number}


def _product(resource: Resource) -> SafeString:
    product = resource.product
    return display.product_html(product.label, url=product.get_absolute_url(), logo_url=logo_of(product))


def _expires(resource: Resource) -> SafeString:
    return display.moment_html(resource.expires_at, note=expiry_note(resource), distance=False)


def expiry_note(resource: Resource, in_force: PolicySet | None = None) -> str:
    """How many days are left of the term, of grace or of retention; nothing once closed."""
    at = clock.now()
    left = days_left(resource, at, in_force)
    if left is None:
        return ""
    periods: Any = in_force if in_force is not None else periods_of(resource)
    status = renewing.status_now(resource, at=at, in_force=periods)
    if status == ResourceStatus.GRACE:
        text = ngettext("%(count)d day of grace left", "%(count)d days of grace left", left)
    elif status == ResourceStatus.RETENTION:
        text = ngettext("frozen, %(count)d day left", "frozen, %(count)d days left", left)
    else:
        text = ngettext("%(count)d day", "%(count)d days", left)
    return text % {"count": left}


def _status(resource: Resource) -> ResourceStatus:
    at, periods = clock.now(), cast(Any, periods_of(resource))
    delivered = resource.is_delivered(at)
    return ResourceStatus.ENABLED if delivered else renewing.status_now(resource, at=at, in_force=periods)


def _auto_renewal(resource: Resource) -> str:
    if not resource.has_term:
        return ""
    return _("On") if resource.expiration_policy == ExpirationPolicy.AUTO else _("Off")


APPS = ListPage(
    name="apps",
    caption=gettext_lazy("Purchased Apps"),
    columns=(
        Column(
            "product",
            gettext_lazy("Product"),
            value="product.label",
            html=_product,
            sort="product_name",
            strong=True,
            hideable=False,
        ),
        Column("specification", gettext_lazy("Specification"), value="specification", note=waiting_note, wide=True),
        Column(
            "delivery_method",
            gettext_lazy("Delivery method"),
            value=lambda resource: DeliveryMethod(resource.delivery_method),
            sort="delivery_method",
        ),
        Column("status", gettext_lazy("Status"), value=_status, sort="status"),
        Column("expires", gettext_lazy("Expires"), value="expires_at", html=_expires, sort="expires_at"),
        Column(
            "billing_mode",
            gettext_lazy("Billing mode"),
            value=lambda resource: BillingMode(resource.billing_mode),
            note=lambda resource: _("Auto-renewal") if resource.expiration_policy == ExpirationPolicy.AUTO else "",
            sort="billing_mode",
        ),
        Column("auto_renewal", gettext_lazy("Auto-renewal"), value=_auto_renewal, shown=False),
        Column(
            "order",
            gettext_lazy("Order No."),
            value="order_number",
            link=lambda resource: _ORDER(resource.order_number),
            mono=True,
            shown=False,
        ),
        Column("purchased", gettext_lazy("Purchased"), value="purchased_at", sort="purchased_at", shown=False),
        Column("resource", gettext_lazy("Resource ID"), value="number", mono=True, shown=False),
        actions(row_actions),
    ),
    tabs=(
        Tab("in_use", gettext_lazy("In use"), (in_use() & ~released()) | completed(Given("at"), by="line")),
        Tab(
            "in_delivery",
            gettext_lazy("In delivery"),
            in_delivery(),
            empty=Empty(
                gettext_lazy("Nothing in delivery"),
                gettext_lazy("Products whose delivery is supervised appear here until you have accepted them."),
            ),
        ),
        Tab(
            "expiring",
            gettext_lazy("Expiring"),
            expiring(at=Given("at"), today=Given("today"), until=Given("expiring")) & ~released(),
            empty=Empty(
                gettext_lazy("Nothing expires soon"),
                gettext_lazy("Resources with 30 days or less to go, in grace or in retention appear here."),
            ),
        ),
        Tab("closed", gettext_lazy("Closed"), Q(status=ResourceStatus.CLOSED) | released()),
    ),
    filters=(
        ChoiceFilter("delivery_method", gettext_lazy("Delivery method"), choices=DeliveryMethod.choices),
        ChoiceFilter("billing_mode", gettext_lazy("Billing mode"), choices=BillingMode.choices),
    ),
    search=Search(
        ("product_name", "product__name_zh", "spec_text", "order_number", "number"),
        placeholder=gettext_lazy("Product, specification, order No."),
    ),
    default_sort="-purchased",
    empty=Empty(
        gettext_lazy("No apps yet"),
        gettext_lazy("What you buy appears here as soon as it is ready."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)


@page(audience="buyer", operations=["queryResourceList", "closeResource", "cancelRenewal"])
def app_list(request: HttpRequest) -> HttpResponseBase:
    """Purchased Apps."""
    context = {
        "page": {"title": _("Purchased Apps"), "console": "buyer", "breadcrumbs": [(_("My KooGallery"), "")]},
        **waiting_context(request),
    }
    mine = resources.query_resource_list(request.call, filters=request.GET.dict())
    return APPS.respond(request, mine, "orders/app_list.html", context)
