"""A page on which a party does something with a flow: it says what happens, keeps what was entered, names refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers

from koogallery.kernel import files, operations, pages
from koogallery.kernel.reasons import Refused
from supervision.models import Flow
from supervision.states import Actor
from supervision.views import details

TEMPLATE = "supervision/act.html"
SURE, BACK = "sure", "back"
AnyForm = TypeVar("AnyForm", bound=forms.BaseForm)


@dataclass(frozen=True, slots=True)
class Act:
    """What is done: its title, the sentence that says what happens, the label of the button, the words when done.

    One that `asks` is done once its dialog was answered with OK; until then its form is shown again, with the dialog.
    """

    title: str
    text: str
    label: str
    done: str
    danger: bool = False
    asks: bool = False
    template: str = TEMPLATE
    context: dict[str, Any] = field(default_factory=dict)


def filled(request: HttpRequest, kind: type[AnyForm], **more: Any) -> AnyForm:
    """The form of the page, with what was posted."""
    posted = request.method == "POST"
    return kind(request.POST if posted else None, request.FILES if posted else None, **more)


def _known_refusal(request: HttpRequest, operation: str, why_not: Callable[[], Refused | None]) -> Refused | None:
    """Why a form with files is refused before they are looked at; a form that was done before gives its answer."""
    if not operation or operations.is_replay(request.call, operation):  # type: ignore[attr-defined]
        return None
    return why_not()


def named(flow: Flow) -> dict[str, str]:
    """What the sentence of an act names."""
    return {"product": flow.order.product.label, "order": flow.order_number}


def answer(
    request: HttpRequest,
    flow: Flow,
    form: forms.Form,
    do: Callable[[], Any],
    *,
    party: Actor,
    act: Act,
    why_not: Callable[[], Refused | None],
    operation: str = "",
    too_many: Refused | None = None,
) -> HttpResponse:
    """Do it for a valid form and lead back to the flow; else show the form, or why it cannot be done.

    Where files are sent, `operation` is named: when it would be refused, none of them is stored. Nor are they when it
    is asked for `too_many` times; then the form comes back with what was typed.
    """
    refused, asking = None, False
    if request.method == "POST" and too_many is not None:
        files.refuse_form(form, too_many)
    elif request.method == "POST" and request.FILES and (known := _known_refusal(request, operation, why_not)):
        operations.refuse(request.call, operation, known, target=flow)  # type: ignore[attr-defined]
        files.refuse_form(form, known)
    elif request.method == "POST":
        is_valid = form.is_valid()
        asking = act.asks and is_valid and SURE not in request.POST and form.is_complete  # type: ignore[attr-defined]
        if is_valid and not asking and pages.attempt(form, do) is not None:
            messages.success(request, act.done)
            return redirect(details.address(flow, party))
    else:
        refused = why_not()
    context = {
        "page": details.page_of(flow, party, act.title),
        "flow": flow,
        "product": flow.order.product,
        "act": act,
        "form": form,
        "refused": refused,
        "asking": asking and BACK not in request.POST,
        "back": details.address(flow, party),
        **act.context,
    }
    status = too_many.reason.status if too_many is not None else 422 if form.errors else 200
    response = pages.render(request, act.template, context, status=status)
    add_never_cache_headers(response)
    return response
