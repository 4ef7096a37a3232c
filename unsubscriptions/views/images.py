"""Unsubscribing images by formula, and renewals that have not started."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.queries import live_invoices
from koogallery import clock
from koogallery.kernel import display, operations, pages, policies
from koogallery.kernel.addresses import Address
from koogallery.kernel.lists import Action, Column, DateRangeFilter, Empty, ListPage, Search, actions
from koogallery.kernel.money import Money
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.queries.renewing import status_now, unpaid_number
from orders.queries.resources import own_resource
from orders.states import ExpirationPolicy, ResourceStatus
from unsubscriptions.models import Request
from unsubscriptions.operations import images
from unsubscriptions.queries.images import Case, case_of
from unsubscriptions.rules.images import LARGE, ImageRefund
from unsubscriptions.states import Kind, Way
from unsubscriptions.views.requests import BACK, SURE

IMAGE, RENEWAL = "unsubscribeImage", "unsubscribeRenewal"
EXPECTED = "expected"
_PLAIN = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,4})?")
_IMAGE, _RENEWAL, _ORDER = (
    Address("unsubscriptions:image"),
    Address("unsubscriptions:renewal"),
    Address("orders:detail"),
)


# The tab Images


def _read_refusals(rows: Sequence[Any], request: HttpRequest) -> None:
    """Where each image of a page stands now, and what its row tells against it; the page says the rest."""
    call = request.call  # type: ignore[attr-defined]
    in_force = policies.in_force(call.at)
    for row in rows:
        row.shown = status_now(row, at=call.at, in_force=in_force)
        row.refused, row.refused_renewal = row_refusals(row, call)


def row_refusals(row: Any, call: Any) -> tuple[Refused | None, Refused | None]:
    """What a row tells against unsubscribing its image, and its renewal alone."""
    if (refused := _row_refused(row, call)) is not None:
        return refused, refused
    negotiated = Refused("unsub_negotiated") if row.agreed_way == Way.NEGOTIATED else None
    return negotiated or operations.may(call, IMAGE, row), operations.may(call, RENEWAL, row)


def _row_refused(row: Any, call: Any) -> Refused | None:
    if call.account is not None and call.account.is_frozen:
        return Refused("account_frozen")
    if row.shown is not ResourceStatus.ENABLED:
        return Refused("unsub_expired")
    if unpaid := unpaid_number(row, call.at):
        return Refused("unsub_busy", order=unpaid)
    if row.agreed_way == Way.NEVER:
        return Refused("unsub_by_agreement")
    return Refused("unsub_open", number=row.unsub_number) if row.unsub_number else None


def _row_actions(row: Any, request: HttpRequest) -> list[Action]:
    found = [Action(_("Unsubscribe"), _IMAGE(row.number), refused=row.refused)]
    if row.has_renewal:
        found.append(Action(_("Unsubscribe renewal"), _RENEWAL(row.number), refused=row.refused_renewal))
    return found


def _product(row: Any) -> SafeString:
    product = row.product
    logo = product.logo.url if product.logo else ""
    return display.product_html(product.label, url=product.get_absolute_url(), logo_url=logo, note=row.specification)


IMAGES = ListPage(
    name="unsubscriptions",
    caption=gettext_lazy("My Unsubscriptions"),
    columns=(
        Column(
            "product",
            gettext_lazy("Product"),
            html=_product,
            csv="product.label",
            sort="product_name",
            strong=True,
            hideable=False,
        ),
        Column(
            "order",
            gettext_lazy("Order No."),
            value="order_number",
            link=lambda row: _ORDER(row.order_number),
            sort="order_number",
            mono=True,
        ),
        Column("status", gettext_lazy("Status"), value="shown"),
        Column("enabled", gettext_lazy("Enabled"), value="enabled_at", sort="enabled_at"),
        Column("expires", gettext_lazy("Expires"), value="expires_at", sort="expires_at"),
        Column(
            "resource",
            gettext_lazy("Resource ID"),
            value="number",
            link=lambda row: row.get_absolute_url(),
            sort="number",
            mono=True,
            shown=False,
        ),
        actions(_row_actions),
    ),
    filters=(DateRangeFilter("enabled", gettext_lazy("Enabled"), field="enabled_at"),),
    search=Search(
        ("number", "order_number", "product_name", "product__name_zh", "spec_text"),
        placeholder=gettext_lazy("Resource ID, order No., product"),
    ),
    default_sort="-enabled",
    prepare=_read_refusals,
    empty=Empty(
        gettext_lazy("No images"),
        gettext_lazy("Yearly/monthly images in use appear here. Pay-per-use images cannot be unsubscribed."),
        gettext_lazy("Purchased Apps"),
        "/console/apps/",
    ),
)


# One image


@dataclass(frozen=True, slots=True)
class _Act:
    """What is given back on a page: the whole image, or its last renewal alone."""

    kind: Kind
    title: str
    operation: str
    refund: ImageRefund | None
    why_not: Refused | None
    do: Callable[..., Request]


@page(audience="buyer", operations=[IMAGE, RENEWAL])
def image(request: HttpRequest, resource: str) -> HttpResponseBase:
    """What unsubscribing an image gives back, and the confirmation."""
    case = _case(request, resource)
    act = _Act(Kind.IMAGE, _("Unsubscribe"), IMAGE, case.refund, images.why_not(case), images.unsubscribe)
    return _answer(request, case, act)


@page(audience="buyer", operations=[RENEWAL])
def renewal(request: HttpRequest, resource: str) -> HttpResponseBase:
    """The last renewal of an image alone, as long as it has not started."""
    case = _case(request, resource)
    title = _("Unsubscribe renewal")
    why_not = images.why_not_renewal(case)
    act = _Act(Kind.RENEWAL, title, RENEWAL, case.renewal, why_not, images.unsubscribe_renewal)
    return _answer(request, case, act)


def _case(request: HttpRequest, number: str) -> Case:
    call = request.call  # type: ignore[attr-defined]
    return case_of(own_resource(call, number), account=call.account, at=call.at)


def _answer(request: HttpRequest, case: Case, act: _Act) -> HttpResponse:
    call, resource = request.call, case.resource  # type: ignore[attr-defined]
    posted = request.method == "POST"
    refused = operations.may(call, act.operation, resource) or act.why_not
    fault: Refused | None = refused if posted and SURE not in request.POST else None
    if posted and SURE in request.POST:
        try:
            asked = act.do(call, resource=resource.number, expected=_expected(request, act, resource))
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            fault = why
        else:
            messages.success(request, _done(act, asked))
            return redirect(asked.get_absolute_url())
    changed = fault is not None and fault.code == "unsub_refund_changed"
    stays = refused or (fault if not changed else None)
    context = {
        "page": _frame(act.title),
        "resource": resource,
        "product": resource.product,
        "act": act,
        "is_renewal": act.kind is Kind.RENEWAL,
        "refund": act.refund,
        "renewal": case.renewal if act.kind is Kind.IMAGE else None,
        "expires_then": case.refund.terms[-2].term.expires_at if _leaves_terms(case, act) else None,
        "renews_itself": resource.expiration_policy == ExpirationPolicy.AUTO,
        "free": _free(case, call.at) if act.kind is Kind.IMAGE else None,
        "large": Money(LARGE, act.refund.amount.currency) if act.refund is not None and act.refund.is_large else None,
        "refund_hours": resource.line.order.policies["refund.sla_hours"],
        "refused": stays,
        "changed": fault if changed else None,
        "asking": posted and stays is None and BACK not in request.POST,
        **(_way_out(stays, case) if stays is not None else {}),
    }
    status = 200 if fault is None else fault.reason.status
    response = pages.render(request, "unsubscriptions/image.html", context, status=status)
    add_never_cache_headers(response)
    return response


def _frame(title: str) -> dict[str, Any]:
    trail = [(_("My Unsubscriptions"), f"{reverse('unsubscriptions:list')}?tab=images")]
    return {"title": title, "console": "buyer", "breadcrumbs": trail}


def _expected(request: HttpRequest, act: _Act, resource: Any) -> Money:
    """The refund that the form showed; an amount that cannot be read is one that was not shown."""
    currency = act.refund.amount.currency if act.refund is not None else resource.line.currency
    shown = request.POST.get(EXPECTED, "")
    return Money(Decimal(shown if _PLAIN.fullmatch(shown) else 0), currency)


def _leaves_terms(case: Case, act: _Act) -> bool:
    return act.kind is Kind.RENEWAL and case.refund is not None and len(case.refund.terms) > 1


def _free(case: Case, at: Any) -> dict[str, Any] | None:
    """What the page says of the free days: until when, and how many of the year are left."""
    if not case.free.is_open(at):
        return None
    return {
        "until": case.free.until,
        "days": case.free.days,
        "time": case.free.used + 1,
        "per_year": case.free.per_year,
        "year": clock.platform_date(at).year,
        "is_free": case.refund is not None and case.refund.is_free,
    }


def _done(act: _Act, asked: Request) -> str:
    named = {"product": asked.order.product.label, "amount": asked.money}
    if act.kind is Kind.RENEWAL:
        return _("The renewal of %(product)s is unsubscribed. Refund: %(amount)s.") % named
    return _("You are unsubscribed from %(product)s. Refund: %(amount)s.") % named


def _way_out(refused: Refused, case: Case) -> dict[str, str]:
    """Where one goes on when it cannot be unsubscribed now."""
    if refused.code == "unsub_busy":
        return {"way_out": _ORDER(refused.params["order"]), "way_out_label": _("See the order")}
    if refused.code == "unsub_open":
        number = refused.params["number"]
        return {"way_out": reverse("unsubscriptions:detail", args=[number]), "way_out_label": _("View request")}
    if refused.code == "unsub_negotiated":
        line = case.resource.line.number
        return {"way_out": reverse("unsubscriptions:request", args=[line]), "way_out_label": _("Unsubscribe")}
    if refused.code == "unsub_invoiced":
        invoices = live_invoices(list(case.lines)).values()
        invoice = next((each for each in invoices if each.number == refused.params["number"]), None)
        return {"way_out": invoice.url, "way_out_label": _("Return the invoice")} if invoice is not None else {}
    return {}
