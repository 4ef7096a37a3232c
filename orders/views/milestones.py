"""Paying an order with milestones: its milestones confirmed once more, then monthly settlement confirmed (G25 1.1)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import queries as billing
from koogallery.kernel import operations, pages
from koogallery.kernel.calls import Call
from koogallery.kernel.reasons import Refused
from orders.forms import MonthlyForm
from orders.models import Order
from orders.operations import paying
from orders.states import PaidBy
from orders.views.orders import same_again_url

SALT = "orders.milestones"
LONGEST_PROOF = 400


def proof_of(call: Call, order: Order) -> str:
    """What a page carries once this user has confirmed the milestones of an order."""
    return signing.Signer(salt=SALT).sign_object([order.number, call.user_id])


def is_proof(carried: str, call: Call, order: Order) -> bool:
    """Whether a request carries it."""
    try:
        return bool(signing.Signer(salt=SALT).unsign_object(carried[:LONGEST_PROOF]) == [order.number, call.user_id])
    except signing.BadSignature:
        return False


def pay(request: HttpRequest, order: Order, *, refused: Refused | None = None) -> HttpResponse:
    """The payment page of an unpaid order with milestones: **Pay** below its milestones, then **Confirm**."""
    call: Call = request.call  # type: ignore[attr-defined]
    address = reverse("orders:pay", args=[order.number])
    if request.method == "POST" and "pay" in request.POST:
        return redirect(f"{address}?{urlencode({'confirmed': proof_of(call, order)})}")
    carried = (request.POST or request.GET).get("confirmed", "")
    is_confirmed = is_proof(carried, call, order)
    if request.method == "POST" and request.POST.get("method") == PaidBy.MONTHLY:
        try:
            paying.confirm_milestones(call, order=order.number, confirmed=is_confirmed)
        except Refused as why:
            refused = why
        if refused is None or refused.code == "order_already_paid":
            return redirect(reverse("orders:result", args=[order.number]))
    form = MonthlyForm(request.POST if request.method == "POST" else None)
    if refused is not None:
        form.is_valid()
        form.errors.clear()
        form.add_error(None, ValidationError(refused.sentence, code=refused.code))
    milestones = [each.milestone for each in billing.milestones_of(order.number)]
    context = {
        "page": {
            "title": _("Pay order"),
            "console": "buyer",
            "breadcrumbs": [(_("Unpaid Orders"), reverse("orders:unpaid")), (order.number, order.get_absolute_url())],
        },
        "order": order,
        "line": order.line,
        "form": form,
        "parts": milestones,
        "due_days": order.policies["milestone.due_days"],
        "is_confirmed": is_confirmed,
        "carried": carried if is_confirmed else "",
        "is_payable": order.is_payable(call.at),
        "state": order.shown_state(call.at),
        "same_again": same_again_url(order),
        "refused": operations.may(call, "confirmMilestoneOrder", order),
    }
    return pages.render(request, "orders/pay_milestones.html", context)
