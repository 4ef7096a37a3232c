"""Changing the specification of a running SaaS resource: Upgrade or Expansion within its term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import queries as billing
from billing.rules.explanation import Explanation
from catalog.queries import Configuration
from koogallery.kernel import operations, pages, policies
from koogallery.kernel.pages import page
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.models import Resource
from orders.operations import placing, renewing, resources
from orders.queries import changing
from orders.queries import renewing as queries
from orders.queries.resources import own_resource
from orders.rules.quote import Quote, SignedQuote, open_quote, sign
from orders.states import OrderState

FIELDS = ("kind", "target", "quantity")


@page(audience="buyer", operations=["queryResourceDetail", "changeOrder"])
def change(request: HttpRequest, number: str) -> HttpResponse:
    """Choose an upgrade or an expansion, see its fee at once, and **Pay Now**."""
    call = request.call
    if request.method != "POST":
        return _show(request, _resource(request, number), {name: request.GET.get(name, "")[:120] for name in FIELDS})
    signed = SignedQuote.parse(request.POST.get("quote", ""))
    try:
        order = renewing.change(call, resource=number, quote=signed)
    except Refused as refused:
        if refused.code in ("form_key_missing", "quote_invalid"):
            raise
        quoted = open_quote(signed, account_id=call.account_id)
        return _show(request, own_resource(call, number), quoted.form, refused=refused, old=quoted)
    waits = order.state == OrderState.PENDING_PAYMENT
    return redirect(reverse("orders:pay" if waits else "orders:result", args=[order.number]))


def _resource(request: HttpRequest, number: str) -> Resource:
    """The resource; its details are read once with the page, not with every fee that is asked for on it."""
    call = request.call  # type: ignore[attr-defined]
    if not getattr(request, "htmx", None):
        return resources.read_details(call, resource=number)
    resource = own_resource(call, number)
    if (refused := operations.may(call, "queryResourceDetail", resource)) is not None:
        raise refused
    return resource


def _show(
    request: HttpRequest,
    resource: Resource,
    data: Mapping[str, str],
    *,
    refused: Refused | None = None,
    old: Quote | None = None,
) -> HttpResponse:
    """The page for one state of its form; `refused` is why the order of `old` was not placed."""
    call = request.call  # type: ignore[attr-defined]
    in_force = policies.in_force(call.at)
    blocked = queries.why_not_changeable(resource, at=call.at, in_force=in_force)
    context: dict[str, Any] = {
        "page": {
            "title": _("Change specification"),
            "console": "buyer",
            "breadcrumbs": [
                (_("Purchased Apps"), reverse("orders:apps")),
                (resource.product.label, resource.get_absolute_url()),
            ],
        },
        "resource": resource,
        "status": queries.status_now(resource, at=call.at, in_force=in_force),
        "product": resource.product,
        "current": resource.configured,
        "refused": refused,
        "old": old if refused is not None and refused.code in ("quote_changed", "change_meanwhile") else None,
        "is_reseller_customer": call.account.reseller_id is not None,
        "may_change": operations.may(call, "changeOrder", resource),
    }
    if blocked is None:
        try:
            context |= _priced(request, resource, data, in_force)
        except Refused as none_offered:
            blocked = none_offered
    context |= {"blocked": blocked, "unpaid": _unpaid(blocked)}
    return pages.render(
        request, "orders/change.html", context, fragment="change", status=409 if refused is not None else 200
    )


def _unpaid(blocked: Refused | None) -> str:
    """The number of the unpaid order that stands in the way."""
    return str(blocked.params["order"]) if blocked is not None and blocked.code == "renewal_order_unpaid" else ""


def _priced(request: HttpRequest, resource: Resource, data: Mapping[str, str], in_force: PolicySet) -> dict[str, Any]:
    """What can be chosen, and the fee of what is chosen or why it has none. Raises `Refused` when nothing can."""
    call = request.call  # type: ignore[attr-defined]
    options = changing.options_of(resource, data)
    try:
        quote = queries.change_quote(resource, form=options.form, at=call.at, in_force=in_force)
    except Refused as why:
        if options.quantity is not None:
            options = replace(options, quantity=replace(options.quantity, error=why.sentence))
        return {"options": options, "why_not": why}
    configuration = Configuration.from_json(quote.configuration)
    needs_method = placing.needs_payment_method(call.account, quote, configuration)
    return {
        "options": options,
        "quote": quote,
        "signed": {"quote": sign(quote).posted},
        "target": configuration,
        "explanation": Explanation.from_json(quote.explanation),
        "percent": f"{(quote.discount_share * 100).normalize():f}" if quote.discount_share != 1 else "",
        "lacks_method": needs_method and not billing.has_payment_method(call.account),
    }
