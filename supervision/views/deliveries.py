"""What a seller does with a service flow: accept or reject the request, deliver."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from koogallery.kernel.pages import page
from supervision.forms import DeliveryForm, ReasonForm
from supervision.operations import delivering, reading, requesting
from supervision.queries.history import latest_request
from supervision.states import Actor, MoveName
from supervision.views import acting, details
from supervision.views.acting import Act


@page(audience="seller", operations=["queryDeliveryProcess", "acceptRequirement"])
def accept_request(request: HttpRequest, number: str) -> HttpResponse:
    """Take the customer's request on."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, forms.Form)
    return acting.answer(
        request,
        flow,
        form,
        lambda: requesting.accept_request(request.call, flow=number),
        party=Actor.SELLER,
        act=Act(
            title=_("Accept Request"),
            text=_("You take the request for %(product)s, order %(order)s, on. The delivery is due from now on.")
            % acting.named(flow),
            label=_("OK"),
            done=_("The request is accepted. Deliver the service next."),
        ),
        why_not=lambda: details.why_not(request.call, flow, "acceptRequirement", MoveName.ACCEPT_REQUEST),
    )


@page(audience="seller", operations=["queryDeliveryProcess", "rejectRequirement"])
def reject_request(request: HttpRequest, number: str) -> HttpResponse:
    """Give the request back to the customer, with a reason."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, ReasonForm)
    return acting.answer(
        request,
        flow,
        form,
        lambda: requesting.reject_request(request.call, flow=number, reason=form.cleaned_data["reason"]),
        party=Actor.SELLER,
        act=Act(
            title=_("Reject Request"),
            text=_(
                "You give the request for %(product)s, order %(order)s, back. The customer sees your reason and can "
                "change the request."
            )
            % acting.named(flow),
            label=_("OK"),
            done=_("The request is rejected. The customer was told."),
            danger=True,
        ),
        why_not=lambda: details.why_not(request.call, flow, "rejectRequirement", MoveName.REJECT_REQUEST),
    )


@sensitive_post_parameters("password", "license_key")
@sensitive_variables("form")
@page(audience="seller", operations=["queryDeliveryProcess", "deliverService"])
def deliver(request: HttpRequest, number: str) -> HttpResponse:
    """Deliver, or ship: proof, enabling time, application information, license, comment."""
    flow = reading.query_delivery_process(request.call, flow=number)
    form = acting.filled(request, DeliveryForm, flow=flow, call=request.call)
    return acting.answer(
        request,
        flow,
        form,
        lambda: delivering.deliver(request.call, flow=number, delivery=form.delivery),
        party=Actor.SELLER,
        act=Act(
            title=_("Deliver Service"),
            text=_("The customer gets a message, checks what you deliver and accepts or rejects it."),
            label=_("Deliver Service"),
            done=_("The service is delivered. The customer was told."),
            template="supervision/deliver.html",
            context={"wanted": latest_request(flow), "milestone": details.milestone_text(flow)},
        ),
        why_not=lambda: details.why_not(request.call, flow, "deliverService", MoveName.DELIVER),
        operation="deliverService",
    )
