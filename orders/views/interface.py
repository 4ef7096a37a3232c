"""Seller Console: the calls to the seller's servers, replay and debug."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog import queries as catalog
from koogallery.kernel import operations, pages
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.forms import DebugChoiceForm, DebugForm
from orders.models import InterfaceAttempt, InterfaceCall
from orders.operations import debugging, interface_calls, reading
from orders.queries.interface import is_superseded, sellers_call
from orders.saas.activities import Activity, InterfaceVersion
from orders.states import CallState

FAILED = (CallState.REFUSED, CallState.GIVEN_UP, CallState.PARKED)
RESULT_TONES = {"done": "success", "processing": "info", "retry": "warning", "refused": "danger"}


def _row_actions(call: InterfaceCall, request: HttpRequest) -> list[Action]:
    details = Action(_("Details"), call.get_absolute_url())
    if not call.is_replayable or call.test:
        return [details]
    replayed = Action(
        _("Replay"),
        reverse("orders:interface_replay", args=[call.number]),
        post=True,
        confirm=replay_warning(call),
        refused=operations.may(request.call, "replayInterfaceCall", call),
    )
    return [details, replayed]


def replay_warning(call: InterfaceCall) -> str:
    """What a replay does, naming the call."""
    return _("%(activity)s for %(product)s is called again now, and for an hour if it fails.") % {
        "activity": call.activity,
        "product": call.product.label,
    }


CALLS = ListPage(
    name="interface-calls",
    caption=gettext_lazy("Interface Calls"),
    columns=(
        Column("created", gettext_lazy("Created"), value="created_at", sort="created_at"),
        Column(
            "activity",
            gettext_lazy("Activity"),
            link=lambda call: call.get_absolute_url(),
            note=lambda call: _("Debug") if call.test else "",
            sort="activity",
            mono=True,
            hideable=False,
        ),
        Column("product", gettext_lazy("Product"), value="product.label", sort="product__name"),
        Column(
            "order",
            gettext_lazy("Order No."),
            value=lambda call: call.order.number if call.order else "",
            link=lambda call: reverse("orders:seller_detail", args=[call.order.number]) if call.order else "",
            sort="order__number",
            mono=True,
        ),
        Column("state", gettext_lazy("Status"), value="state_enum", sort="state"),
        Column("tries", gettext_lazy("Tries"), value="tries", sort="tries", numeric=True),
        Column(
            "answer",
            gettext_lazy("Last answer"),
            value="last_code",
            note=lambda call: "" if call.state == CallState.DONE else call.last_sentence,
        ),
        Column("next", gettext_lazy("Next try"), value="next_try_at", sort="next_try_at"),
        Column("number", gettext_lazy("Call ID"), value="number", mono=True, shown=False),
        actions(_row_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("waiting", CallState.WAITING.label, Q(state=CallState.WAITING)),
        Tab("done", CallState.DONE.label, Q(state=CallState.DONE)),
        Tab("failed", gettext_lazy("Failed"), Q(state__in=FAILED)),
    ),
    filters=(
        ChoiceFilter("activity", gettext_lazy("Activity"), choices=[(each.value, each.value) for each in Activity]),
        ChoiceFilter(
            "kind",
            gettext_lazy("Kind"),
            choices=[("real", gettext_lazy("Real")), ("debug", gettext_lazy("Debug"))],
            apply=lambda calls, value: calls.filter(test=value == "debug"),
        ),
        DateRangeFilter("created", gettext_lazy("Created"), field="created_at"),
    ),
    search=Search(
        ("order__number", "number", "product__name", "resource__instance_id"),
        placeholder=gettext_lazy("Order No., call ID, product, instance"),
    ),
    default_sort="-created",
    empty=Empty(
        gettext_lazy("No calls yet"),
        gettext_lazy("When customers buy a product with an interface, the calls to your server appear here."),
        gettext_lazy("Debug the interface"),
        "/seller/interface/debug/",
    ),
)


@page(audience="seller", operations=["queryInterfaceCallList", "replayInterfaceCall"])
def call_list(request: HttpRequest) -> HttpResponseBase:
    """Interface Calls."""
    context = {
        "page": {"title": _("Interface Calls"), "console": "seller", "breadcrumbs": [(_("Delivery"), "")]},
        "may_debug": operations.may(request.call, "debugInterface"),
    }
    calls = reading.query_interface_call_list(request.call, filters=request.GET.dict())
    return CALLS.respond(request, calls, "orders/interface_list.html", context)


@page(audience="seller", operations=["queryInterfaceCallDetail", "replayInterfaceCall"])
def call_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One call with every try: request, answer, signature check, and when it is tried next."""
    call = reading.query_interface_call_detail(request.call, interface_call=number)
    context = {
        "page": {
            "title": call.activity,
            "console": "seller",
            "breadcrumbs": [(_("Interface Calls"), reverse("orders:interface_calls"))],
        },
        "call": call,
        "tries": [_shown(attempt) for attempt in call.attempts.order_by("-number")],
        "is_waiting": call.state == CallState.WAITING,
        "is_refreshed": call.state == CallState.WAITING and (call.test or not call.tries),
        "version": InterfaceVersion(int(call.version)).value,
        "replay_warning": replay_warning(call),
        "may_replay": operations.may(request.call, "replayInterfaceCall", call),
        "offers_replay": call.is_replayable and not call.test and not is_superseded(call),
        "order_url": reverse("orders:seller_detail", args=[call.order.number]) if call.order else "",
    }
    return pages.render(request, "orders/interface_call.html", context, fragment="outcome")


