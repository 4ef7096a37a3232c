"""Auto-renewal of a resource: enable, modify, disable; what comes next, and why the last attempt failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing import queries as billing
from catalog.queries import changing
from catalog.queries.sheets import read_once
from koogallery import clock
from koogallery.identity.states import FrozenBy
from koogallery.kernel import display, operations, pages, policies
from koogallery.kernel.addresses import Address
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.forms_renewals import AutoRenewalForm
from orders.models import AutoRenewal, Resource, ResourceTerm
from orders.operations import auto_renewing
from orders.queries import renewals
from orders.queries import renewing as queries
from orders.views.life_bar import length_text
from orders.views.renewals import AUTO, AUTO_OFF, banner, disabling_warning, readable, trail

BILLING = "/console/billing/"
_ORDER = Address("orders:detail")
_REQUEST = Address("unsubscriptions:detail")
ASKED = ("length", "times", "days_before", "method")
_TOP_UP = (gettext_lazy("Top up"), BILLING)
_REPAY = (gettext_lazy("Repay"), BILLING)
_REPLACE_CARD = (gettext_lazy("Replace the card"), BILLING)
_OTHER_METHOD = (gettext_lazy("Choose another payment method."), "")
_BY_HAND = (gettext_lazy("Renew it by hand."), "")
CURES: Mapping[str, tuple[Any, str]] = {
    "autorenew_balance": _TOP_UP,
    "balance_too_low": _TOP_UP,
    "autorenew_credit": _REPAY,
    "credit_too_low": _REPAY,
    "autorenew_credit_overdue": _REPAY,
    "credit_overdue": _REPAY,
    "autorenew_card_gone": (gettext_lazy("Add a card"), BILLING),
    "card_unknown": (gettext_lazy("Add a card"), BILLING),
    "autorenew_card_declined": _REPLACE_CARD,
    "autorenew_card_expired": _REPLACE_CARD,
    "card_declined": _REPLACE_CARD,
    "autorenew_card_silent": _OTHER_METHOD,
    "reseller_pays": _OTHER_METHOD,
    "not_a_reseller_customer": _OTHER_METHOD,
    "account_frozen": (gettext_lazy("Ask operations."), ""),
    "autorenew_frozen_by_reseller": (gettext_lazy("Ask your reseller."), ""),
    "renewal_order_unpaid": (gettext_lazy("Pay or cancel the order"), "order"),
    "resource_unsub_open": (gettext_lazy("See the request"), "request"),
    "term_not_sold": (gettext_lazy("Choose another period."), ""),
    "autorenew_scope": _BY_HAND,
    "autorenew_not_supported": _BY_HAND,
    "renewal_no_term": (gettext_lazy("Nothing is to be done: it is no longer renewed."), ""),
    "renewal_not_in_use": (gettext_lazy("Nothing is to be done: it is no longer renewed."), ""),
}
"""What helps against each reason for which an attempt may fail, and where; `order` and `request` are their pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the last attempt failed, what helps, and when it is tried again."""

    refused: Refused
    failed_at: datetime | None
    cure: Any
    cure_url: str
    next_at: datetime | None


def failure(auto: AutoRenewal | None) -> Failure | None:
    """The failure of an auto-renewal as its pages show it; None when its last attempt did not fail."""
    refused = renewals.failure_of(auto)
    if auto is None or refused is None:
        return None
    cure, url = CURES.get(refused.code, ("", ""))
    if url == "order":
        url = _ORDER(refused.params["order"])
    elif url == "request":
        url = _REQUEST(refused.params["number"])
    return Failure(refused=refused, failed_at=auto.failed_at, cure=cure, cure_url=url, next_at=auto.next_attempt_at)


@page(
    audience="buyer",
    operations=["queryResourceDetail", "enableAutoRenewal", "disableAutoRenewal", "cancelRenewal"],
)
def auto_renewal(request: HttpRequest, number: str) -> HttpResponse:
    """Enable or modify the auto-renewal of a resource; the next deduction is shown before it is saved."""
    call = request.call  # type: ignore[attr-defined]
    with read_once():
        resource = readable(call, number)
        context, form = _context(request, resource)
        saves = request.method == "POST" and request.POST.get("do") != "show"
        valid = form is not None and form.is_bound and form.is_valid()
    if saves and form is not None and valid:
        chosen = form.chosen
        auto = pages.attempt(form, lambda: auto_renewing.enable(call, resource=number, chosen=chosen))
        if auto is not None:
            told = _("Auto-renewal of %(product)s is on. Next deduction: %(at)s.")
            at = display.moment_text(auto.next_attempt_at) if auto.next_attempt_at else _("none")
            messages.success(request, told % {"product": resource.product.label, "at": at})
            return redirect(resource.get_absolute_url())
    status = 422 if saves and form is not None and form.errors else 200
    return pages.render(request, "orders/auto_renewal.html", context, fragment="ahead", status=status)


def _context(request: HttpRequest, resource: Resource) -> tuple[dict[str, Any], AutoRenewalForm | None]:
    call = request.call  # type: ignore[attr-defined]
    in_force = policies.in_force(call.at)
    auto, is_on = renewals.automation_of(resource), renewals.is_automatic(resource)
    change = queries.waiting_change(resource)
    refused = (
        renewals.why_no_strategy(resource, at=call.at, in_force=in_force)
        or auto_renewing.why_not_automatic(resource, at=call.at, in_force=in_force)
        or _frozen(call.account)
    )
    context: dict[str, Any] = {
        "page": {"title": _("Auto-renewal"), "console": "buyer", "breadcrumbs": trail(resource=resource)},
        "resource": resource,
        "status": resource.status_at(call.at, in_force),
        "is_on": is_on,
        "auto": auto,
        "failure": failure(auto) if is_on else None,
        "refused": refused,
        "waiting": [banner(change, resource, call)] if change is not None else [],
        "may_enable": operations.may(call, "enableAutoRenewal", resource),
        "may_disable": operations.may(call, "disableAutoRenewal", resource),
        "disable_url": AUTO_OFF(resource.number),
        "disable_warning": disabling_warning(resource),
        "address": AUTO(resource.number),
    }
    if refused is not None:
        return context, None
    configuration, terms = resource.configured, queries.terms_of(resource)
    cycles = changing.cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)
    lengths = renewals.periods_for(renewals.lengths_for(resource, terms, cycles))
    if not lengths:
        return context | {"refused": Refused("term_not_sold")}, None
    methods = _methods(call.account)
    usual = auto.length if auto is not None and auto.length in lengths else renewals.usual_length(lengths, terms)
    initial = {
        "length": renewals.length_value(usual) if usual else "",
        "times": auto.left if auto is not None and is_on else None,
        "days_before": auto.days_before if auto is not None else in_force["autorenew.lead_days"],
        "method": auto.method if auto is not None else auto_renewing.default_method(call.account),
    }
    asked = request.POST if request.method == "POST" else request.GET if "length" in request.GET else None
    form = AutoRenewalForm(
        asked,
        initial=initial,
        lengths=[(renewals.length_value(each), length_text(each)) for each in lengths],
        days=_days(resource, in_force=in_force),
        methods=methods,
    )
    entered = {name: (asked.get(name, "") if asked is not None else initial[name]) for name in ASKED}
    context |= {"form": form, "ahead": _ahead(resource, entered, terms=terms, at=call.at, in_force=in_force)}
    return context, form


def _frozen(account: Any) -> Refused | None:
    """Why a frozen account cannot have it."""
    if not account.is_frozen:
        return None
    return Refused("autorenew_frozen_by_reseller" if account.frozen_by == FrozenBy.RESELLER else "account_frozen")


def _methods(account: Any) -> list[tuple[str, str]]:
    """What may be charged, whether or not it covers an amount today."""
    return [(method.value, method.label) for method in billing.methods_on_file(account)]


def _days(resource: Resource, *, in_force: Any) -> list[tuple[str, str]]:
    found = []
    for days, day in renewals.deduction_days(resource, in_force=in_force).items():
        words = ngettext("%(count)d day before the expiry", "%(count)d days before the expiry", days)
        label = words % {"count": days} if days else _("On the expiry day")
        found.append((str(days), f"{label} ({display.date_text(day)})"))
    return found


def _ahead(
    resource: Resource, entered: Mapping[str, Any], *, terms: list[ResourceTerm], at: datetime, in_force: Any
) -> dict[str, Any] | None:
    """The next deduction for what is entered: when, how much, until when; None for what cannot be."""
    try:
        length = queries.parse_length(str(entered["length"]))
        priced = queries.renewal(resource, length=length, terms=terms)
        days_before = int(entered["days_before"])
    except (Refused, ValueError):
        return None
    if not 0 <= days_before <= in_force["autorenew.lead_days"]:
        return None
    return {
        "at": renewals.next_deduction(resource, days_before=days_before, at=at, in_force=in_force),
        "amount": priced.price.amount,
        "expires_at": priced.expires_at,
        "explanation": priced.price.explanation,
        "is_late": resource.expires_at is not None and at > clock.day_end(clock.platform_date(resource.expires_at)),
    }


@page(audience="buyer", operations=["queryResourceDetail", "disableAutoRenewal"])
def disable(request: HttpRequest, number: str) -> HttpResponse:
    """Disable auto-renewal; asks first, also without JavaScript."""
    call = request.call  # type: ignore[attr-defined]
    resource = readable(call, number)
    stands = resource.status_at(call.at, policies.in_force(call.at))
    refused = operations.may(call, "disableAutoRenewal", resource)
    if refused is None and not renewals.is_automatic(resource):
        refused = Refused("autorenew_off")
    if request.method == "POST":
        try:
            auto_renewing.disable(call, resource=number)
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            refused = why
        else:
            messages.success(request, _("%(product)s no longer renews itself.") % {"product": resource.product.label})
            return redirect(resource.get_absolute_url())
    context = {
        "page": {"title": _("Disable auto-renewal"), "console": "buyer", "breadcrumbs": trail(resource=resource)},
        "resource": resource,
        "status": stands,
        "warning": disabling_warning(resource),
        "refused": refused,
    }
    status = 409 if request.method == "POST" else 200
    return pages.render(request, "orders/auto_renewal_disable.html", context, status=status)
