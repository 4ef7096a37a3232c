"""Orders > Unsubscriptions in the Seller Console: list, details, Review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from koogallery import clock
from koogallery.kernel import display, operations, pages
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.queries.orders import PRODUCT_TEXTS, SELLER_TEXTS
from unsubscriptions.forms_review import ReviewForm
from unsubscriptions.models import Request
from unsubscriptions.operations import reading, reviewing
from unsubscriptions.queries import lists
from unsubscriptions.queries.details import details_of, renewals_of
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.states import PayoutState, Reason, RequestState, Status
from unsubscriptions.views import seller_details

TEMPLATE = "unsubscriptions/seller_detail.html"
LIST = "unsubscriptions/seller_list.html"
SURE, BACK = "sure", "back"


# The list


def _stands(asked: Request) -> bool:
    flow = flow_of(asked.line)
    return asked.is_open and flow is not None and flow.stopped_at(clock.now()) is not None


def _product(asked: Request) -> SafeString:
    product = asked.order.product
    return display.product_html(
        product.label,
        url=product.get_absolute_url(),
        logo_url=product.logo.url if product.logo else "",
        note=asked.order.specification,
    )


def _status(asked: Request) -> SafeString:
    """The status as a badge, and **Frozen** beside it while an appeal stops the review."""
    frozen = display.badge_html(_("Frozen"), tone="accent") if _stands(asked) else ""
    return format_html('<span class="row">{}{}</span>', display.badge_html(asked.status), frozen)


def _reason(asked: Request) -> Any:
    return asked.reason_enum.label if asked.reason_enum else None


def _due(asked: Request) -> SafeString | str:
    """For how long a request has waited for its answer, or when its refund is due."""
    at = clock.now()
    if asked.is_open:
        if _stands(asked):
            return format_html("{}", _("stands"))
        duration = display.duration_text(seller_details.waited(asked, at))
        waits = _("for %(duration)s") % {"duration": duration}
        return format_html('{} <small class="note">{}</small>', _("Unanswered"), waits)
    payout = getattr(asked, "payout", None) if asked.state == RequestState.AGREED else None
    if payout is None or payout.state == PayoutState.DONE:
        return display.NOTHING
    moment = display.moment_html(payout.due_at)
    if payout.is_late(at):
        return format_html("<div>{}{}</div>", display.badge_html(_("Overdue"), tone="danger"), moment)
    return moment


def _due_text(asked: Request) -> Any:
    """The same for an export: since when it waits, or when the refund is due."""
    if asked.is_open:
        return asked.turn_since
    payout = getattr(asked, "payout", None) if asked.state == RequestState.AGREED else None
    return payout.due_at if payout is not None and payout.state != PayoutState.DONE else None


def _may_review(request: HttpRequest, asked: Request) -> Refused | None:
    """Why somebody can neither agree nor reject, or None."""
    call = request.call  # type: ignore[attr-defined]
    agree = operations.may(call, "agreeUnsubscription", asked)
    return agree and operations.may(call, "rejectUnsubscription", asked) and agree


def _row_actions(asked: Request, request: HttpRequest) -> list[Action]:
    if asked.is_open and not _stands(asked):
        return [Action(_("Review"), f"{asked.get_seller_url()}#review", refused=_may_review(request, asked))]
    return [Action(_("View Details"), asked.get_seller_url())]


def _by_status(requests: QuerySet[Request], status: str) -> QuerySet[Request]:
    return requests.filter(lists.status_q(Status(status)))


_UNREAD = (
    *(f"order__product__{name}" for name in PRODUCT_TEXTS),
    *(f"seller__{name}" for name in SELLER_TEXTS),
    "line__configuration",
    "line__explanation",
)

REQUESTS = ListPage(
    name="seller-unsubscriptions",
    caption=gettext_lazy("Unsubscriptions"),
    columns=(
        Column(
            "number",
            gettext_lazy("Request No."),
            link=Request.get_seller_url,
            sort="number",
            mono=True,
            hideable=False,
        ),
        Column(
            "product",
            gettext_lazy("Product"),
            html=_product,
            csv="order.product.label",
            sort="product_name",
            strong=True,
        ),
        Column("customer", gettext_lazy("Customer"), value="account.name", sort="account__name"),
        Column("order", gettext_lazy("Order No."), value="order_number", sort="order_number", mono=True, shown=False),
        Column("kind", gettext_lazy("Kind"), value=lambda asked: asked.kind_enum.label, sort="kind", shown=False),
        Column("amount", gettext_lazy("Refund amount"), value="money", sort="amount", numeric=True),
        Column("reason", gettext_lazy("Reason"), value=_reason, sort="reason"),
        Column("text", gettext_lazy("Description"), shown=False),
        Column(
            "status",
            gettext_lazy("Status"),
            html=_status,
            csv=lambda asked: asked.status.label,
            sort="state",
            wide=True,
        ),
        Column("due", gettext_lazy("Due"), html=_due, csv=_due_text, sort="turn_since"),
        Column("requested", pgettext_lazy("time", "Requested"), value="requested_at", sort="requested_at", shown=False),
        Column("answered", gettext_lazy("Answered"), value="ended_at", sort="ended_at", shown=False),
        actions(_row_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab(
            "to_review",
            gettext_lazy("To review"),
            lambda request: lists.reviewable(request.call.at),
            empty=Empty(
                gettext_lazy("Nothing waits for you"), gettext_lazy("Requests that you are to answer appear here.")
            ),
        ),
        Tab(
            "in_progress",
            Status.IN_PROGRESS.label,
            lists.status_q(Status.IN_PROGRESS) | lists.status_q(Status.FAILED),
        ),
        *(
            Tab(status.value, status.label, lists.status_q(status))
            for status in (Status.REFUNDED, Status.REJECTED, Status.WITHDRAWN)
        ),
    ),
    filters=(
        ChoiceFilter("status", gettext_lazy("Status"), choices=Status.choices, apply=_by_status),
        ChoiceFilter("reason", gettext_lazy("Reason"), choices=Reason.choices, field="reason"),
        DateRangeFilter("requested", pgettext_lazy("time", "Requested"), field="requested_at"),
    ),
    search=Search(
        ("number", "order_number", "product_name", "account__name"),
        placeholder=gettext_lazy("Request No., Order No., product, customer"),
    ),
    default_sort="-requested",
    empty=Empty(
        gettext_lazy("No requests yet"),
        gettext_lazy("When a customer wants to give back what was bought from you, the request appears here."),
    ),
)


@page(audience="seller", operations=["queryUnsubscriptionList"])
def request_list(request: HttpRequest) -> HttpResponseBase:
    """The requests of customers."""
    requests = reading.query_list(request.call, filters=request.GET.dict())
    context = {"page": {"title": _("Unsubscriptions"), "console": "seller", "breadcrumbs": [(_("Orders"), "")]}}
    return REQUESTS.respond(request, requests.defer(*_UNREAD), LIST, context)


# One request, and its review


@dataclass(frozen=True, slots=True)
class Decision:
    """What a seller decides: the operation, the words when done."""

    key: str
    operation: str
    do: Callable[..., Any]
    done: Any


AGREE = Decision(
    "agree",
    "agreeUnsubscription",
    reviewing.agree,
    gettext_lazy("You agreed. The order is unsubscribed; the customer was told."),
)
REJECT = Decision(
    "reject",
    "rejectUnsubscription",
    reviewing.reject,
    gettext_lazy("The request is rejected. The order goes on; the customer was told."),
)


@page(audience="seller", operations=["queryUnsubscriptionDetail", "agreeUnsubscription", "rejectUnsubscription"])
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One request with Review."""
    asked = reading.read_details(request.call, request=number)
    return _show(request, asked, ReviewForm(call=request.call))


