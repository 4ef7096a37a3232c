"""The buyer asks to unsubscribe, follows the request, takes it back, reminds the seller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from billing.queries import live_invoices
from koogallery.kernel import operations, pages
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.queries.refund_timeline import given_back_by, place_of, timeline
from orders.states import OrderState
from unsubscriptions.forms import BuyerForm
from unsubscriptions.models import Request
from unsubscriptions.operations import reading, requesting
from unsubscriptions.queries.details import renewals_of
from unsubscriptions.queries.entries import OPERATION, entry_of, returned
from unsubscriptions.queries.requests import flow_of, own_line
from unsubscriptions.queries.standing import order_state, standing_of
from unsubscriptions.rules.waiting import recommends_appeal
from unsubscriptions.states import PayoutState, RequestState

LIST = "unsubscriptions:list"
SURE, BACK = "sure", "back"


def page_of(title: str, *above: tuple[str, str]) -> dict[str, Any]:
    """The frame of a page below My Unsubscriptions."""
    trail = [(_("My Unsubscriptions"), reverse(LIST)), *above]
    return {"title": title, "console": "buyer", "breadcrumbs": trail}


# Asking


@page(audience="buyer", operations=[OPERATION])
def new(request: HttpRequest, line: str) -> HttpResponse:
    """Unsubscribe: the form, and the dialog that repeats it."""
    call = request.call  # type: ignore[attr-defined]
    found = own_line(call, line)
    standing = standing_of(found, account=call.account, at=call.at)
    refused = operations.may(call, OPERATION, found) or requesting.why_not(standing)
    posted = request.method == "POST"
    form = BuyerForm(request.POST if posted else None, limit=standing.limit)
    asking = False
    if posted and form.is_valid():
        if SURE in request.POST:
            asked = pages.attempt(form, lambda: _request(call, line, form))
            if asked is not None:
                messages.success(request, _("Your request is sent. The seller answers it."))
                return redirect(asked.get_absolute_url())
        elif form.is_within_limit():
            asking = BACK not in request.POST
    if posted and refused is not None and SURE not in request.POST:
        form.refuse(refused)
        asking = False
    context = {
        "page": page_of(_("Unsubscribe")),
        "line": found,
        "order": found.order,
        "product": found.order.product,
        "limit": standing.limit,
        "renewals": standing.renewals,
        "refund_hours": found.order.policies["refund.sla_hours"],
        "form": form,
        "asking": asking,
        "refused": refused if not posted else None,
        **(_way_out(refused, [found, *(each.line for each in standing.renewals)]) if refused is not None else {}),
    }
    response = pages.render(request, "unsubscriptions/new.html", context, status=422 if form.errors else 200)
    add_never_cache_headers(response)
    return response


def _request(call: Any, line: str, form: BuyerForm) -> Request:
    entered = form.cleaned_data
    return requesting.request(
        call,
        line=line,
        amount=entered["amount"],
        reason=entered["reason"],
        text=entered["text"],
        contact=entered["contact"],
    )


def _way_out(refused: Refused, lines: list[Any]) -> dict[str, str]:
    """Where one goes on when it cannot be unsubscribed now."""
    if refused.code == "unsub_open":
        return {
            "way_out": reverse("unsubscriptions:detail", args=[refused.params["number"]]),
            "way_out_label": _("View request"),
        }
    if refused.code == "unsub_invoiced":
        invoices = live_invoices([line.number for line in lines]).values()
        invoice = next((each for each in invoices if each.number == refused.params["number"]), None)
        return {"way_out": invoice.url, "way_out_label": _("Return the invoice")} if invoice is not None else {}
    if refused.code == "unsub_image":
        return {"way_out": f"{reverse(LIST)}?tab=images", "way_out_label": _("Images")}
    return {}


# One request


@page(
    audience="buyer",
    operations=["queryUnsubscriptionDetail", "withdrawUnsubscription", "remindUnsubscription", OPERATION],
)
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One request and its refund."""
    call = request.call  # type: ignore[attr-defined]
    asked = reading.read_details(call, request=number)
    payout = getattr(asked, "payout", None) if asked.state == RequestState.AGREED else None
    parts = given_back_by(payout.order.number) if payout is not None else ()
    flow = flow_of(asked.line)
    stands = asked.is_open and flow is not None and flow.stopped_at(call.at) is not None
    asked.order.line = asked.line
    state = order_state(asked.order, flow, call.at)
    again = None if asked.is_open or payout is not None else entry_of(call, asked.order, state=state)
    policies = asked.order.policies
    context = {
        "page": page_of(asked.order.product.label),
        "asked": asked,
        "order": asked.order,
        "is_completed": state is OrderState.COMPLETED,
        "product": asked.order.product,
        "flow": flow,
        "stands": stands,
        "payout": payout,
        "renewals": renewals_of(asked, at=call.at),
        "is_late": payout is not None and payout.is_late(call.at),
        "is_done": payout is not None and payout.state == PayoutState.DONE,
        "parts": [{"place": place_of(part), "money": part.money, "status": part.status} for part in parts],
        "entries": timeline([returned(asked)], parts, at=call.at),
        "files": [
            {
                "name": each.file.name,
                "size": each.file.size,
                "url": reverse("unsubscriptions:file", args=[asked.number, each.file.number]),
            }
            for each in asked.files.select_related("file")
        ],
        "recommends_appeal": asked.is_open
        and not stands
        and flow is not None
        and recommends_appeal(turn_since=asked.turn_since, at=call.at, policies=policies),
        "silence_days": policies["appeal.silence_hours"] // 24,
        "refund_hours": policies["refund.sla_hours"],
        "again": again,
        "withdrawing": withdrawing(asked),
        "reminding": _reminding(asked),
        "may_withdraw": _why_not_withdraw(call, asked),
        "may_remind": _why_not_remind(call, asked),
    }
    return pages.render(request, "unsubscriptions/detail.html", context)


