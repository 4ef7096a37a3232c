"""Billing Center > Renewals: what ends and how it goes on, renewing one resource, cancelling a change upon renewal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from billing.rules.explanation import Explanation
from catalog import queries as catalog
from catalog.queries import changing
from catalog.queries.sheets import read_once
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import display, operations, pages, policies
from koogallery.kernel.addresses import Address
from koogallery.kernel.lists import Action, Bulk, ChoiceFilter, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.money import Money
from koogallery.kernel.pages import page
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.forms_renewals import RenewalForm, quoted_form, renewal_of
from orders.models import Order, RenewalChange, Resource, ResourceTerm
from orders.operations import reading, renewing, resources
from orders.queries import renewals
from orders.queries import renewing as queries
from orders.queries.resources import days_left, late, own_resource, periods_of
from orders.rules import life
from orders.rules.quote import Quote, SignedQuote, open_quote, sign
from orders.states import ExpirationPolicy, OrderState
from orders.views.life_bar import length_text

RENEWAL = Address("orders:renewal")
CANCEL = Address("orders:renewal_cancel")
AUTO = Address("orders:auto_renewal")
AUTO_OFF = Address("orders:auto_renewal_disable")
_POLICY = Address("orders:resource_policy")
_ORDER = Address("orders:detail")
DAYS_TO_EXPIRY = (7, 15, 30, 60, 90)
EXPIRED = "expired"


# Words and links that lists and pages share


@lru_cache(maxsize=1)
def _change_page() -> Address | None:
    """Where a specification is changed; None as long as there is no such page."""
    try:
        reverse("orders:change", args=["x"])
    except NoReverseMatch:
        return None
    return Address("orders:change")


def change_url(resource: Resource) -> str:
    """Where the specification of a resource is changed; empty as long as there is no such page."""
    found = _change_page()
    return found(resource.number) if found is not None else ""


def product_of(resource: Resource) -> SafeString:
    """Name and logo of a resource's product, leading to the product."""
    product = resource.product
    logo = product.logo.url if product.logo else ""
    return display.product_html(product.label, url=product.get_absolute_url(), logo_url=logo)


@dataclass(frozen=True, slots=True)
class _Words:
    """What every row says, in one language."""

    renew: str
    enable: str
    modify: str
    disable: str
    disabling: str
    policy: str
    cancel: str


@lru_cache(maxsize=8)
def _words(language: str | None) -> _Words:
    return _Words(
        renew=_("Renew"),
        enable=_("Enable auto-renewal"),
        modify=_("Modify auto-renewal"),
        disable=_("Disable auto-renewal"),
        disabling=_(
            "%(product)s (%(number)s) no longer renews itself. It expires at %(expires)s unless you renew it by hand."
        ),
        policy=_("Expiration policy"),
        cancel=_("Cancel the renewal"),
    )


def disabling_warning(resource: Resource) -> str:
    """What disabling auto-renewal does, naming the resource."""
    return _words(get_language()).disabling % _named(resource)


def canceling_warning(resource: Resource, order_number: str) -> str:
    """What cancelling a change upon renewal does, naming the order and the resource."""
    return _(
        "Order %(order)s is canceled and all that was paid for it is refunded. %(product)s (%(number)s) keeps its "
        "specification and expires at %(expires)s unless you renew it."
    ) % (_named(resource) | {"order": order_number})


def _named(resource: Resource) -> dict[str, str]:
    expires = display.moment_text(resource.expires_at) if resource.expires_at else ""
    return {"product": resource.product.label, "number": resource.number, "expires": expires}


def in_list(resource: Resource) -> Any:
    """The periods of grace and retention in force, as a row of a list knows them."""
    return periods_of(resource)


# The list


def _row_actions(resource: Resource, request: HttpRequest) -> list[Action]:
    words, call = _words(get_language()), request.call  # type: ignore[attr-defined]
    may_renew = operations.may(call, "renewOrder", resource)
    not_now = queries.why_not_renewable(resource, at=call.at, in_force=in_list(resource))
    found = [Action(words.renew, RENEWAL(resource.number), refused=not_now or may_renew)]
    is_on = renewals.is_automatic(resource)
    why = renewals.why_no_strategy(resource, at=call.at, in_force=in_list(resource))
    may_enable = operations.may(call, "enableAutoRenewal", resource)
    found.append(Action(words.modify if is_on else words.enable, AUTO(resource.number), refused=why or may_enable))
    if is_on:
        found.append(
            Action(
                words.disable,
                AUTO_OFF(resource.number),
                post=True,
                danger=True,
                confirm=disabling_warning(resource),
                refused=why or operations.may(call, "disableAutoRenewal", resource),
            )
        )
    may_choose = operations.may(call, "setResourceStrategy", resource)
    found.append(Action(words.policy, _POLICY(resource.number), refused=why or may_choose))
    if (cancel := cancel_action(resource, request)) is not None:
        found.append(cancel)
    return found