@page(audience="seller", operations=["queryUnsubscriptionDetail", "agreeUnsubscription"])
def agree(request: HttpRequest, number: str) -> HttpResponse:
    """Agree to a request."""
    return _decide(request, number, AGREE)


@page(audience="seller", operations=["queryUnsubscriptionDetail", "rejectUnsubscription"])
def reject(request: HttpRequest, number: str) -> HttpResponse:
    """Reject a request."""
    return _decide(request, number, REJECT)


def _decide(request: HttpRequest, number: str, decision: Decision) -> HttpResponse:
    """Do it once its dialog was answered; else show the review, with the dialog or with what is wrong."""
    call = request.call  # type: ignore[attr-defined]
    asked = reading.read_details(call, request=number)
    if request.method != "POST":
        return _show(request, asked, ReviewForm(call=call), asking=decision.key)
    known = _known_refusal(call, asked, decision) if request.FILES else None
    form = ReviewForm(request.POST, None if known else request.FILES, call=call)
    if known is not None:
        operations.refuse(call, decision.operation, known, target=asked)
        form.add_error(None, known.sentence)
        return _show(request, asked, form)
    if not form.is_valid():
        return _show(request, asked, form)
    if SURE not in request.POST:
        return _show(request, asked, form, asking="" if BACK in request.POST else decision.key)
    entered = form.cleaned_data
    done = pages.attempt(
        form, lambda: decision.do(call, request=number, comment=entered["comment"], uploads=entered["files"])
    )
    if done is None:
        return _show(request, reading.read_details(call, request=number), form)
    messages.success(request, decision.done)
    return redirect(asked.get_seller_url())


def _known_refusal(call: Any, asked: Request, decision: Decision) -> Refused | None:
    """Why files are refused before they are looked at; a form that was done before gives its answer again."""
    if operations.is_replay(call, decision.operation):
        return None
    return reviewing.why_not(asked, at=call.at) or operations.may(call, decision.operation, asked)


def _show(request: HttpRequest, asked: Request, form: ReviewForm, *, asking: str = "") -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    at = call.at
    details = details_of(asked, at=at, with_refunds=False)
    flow = flow_of(asked.line)
    refused = {
        each.key: details.refused_review or operations.may(call, each.operation, asked) for each in (AGREE, REJECT)
    }
    context = {
        "page": {
            "title": asked.order.product.label,
            "console": "seller",
            "breadcrumbs": [(_("Unsubscriptions"), reverse("unsubscriptions:seller_list"))],
        },
        "asked": asked,
        "details": details,
        "renewals": renewals_of(asked, at=at),
        "product": asked.order.product,
        "flow": flow,
        "banner": seller_details.banner(details, at=at),
        "outcome": seller_details.outcome(details),
        "timeline": seller_details.timeline(details, at=at),
        "files": seller_details.files_of(details),
        "form": form,
        "agreeing": seller_details.agreeing(details),
        "rejecting": seller_details.rejecting(asked),
        "may_review": details.refused_review is None,
        "refused_agree": refused["agree"],
        "refused_reject": refused["reject"],
        "asking": asking if asking and refused[asking] is None else "",
        "agree_url": reverse("unsubscriptions:agree", args=[asked.number]),
        "reject_url": reverse("unsubscriptions:reject", args=[asked.number]),
    }
    response = pages.render(request, TEMPLATE, context, status=422 if form.errors else 200)
    add_never_cache_headers(response)
    return response
