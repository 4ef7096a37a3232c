"""What both parties do: initiate an appeal, withdraw it, write to each other."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from koogallery.kernel import operations, rates
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from supervision.forms import AppealForm, MessageForm
from supervision.operations import appealing, reading, reminding
from supervision.queries.flows import undecided_appeal
from supervision.states import Actor
from supervision.views import acting
from supervision.views.acting import Act

MESSAGES_A_MINUTE = 10
"""Of one user in one flow."""
READS = "queryDeliveryProcess"


def _initiate(request: HttpRequest, number: str, party: Actor) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    flow = reading.query_delivery_process(call, flow=number)
    form = acting.filled(request, AppealForm, call=call)
    days = flow.policies["appeal.decision_working_days"]
    return acting.answer(
        request,
        flow,
        form,
        lambda: appealing.initiate(
            call, flow=number, reason=form.cleaned_data["reason"], uploads=form.cleaned_data["files"]
        ),
        party=party,
        act=Act(
            title=_("Initiate Appeal"),
            text=_(
                "The service flow of %(product)s, order %(order)s, is frozen, and an operations manager decides within "
                "%(days)s working days. You can withdraw the appeal until it is decided."
            )
            % {**acting.named(flow), "days": days},
            label=_("OK"),
            done=_("The appeal is initiated. An operations manager decides."),
        ),
        why_not=lambda: (
            appealing.why_not(flow, party=party, at=call.at) or operations.may(call, "initiateAppeal", flow)
        ),
        operation="initiateAppeal",
    )


def _withdraw(request: HttpRequest, number: str, party: Actor) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    flow = reading.query_delivery_process(call, flow=number)
    form = acting.filled(request, forms.Form)

    def why_not() -> Refused | None:
        appeal = undecided_appeal(flow)
        if appeal is None:
            return Refused("appeal_none")
        if appeal.filed_by != party:
            return Refused("appeal_not_yours")
        return operations.may(call, "withdrawAppeal", flow)

    return acting.answer(
        request,
        flow,
        form,
        lambda: appealing.withdraw(call, flow=number),
        party=party,
        act=Act(
            title=_("Withdraw appeal"),
            text=_(
                "You withdraw your appeal about %(product)s, order %(order)s. The service flow goes on exactly where "
                "it stood."
            )
            % acting.named(flow),
            label=_("OK"),
            done=_("The appeal is withdrawn."),
        ),
        why_not=why_not,
    )


def _message(request: HttpRequest, number: str, party: Actor) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    flow = reading.query_delivery_process(call, flow=number)
    is_within = request.method != "POST" or rates.is_within(
        what="supervision-message", who=f"{flow.number}:{call.user_id}", per_minute=MESSAGES_A_MINUTE
    )
    form = acting.filled(request, MessageForm, call=call)
    return acting.answer(
        request,
        flow,
        form,
        lambda: reminding.send_message(
            call, flow=number, text=form.cleaned_data["text"], uploads=form.cleaned_data["files"]
        ),
        party=party,
        act=Act(
            title=_("Write a message"),
            text=_("The other side gets your message about %(product)s, order %(order)s.") % acting.named(flow),
            label=_("Send"),
            done=_("The message is sent."),
        ),
        why_not=lambda: operations.may(call, "sendSupervisionMessage", flow),
        operation="sendSupervisionMessage",
        too_many=None if is_within else Refused("messages_too_many"),
    )


@page(audience="buyer", operations=[READS, "initiateAppeal"])
def initiate(request: HttpRequest, number: str) -> HttpResponse:
    """Initiate an appeal as the buyer."""
    return _initiate(request, number, Actor.BUYER)


@page(audience="seller", operations=[READS, "initiateAppeal"])
def seller_initiate(request: HttpRequest, number: str) -> HttpResponse:
    """Initiate an appeal as the seller."""
    return _initiate(request, number, Actor.SELLER)


@page(audience="buyer", operations=[READS, "withdrawAppeal"])
def withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Take one's appeal back as the buyer."""
    return _withdraw(request, number, Actor.BUYER)


@page(audience="seller", operations=[READS, "withdrawAppeal"])
def seller_withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Take one's appeal back as the seller."""
    return _withdraw(request, number, Actor.SELLER)


@page(audience="buyer", operations=[READS, "sendSupervisionMessage"])
def message(request: HttpRequest, number: str) -> HttpResponse:
    """Write to the seller."""
    return _message(request, number, Actor.BUYER)


@page(audience="seller", operations=[READS, "sendSupervisionMessage"])
def seller_message(request: HttpRequest, number: str) -> HttpResponse:
    """Write to the customer."""
    return _message(request, number, Actor.SELLER)