def cancel_action(resource: Resource, request: HttpRequest) -> Action | None:
    """**Cancel the renewal**, while a change upon renewal waits."""
    change = queries.waiting_change(resource)
    if change is None:
        return None
    return Action(
        _words(get_language()).cancel,
        CANCEL(resource.number),
        post=True,
        danger=True,
        confirm=canceling_warning(resource, change.order.number),
        refused=operations.may(request.call, "cancelRenewal", resource),  # type: ignore[attr-defined]
    )


def waiting_note(resource: Resource) -> str:
    """What waits for a resource, in a small line: its change upon renewal or an unpaid order."""
    change = queries.waiting_change(resource)
    if change is not None:
        return _("renewed and changed at %(at)s") % {"at": display.moment_text(change.effective_at)}
    if unpaid := queries.unpaid_number(resource, clock.now()):
        return _("order %(order)s is not paid") % {"order": unpaid}
    return ""


def _status(resource: Resource) -> Any:
    return queries.status_now(resource, at=clock.now(), in_force=in_list(resource))


def _expires(resource: Resource) -> SafeString:
    left = days_left(resource, clock.now())
    note = ngettext("%(count)d day left", "%(count)d days left", left or 0) % {"count": left or 0}
    return display.moment_html(resource.expires_at, note=note, distance=False)


def _continuation(resource: Resource) -> Any:
    """How a resource goes on: its policy, for auto-renewal the next deduction."""
    auto = renewals.automation_of(resource)
    if renewals.is_automatic(resource) and auto is not None and auto.next_attempt_at is not None:
        return display.moment_html(auto.next_attempt_at, note=_("next deduction"), distance=False)
    return ExpirationPolicy(resource.expiration_policy).label


def _failure(resource: Resource) -> str:
    refused = renewals.failure_of(renewals.automation_of(resource)) if renewals.is_automatic(resource) else None
    return _("Failed: %(reason)s") % {"reason": refused.sentence} if refused else ""


def _by_days(rows: QuerySet[Resource], value: str) -> QuerySet[Resource]:
    now = clock.now()
    return rows.filter(late(now) if value == EXPIRED else renewals.expiring_within(int(value), at=now))


def _projects(request: HttpRequest) -> list[tuple[str, str]]:
    account = request.call.account  # type: ignore[attr-defined]
    return sorted(identity.project_names(account).items()) if account.projects_enabled else []


def _days_to_expiry(request: HttpRequest) -> list[tuple[str, str]]:
    """In the language of the request: a lazy text that is filled in is no longer lazy."""
    return [
        (EXPIRED, _("Expired")),
        *[(str(days), _("Within %(days)d days") % {"days": days}) for days in DAYS_TO_EXPIRY],
    ]


def _tab(policy: ExpirationPolicy, key: str, label: Any, title: Any, text: Any) -> Tab:
    return Tab(key, label, Q(expiration_policy=policy), empty=Empty(title, text))