def _shown(attempt: InterfaceAttempt) -> dict[str, Any]:
    return {
        "row": attempt,
        "tone": RESULT_TONES.get(attempt.status, "neutral"),
        "label": attempt.code or attempt.status,
        "request": _indented(attempt.request_body),
        "response": _indented(attempt.response_body),
    }


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


@page(audience="seller", operations=["replayInterfaceCall"])
def replay(request: HttpRequest, number: str) -> HttpResponse:
    """Make an ended call again."""
    call = sellers_call(request.call, number)
    if request.method == "POST":
        interface_calls.replay(request.call, interface_call=number)
        messages.success(request, _("%(activity)s is called again.") % {"activity": call.activity})
    return redirect(call.get_absolute_url())


@page(audience="seller", operations=["debugInterface"])
def debug(request: HttpRequest) -> HttpResponse:
    """Run any activity against the seller's server with `testFlag` 1."""
    products = {product.code: product for product in catalog.interface_products(request.call.account_id)}
    choice = DebugChoiceForm(
        request.POST or request.GET or None,
        products=[(product.code, product.label) for product in products.values()],
        versions={code: product.interface_version for code, product in products.items()},
    )
    form: DebugForm | None = None
    if choice.is_bound and choice.is_valid():
        product = products[choice.cleaned_data["product"]]
        form = DebugForm(
            request.POST or None,
            version=InterfaceVersion(int(product.interface_version)),
            activity=Activity(choice.cleaned_data["activity"]),
            product_code=product.code,
            account=request.call.account.number,
        )
        if request.method == "POST" and form.is_valid():
            made = _debug(request, form, product.code, choice.cleaned_data["activity"])
            if made is not None:
                return redirect(made.get_absolute_url())
    context = {
        "page": {
            "title": _("Debug the interface"),
            "console": "seller",
            "breadcrumbs": [(_("Interface Calls"), reverse("orders:interface_calls"))],
            "intro": _("A debug calls your server once with testFlag 1. Nothing is ordered or billed."),
        },
        "choice": choice,
        "form": form,
        "products": products,
        "suspended": [product for product in products.values() if product.is_suspended],
        "refused": operations.may(request.call, "debugInterface"),
    }
    return pages.render(request, "orders/interface_debug.html", context, status=422 if form and form.errors else 200)


def _debug(request: HttpRequest, form: DebugForm, product: str, activity: str) -> InterfaceCall | None:
    try:
        return debugging.debug(request.call, product=product, activity=activity, parameters=form.parameters)
    except Refused as refused:
        form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        return None
