"""What a buyer does with a service flow: submit a request, accept, reject, remind the seller."""

from __future__ import annotations

from pathlib import PurePosixPath

from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from koogallery.kernel import operations
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing
from supervision.forms import ReasonForm, RequestForm
from supervision.models import Flow
from supervision.operations import accepting, reading, reminding, requesting
from supervision.queries.history import latest_request
from supervision.states import Actor, MoveName
from supervision.views import acting, details
from supervision.views.acting import Act


@page(audience="buyer", operations=["queryDeliveryProcess", "submitRequirement"])
def submit(request: HttpRequest, number: str) -> HttpResponse:
    """Submit the request, or change it after the seller rejected it."""
    flow = reading.query_delivery_process(request.call, flow=number)
    earlier = latest_request(flow)
    form = acting.filled(
        request,
        RequestForm,
        call=request.call,
        initial={"description": earlier.comment if earlier else ""},
        needs_attachment=requesting.needs_attachment(flow),
    )
    return acting.answer(
        request,
        flow,
        form,
        lambda: requesting.submit_request(
            request.call, flow=number, description=form.cleaned_data["description"], uploads=form.cleaned_data["files"]
        ),
        party=Actor.BUYER,
        act=Act(
            title=_("Submit Request"),
            text=_(
                "%(seller)s gets your request for %(product)s, order %(order)s, and accepts or rejects it. You can "
                "change it only if the seller rejects it."
            )
            % {"seller": flow.seller.label, **acting.named(flow)},
            label=_("Submit request"),
            done=_("Your request is submitted."),
            asks=True,
            template="supervision/request.html",
            context={"request_template": flow.order.product.request_template},
        ),
        why_not=lambda: details.why_not(request.call, flow, "submitRequirement", MoveName.SUBMIT_REQUEST),
        operation="submitRequirement",
    )


@page(audience="buyer", operations=["queryDeliveryProcess"])
def template(request: HttpRequest, number: str) -> HttpResponseBase:
    """The seller's template of a request, as a download."""
    flow = reading.query_delivery_process(request.call, flow=number)
    kept = flow.order.product.request_template
    if not kept or not kept.storage.exists(kept.name):
        raise Missing(f"template of {number}")
    name = f"{flow.order.product_code}-request{PurePosixPath(kept.name).suffix}"
    return FileResponse(
        kept.open("rb"),
        as_attachment=True,
        filename=name,
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"},
    )


@page(audience="buyer", operations=["queryDeliveryProcess", "confirmAcceptance"])
def accept(request: HttpRequest, number: str) -> HttpResponse:
    """Accept what was delivered."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, forms.Form)
    return acting.answer(
        request,
        flow,
        form,
        lambda: accepting.accept(request.call, flow=number),
        party=Actor.BUYER,
        act=Act(
            title=_("Accept Service"),
            text=details.accept_text(flow),
            label=_("OK"),
            done=_("The milestone is accepted.") if not flow.is_last_part else _("The service is accepted."),
        ),
        why_not=lambda: details.why_not(request.call, flow, "confirmAcceptance", _acceptance_of(flow)),
    )


def _acceptance_of(flow: Flow) -> MoveName:
    return MoveName.ACCEPT if flow.is_last_part else MoveName.ACCEPT_PART


@page(audience="buyer", operations=["queryDeliveryProcess", "rejectDelivery"])
def reject(request: HttpRequest, number: str) -> HttpResponse:
    """Give the delivery back to the seller, with a reason."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, ReasonForm)
    return acting.answer(
        request,
        flow,
        form,
        lambda: accepting.reject(request.call, flow=number, reason=form.cleaned_data["reason"]),
        party=Actor.BUYER,
        act=Act(
            title=_("Reject Service"),
            text=_(
                "You reject the delivery of %(product)s, order %(order)s. The seller has to deliver again and sees "
                "your reason."
            )
            % acting.named(flow),
            label=_("OK"),
            done=_("The delivery is rejected. The seller was told."),
            danger=True,
        ),
        why_not=lambda: details.why_not(request.call, flow, "rejectDelivery", MoveName.REJECT),
    )


@page(audience="buyer", operations=["queryDeliveryProcess", "remindSeller"])
def remind(request: HttpRequest, number: str) -> HttpResponse:
    """Remind the seller that it is its turn."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, forms.Form)
    return acting.answer(
        request,
        flow,
        form,
        lambda: reminding.remind(request.call, flow=number),
        party=Actor.BUYER,
        act=Act(
            title=_("Remind seller"),
            text=_("%(seller)s gets a message and a mail about %(product)s, order %(order)s.")
            % {"seller": flow.seller.label, **acting.named(flow)},
            label=_("OK"),
            done=_("The seller is reminded."),
        ),
        why_not=lambda: (
            reminding.why_not(flow, at=request.call.at) or operations.may(request.call, "remindSeller", flow)
        ),
    )