RENEWALS = ListPage(
    name="renewals",
    caption=gettext_lazy("Renewals"),
    columns=(
        Column(
            "product",
            gettext_lazy("Product"),
            value="product.label",
            html=product_of,
            sort="product_name",
            strong=True,
            hideable=False,
        ),
        Column("specification", gettext_lazy("Specification"), value="specification", note=waiting_note, wide=True),
        Column("status", gettext_lazy("Status"), value=_status, sort="status"),
        Column("expires", gettext_lazy("Expires"), value="expires_at", html=_expires, sort="expires_at"),
        Column(
            "then",
            gettext_lazy("After that"),
            html=_continuation,
            note=_failure,
            csv=lambda resource: ExpirationPolicy(resource.expiration_policy).label,
        ),
        Column(
            "project",
            gettext_lazy("Enterprise project"),
            value=lambda resource: resource.project_name or resource.project_code,
            sort="project_code",
        ),
        Column("resource", gettext_lazy("Resource ID"), value="number", mono=True, shown=False),
        Column(
            "order",
            gettext_lazy("Order No."),
            value="order_number",
            link=lambda resource: _ORDER(resource.order_number),
            mono=True,
            shown=False,
        ),
        actions(_row_actions),
    ),
    tabs=(
        _tab(
            ExpirationPolicy.MANUAL,
            "manual",
            gettext_lazy("Manual Renewals"),
            gettext_lazy("Nothing to renew by hand"),
            gettext_lazy("Yearly/monthly resources in use appear here until they renew themselves."),
        ),
        _tab(
            ExpirationPolicy.AUTO,
            "auto",
            gettext_lazy("Auto Renewals"),
            gettext_lazy("Nothing renews itself"),
            gettext_lazy("Resources for which you enable auto-renewal appear here with their next deduction."),
        ),
        _tab(
            ExpirationPolicy.PAY_PER_USE,
            "pay_per_use",
            gettext_lazy("Pay-per-Use After Expiration"),
            gettext_lazy("Nothing changes to pay-per-use"),
            gettext_lazy("Resources that go on by use after their term appear here."),
        ),
        _tab(
            ExpirationPolicy.NONE,
            "canceled",
            gettext_lazy("Renewals Canceled"),
            gettext_lazy("No renewal is canceled"),
            gettext_lazy("Resources that you chose not to renew appear here; they can still be renewed by hand."),
        ),
    ),
    filters=(
        ChoiceFilter(
            "expires_in",
            gettext_lazy("Days to expiry"),
            choices=_days_to_expiry,
            apply=_by_days,
        ),
        ChoiceFilter("project", gettext_lazy("Enterprise project"), choices=_projects, field="project_code"),
    ),
    search=Search(
        ("product_name", "product__name_zh", "spec_text", "order_number", "number"),
        placeholder=gettext_lazy("Product, specification, order No."),
    ),
    default_sort="expires",
    selectable=lambda resource: resource.number,
    bulk=(Bulk(gettext_lazy("Renew"), "/console/renewals/batch/"),),
    empty=Empty(
        gettext_lazy("Nothing to renew"),
        gettext_lazy("Yearly/monthly resources appear here as soon as they are in use."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)

LISTED = [
    "queryRenewalList",
    "renewOrder",
    "cancelRenewal",
    "enableAutoRenewal",
    "disableAutoRenewal",
    "setResourceStrategy",
]


@page(audience="buyer", operations=LISTED)
def renewal_list(request: HttpRequest) -> HttpResponseBase:
    """Renewals, by what happens when the term ends."""
    context = {
        "page": {"title": _("Renewals"), "console": "buyer", "breadcrumbs": [(_("Billing Center"), "")]},
        **waiting_context(request),
    }
    mine = reading.query_renewal_list(request.call, filters=request.GET.dict())  # type: ignore[attr-defined]
    return RENEWALS.respond(request, mine, "orders/renewal_list.html", context)


def waiting_context(request: HttpRequest) -> dict[str, Any]:
    """The banners of all changes upon renewal of the account that wait."""
    if request.headers.get("HX-Request") == "true":
        return {}
    call = request.call  # type: ignore[attr-defined]
    changes = renewals.waiting_changes(call.account_id, at=call.at)
    return {
        "waiting": [banner(change, change.resource, call) for change in changes[: renewals.BANNERS - 1]],
        "more_wait": len(changes) == renewals.BANNERS,
    }


def banner(change: RenewalChange, resource: Resource, call: Any) -> dict[str, Any]:
    """What the banner of one waiting change says, and its **Cancel the renewal**."""
    return {
        "resource": resource,
        "order": change.order.number,
        "order_url": _ORDER(change.order.number),
        "at": change.effective_at,
        "dialog": f"cancel-renewal-{resource.number}",
        "action": CANCEL(resource.number),
        "warning": canceling_warning(resource, change.order.number),
        "refused": operations.may(call, "cancelRenewal", resource),
    }


# One resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a renewal may be for: lengths with their amounts, targets of a change, its quantity."""

    lengths: Sequence[tuple[str, str, Money | None]]
    targets: Sequence[tuple[str, str]]
    quantity: Any
    not_changeable: Refused | None


def trail(title: str = "", resource: Resource | None = None) -> list[tuple[Any, str]]:
    """What lies above a page of renewals."""
    found = [(_("Billing Center"), ""), (_("Renewals"), reverse("orders:renewals"))]
    if resource is not None:
        found.append((resource.product.label, resource.get_absolute_url()))
    return found


def readable(call: Any, number: str) -> Resource:
    """A resource of the account whose details the caller may read. Raises `Missing`, `Refused`."""
    resource = own_resource(call, number)
    if operations.may(call, "queryResourceDetail", resource) is not None:
        resources.read_details(call, resource=number)
    return resource


@page(audience="buyer", operations=["queryResourceDetail", "renewOrder", "cancelRenewal"])
def renewal(request: HttpRequest, number: str) -> HttpResponse:
    """Renew a resource: length, unified renewal date or a change upon renewal, new expiry, amount, **Pay Now**."""
    call = request.call  # type: ignore[attr-defined]
    if request.method != "POST" or "quote" not in request.POST:
        with read_once():
            return _show(request, readable(call, number), renewal_of(request.GET))
    signed = SignedQuote.parse(request.POST["quote"])
    quote = open_quote(signed, account_id=call.account_id)
    try:
        order = renewing.renew(call, resource=number, quote=signed)
    except Refused as refused:
        if refused.code in ("form_key_missing", "quote_invalid"):
            raise
        asked = renewal_of(dict(quote.form))
        asked |= {"change": "on"} if quoted_form({**asked, "change": "on"}).keys() - {"length", "unified"} else {}
        with read_once():
            return _show(request, readable(call, number), asked, refused=refused, old=quote)
    return redirect(after_placing(order))


def after_placing(order: Order) -> str:
    """Where a placed order is paid, or what became of it."""
    return reverse("orders:pay" if order.state == OrderState.PENDING_PAYMENT else "orders:result", args=[order.number])


def _show(
    request: HttpRequest,
    resource: Resource,
    asked: Mapping[str, str],
    *,
    refused: Refused | None = None,
    old: Quote | None = None,
) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    in_force = policies.in_force(call.at)
    not_renewable = queries.why_not_renewable(resource, at=call.at, in_force=in_force)
    change = queries.waiting_change(resource)
    context: dict[str, Any] = {
        "page": {
            "title": _("Renew %(product)s") % {"product": resource.product.label},
            "console": "buyer",
            "breadcrumbs": trail(),
        },
        "resource": resource,
        "status": queries.status_now(resource, at=call.at, in_force=in_force),
        "not_renewable": not_renewable,
        "unpaid": queries.unpaid_number(resource, call.at),
        "waiting": [banner(change, resource, call)] if change is not None else [],
        "address": RENEWAL(resource.number),
    }
    if not_renewable is None:
        context |= _offer(resource, asked, call=call, in_force=in_force, refused=refused, old=old)
    return pages.render(request, "orders/renewal.html", context, fragment="renewal", status=409 if refused else 200)


def _offer(
    resource: Resource,
    asked: Mapping[str, str],
    *,
    call: Any,
    in_force: PolicySet,
    refused: Refused | None,
    old: Quote | None,
) -> dict[str, Any]:
    """The choices, the quote of what is chosen, or why there is none."""
    terms = queries.terms_of(resource)
    entered = dict(asked)
    offered = _offered(resource, entered, terms=terms, at=call.at, in_force=in_force)
    form = RenewalForm(
        entered,
        lengths=[(value, label) for value, label, _amount in offered.lengths],
        targets=offered.targets,
    )
    form.clean_nothing()
    quote = None
    try:
        quote = queries.renewal_quote(resource, form=quoted_form(entered), at=call.at, in_force=in_force, terms=terms)
    except Refused as why:
        refused = refused or why
    is_changed = refused is not None and refused.code == "quote_changed"
    if refused is not None and not is_changed:
        where = refused.field if refused.field in form.fields else None
        form.add_error(where, ValidationError(refused.sentence, code=refused.code))
    context: dict[str, Any] = {
        "form": form,
        "offered": offered,
        "asked": entered,
        "is_changing": bool(entered.get("change")) and offered.not_changeable is None,
        "needs_method": refused is not None and refused.code == "no_payment_method",
        "is_reseller_customer": call.account.reseller_id is not None,
        "may_renew": operations.may(call, "renewOrder", resource),
        "old": old if is_changed else None,
    }
    if quote is not None:
        context |= _quoted(resource, quote, terms=terms)
    return context


def _offered(
    resource: Resource, entered: dict[str, str], *, terms: list[ResourceTerm], at: Any, in_force: PolicySet
) -> Offered:
    """What may be chosen; what was not entered is filled in with the usual."""
    product, current = resource.product, resource.configured
    not_changeable = queries.why_no_change_upon_renewal(resource, at=at, in_force=in_force)
    targets: list[tuple[str, str]] = []
    quantity = None
    if not_changeable is None:
        codes = [current.sku_code, *changing.targets_of(product, current.sku_code, upgrades_only=False)]
        targets = [(code, changing.name_of(product, code)) for code in dict.fromkeys(codes)]
        targets = [(code, label) for code, label in targets if label]
        counted = [changing.quantity_of(product, code) for code, _label in targets]
        if len(targets) < 2 and not any(counted):
            not_changeable = Refused("change_no_path", field="target")
        entered.setdefault("target", current.sku_code)
        quantity = changing.quantity_of(product, entered["target"])
        if quantity is not None:
            entered.setdefault("quantity", f"{current.quantity.normalize():f}")
    if not_changeable is not None:
        entered.pop("change", None)
    target = _target(resource, entered) if entered.get("change") else None
    configuration = target or current
    cycles = changing.cycles_of(product, configuration.sku_code, currency=configuration.currency)
    lengths = renewals.lengths_for(resource, terms, cycles)
    usual = renewals.usual_length(lengths, terms)
    if usual is not None and not entered.get("length"):
        entered["length"] = renewals.length_value(usual)
    if entered.get("change"):
        entered.pop("unified", None)
    priced = [(each, _amount(resource, each, entered, target, terms)) for each in lengths]
    return Offered(
        lengths=[(renewals.length_value(each), length_text(each), amount) for each, amount in priced],
        targets=targets,
        quantity=quantity,
        not_changeable=not_changeable,
    )


def _target(resource: Resource, entered: Mapping[str, str]) -> catalog.Configuration | None:
    try:
        return queries.change_target(resource, form=entered)
    except Refused:
        return None


def _amount(
    resource: Resource, length: Any, entered: Mapping[str, str], target: Any, terms: list[ResourceTerm]
) -> Money | None:
    try:
        day = queries.parse_day(entered.get("unified", ""))
        return queries.renewal(resource, length=length, unified_day=day, target=target, terms=terms).price.amount
    except Refused:
        return None


def _quoted(resource: Resource, quote: Quote, *, terms: list[ResourceTerm]) -> dict[str, Any]:
    configuration = catalog.Configuration.from_json(quote.configuration)
    signed = sign(quote)
    expires_at = clock.day_end(queries.new_expiry(quote))
    words = {
        "product": resource.product.label,
        "number": resource.number,
        "length": configuration.term_text,
        "expires": display.moment_text(expires_at),
        "amount": quote.amount,
    }
    changes = bool(quote.form.get("changes"))
    warning = (
        _(
            "%(product)s (%(number)s) is renewed for %(length)s and changed to %(specification)s for %(amount)s. Both "
            "take effect at %(effective)s; until then it can be neither renewed nor changed, and you can cancel for a "
            "full refund. It then expires at %(expires)s."
        )
        if changes
        else _("%(product)s (%(number)s) is renewed for %(length)s for %(amount)s. It then expires at %(expires)s.")
    )
    assert resource.expires_at is not None
    return {
        "quote": quote,
        "fields": {"quote": signed.posted},
        "configuration": configuration,
        "changes": changes,
        "new_expires_at": expires_at,
        "starts_on": terms[-1].end,
        "ends_on": queries.new_expiry(quote),
        "explanation": Explanation.from_json(quote.explanation),
        "warning": warning
        % (
            words
            | {
                "specification": configuration.spec_text,
                "effective": display.moment_text(life.day_after(clock.platform_date(resource.expires_at))),
            }
        ),
    }


# Cancelling a change upon renewal


@page(audience="buyer", operations=["queryResourceDetail", "cancelRenewal"])
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Cancel a change upon renewal that waits; asks first, also without JavaScript."""
    call = request.call  # type: ignore[attr-defined]
    resource = readable(call, number)
    change = queries.waiting_change(resource)
    refused = operations.may(call, "cancelRenewal", resource)
    if refused is None and change is None:
        refused = Refused("renewal_not_waiting")
    if request.method == "POST":
        try:
            order = renewing.cancel_renewal(call, resource=number)
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            refused = why
        else:
            told = _("The renewal of %(product)s is canceled and %(amount)s is refunded.")
            messages.success(request, told % {"product": resource.product.label, "amount": order.total})
            return redirect(resource.get_absolute_url())
    context = {
        "page": {
            "title": _("Cancel the renewal"),
            "console": "buyer",
            "breadcrumbs": trail(resource=resource),
        },
        "resource": resource,
        "status": queries.status_now(resource, at=call.at, in_force=policies.in_force(call.at)),
        "change": change,
        "warning": canceling_warning(resource, change.order.number) if change is not None else "",
        "refused": refused,
    }
    status = 409 if request.method == "POST" else 200
    return pages.render(request, "orders/renewal_cancel.html", context, status=status)