def _why_not_withdraw(call: Any, asked: Request) -> Refused | None:
    return requesting.why_not_withdraw(asked) or operations.may(call, "withdrawUnsubscription", asked)


def _why_not_remind(call: Any, asked: Request) -> Refused | None:
    return requesting.why_not_remind(asked, at=call.at) or operations.may(call, "remindUnsubscription", asked)


@page(audience="buyer", operations=["queryUnsubscriptionDetail", "withdrawUnsubscription"])
def withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Take a request back."""
    call = request.call  # type: ignore[attr-defined]
    asked = reading.read_details(call, request=number)
    return _act(
        request,
        asked,
        lambda: requesting.withdraw(call, request=number),
        title=_("Withdraw the request"),
        text=withdrawing(asked),
        done=_("The request is withdrawn. The order goes on."),
        why_not=lambda: _why_not_withdraw(call, asked),
    )


def withdrawing(asked: Request) -> str:
    """What taking a request back does, naming it."""
    return _(
        "You withdraw the request %(number)s about %(product)s for %(amount)s. The order goes on, and while it is "
        "not completed you can ask again."
    ) % {"number": asked.number, "product": asked.order.product.label, "amount": asked.money}


@page(audience="buyer", operations=["queryUnsubscriptionDetail", "remindUnsubscription"])
def remind(request: HttpRequest, number: str) -> HttpResponse:
    """Remind the seller."""
    call = request.call  # type: ignore[attr-defined]
    asked = reading.read_details(call, request=number)
    return _act(
        request,
        asked,
        lambda: requesting.remind(call, request=number),
        title=_("Remind seller"),
        text=_reminding(asked),
        done=_("The seller is reminded."),
        why_not=lambda: _why_not_remind(call, asked),
    )


def _reminding(asked: Request) -> str:
    """What a reminder does, naming the request."""
    return _(
        "%(seller)s gets a message about your request %(number)s, %(product)s. You can remind the seller once a day."
    ) % {"seller": asked.seller.label, "number": asked.number, "product": asked.order.product.label}


def _act(
    request: HttpRequest,
    asked: Request,
    do: Callable[[], Request],
    *,
    title: str,
    text: str,
    done: str,
    why_not: Callable[[], Refused | None],
) -> HttpResponse:
    """A page that asks before something is done; done, it leads back to the request."""
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and pages.attempt(form, do) is not None:
        messages.success(request, done)
        return redirect(asked.get_absolute_url())
    context = {
        "page": page_of(title, (asked.order.product.label, asked.get_absolute_url())),
        "asked": asked,
        "text": text,
        "form": form,
        "refused": why_not() if request.method != "POST" else None,
        "back": asked.get_absolute_url(),
    }
    response = pages.render(request, "unsubscriptions/detail_act.html", context, status=422 if form.errors else 200)
    add_never_cache_headers(response)
    return response
