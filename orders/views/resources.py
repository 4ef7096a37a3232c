"""Resource details and what a buyer does with a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from catalog.queries.sheets import read_once
from catalog.states import BillingMode, DeliveryMethod
from koogallery.identity import queries as identity
from koogallery.kernel import operations, pages, policies
from koogallery.kernel.pages import page
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.forms import ExpirationForm, ResourceTagsForm
from orders.models import Resource
from orders.operations import expiration, resources
from orders.queries import delivered, eligibility, returns
from orders.queries.interface import information_call
from orders.queries.renewals import automation_of, is_automatic, why_no_strategy
from orders.queries.renewing import changed_price, status_now, terms_of, waiting_change
from orders.queries.resources import own_resource
from orders.states import ExpirationPolicy, ResourceStatus
from orders.views.apps import change_action, disable_warning, expiry_note, logo_of, renewal_action, unsubscribe_entry
from orders.views.auto_renewals import failure
from orders.views.life_bar import life_bar
from orders.views.renewals import AUTO, banner


def _page(resource: Resource, title: str = "") -> dict[str, Any]:
    trail = [(_("Purchased Apps"), reverse("orders:apps"))]
    if title:
        trail.append((resource.product.label, resource.get_absolute_url()))
    return {"title": title or resource.product.label, "console": "buyer", "breadcrumbs": trail}


@page(
    audience="buyer",
    operations=[
        "queryResourceDetail",
        "querySaasResourceInstance",
        "revealLicenseKey",
        "closeResource",
        "setResourceStrategy",
        "setResourceTags",
        "renewOrder",
        "changeOrder",
        "cancelRenewal",
        "enableAutoRenewal",
    ],
)
def resource_detail(request: HttpRequest, number: str) -> HttpResponse:
    """Application, basic and seller information of one resource."""
    call = request.call
    resource = resources.read_details(call, resource=number)
    product = resource.product
    in_force = policies.in_force(call.at)
    status = status_now(resource, at=call.at, in_force=in_force)
    no_strategy = why_no_strategy(resource, at=call.at, in_force=in_force)
    terms = terms_of(resource)
    renewal = renewal_action(resource, call, in_force)
    change = waiting_change(resource)
    with read_once():
        life = life_bar(resource, terms=terms, at=call.at, in_force=in_force, not_renewable=renewal.refused)
    context = {
        "page": _page(resource),
        "resource": resource,
        "product": product,
        "seller": resource.seller,
        "logo_url": logo_of(product),
        "delivery_method": DeliveryMethod(resource.delivery_method).label,
        "billing_mode": BillingMode(resource.billing_mode).label,
        "expiry_note": expiry_note(resource, in_force),
        "project": resource.project_name or resource.project_code,
        "terms": [(term, changed_price(term)) for term in terms],
        "life": life,
        "waiting": [banner(change, resource, call)] if change is not None else [],
        "auto": automation_of(resource),
        "failure": failure(automation_of(resource)) if is_automatic(resource) else None,
        "renewal": renewal,
        "change": change_action(resource, call, in_force),
        "auto_url": AUTO(resource.number),
        "information": information_call(resource) if resource.awaits_information else None,
        "unsubscribe": unsubscribe_entry(resource, call, status),
        "status": status,
        "shown": ResourceStatus.ENABLED if resource.is_delivered(call.at) else status,
        "is_closed": status == ResourceStatus.CLOSED,
        "is_in_delivery": resource.status == ResourceStatus.IN_DELIVERY and not resource.is_delivered(call.at),
        "guide": product.text("usage_guide"),
        "guide_file": product.user_guide_file.url if product.user_guide_file else "",
        "may_reveal": operations.may(call, "querySaasResourceInstance", resource),
        "may_reveal_key": operations.may(call, "revealLicenseKey", resource),
        "license_files": []
        if status == ResourceStatus.CLOSED or operations.may(call, "revealLicenseKey", resource)
        else delivered.license_files(resource),
        "may_disable": returns.why_asked_back(resource) or operations.may(call, "closeResource", resource),
        "may_choose": no_strategy or operations.may(call, "setResourceStrategy", resource),
        "may_automate": no_strategy or operations.may(call, "enableAutoRenewal", resource),
        "may_tag": why_not_taggable(request, resource, in_force),
        "disable_warning": disable_warning(resource),
    }
    return pages.render(request, "orders/resource_detail.html", context)


def _status(request: HttpRequest, resource: Resource) -> ResourceStatus:
    """Where a resource stands now."""
    return status_now(resource, at=request.call.at, in_force=policies.in_force(request.call.at))


def why_not_taggable(request: HttpRequest, resource: Resource, in_force: PolicySet | None = None) -> Refused | None:
    """Why the tags cannot be edited, or None."""
    if not eligibility.may_tag_resource(resource, in_force or policies.in_force(request.call.at)):
        return Refused("tags_not_offered")
    return operations.may(request.call, "setResourceTags", resource)


@page(audience="buyer", operations=["querySaasResourceInstance"])
def resource_password(request: HttpRequest, number: str) -> HttpResponse:
    """The password in clear, behind the eye; a traced read that no cache keeps."""
    return _reveal(request, number, resources.reveal_password, label=_("Password"))


@page(audience="buyer", operations=["revealLicenseKey"])
def resource_license(request: HttpRequest, number: str) -> HttpResponse:
    """The license key in clear, behind the eye; a traced read that no cache keeps."""
    return _reveal(request, number, resources.reveal_license_key, label=_("License key"))


@sensitive_variables("secret", "context")
def _reveal(request: HttpRequest, number: str, read: Callable[..., str], *, label: str) -> HttpResponse:
    address = reverse("orders:resource", args=[number])
    if request.method != "POST":
        own_resource(request.call, number)  # type: ignore[attr-defined]
        return redirect(address)
    secret = read(request.call, resource=number)  # type: ignore[attr-defined]
    context = {
        "value": secret,
        "url": request.path,
        "label": label,
        "back": address,
        "page": {"title": label, "console": "plain", "breadcrumbs": []},
    }
    response = pages.render(request, "components/secret_shown.html", context)
    add_never_cache_headers(response)
    return response


@page(audience="buyer", operations=["queryResourceDetail", "closeResource"])
def resource_disable(request: HttpRequest, number: str) -> HttpResponse:
    """Disable a resource for good; asks first, also without JavaScript."""
    resource = resources.read_details(request.call, resource=number)
    refused = returns.why_asked_back(resource) or operations.may(request.call, "closeResource", resource)
    if request.method == "POST":
        try:
            resources.close_resource(request.call, resource=number)
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            refused = why
        else:
            messages.success(request, _("%(product)s is disabled.") % {"product": resource.product.label})
            return redirect(resource.get_absolute_url())
    context = {
        "page": _page(resource, _("Disable")),
        "resource": resource,
        "status": _status(request, resource),
        "warning": disable_warning(resource),
        "refused": refused,
    }
    return pages.render(
        request, "orders/resource_disable.html", context, status=409 if request.method == "POST" else 200
    )


@page(audience="buyer", operations=["queryResourceDetail", "setResourceStrategy"])
def resource_policy(request: HttpRequest, number: str) -> HttpResponse:
    """Choose what happens when the term ends."""
    resource = resources.read_details(request.call, resource=number)
    choices = [(policy.value, policy.label) for policy in expiration.possible_policies(resource)]
    form = ExpirationForm(request.POST or None, choices=choices, initial={"policy": resource.expiration_policy})
    return _change(
        request,
        resource,
        form,
        lambda: expiration.set_expiration_policy(
            request.call, resource=number, policy=str(form.cleaned_data.get("policy", ""))
        ),
        title=_("Expiration policy"),
        operation="setResourceStrategy",
        done=_("The expiration policy is saved."),
    )


@page(audience="buyer", operations=["queryResourceDetail", "setResourceTags"])
def resource_tags(request: HttpRequest, number: str) -> HttpResponse:
    """Edit the tags of a resource."""
    resource = resources.read_details(request.call, resource=number)
    form = ResourceTagsForm(request.POST or None, tags=resource.tags)
    if "add_tag" in request.POST:
        form.is_valid()
        form.errors.clear()
        return _show_form(request, resource, form, title=_("Tags"), refused=why_not_taggable(request, resource))
    return _change(
        request,
        resource,
        form,
        lambda: resources.set_tags(request.call, resource=number, tags=form.tags),
        title=_("Tags"),
        operation="setResourceTags",
        done=_("The tags are saved."),
    )


def _change(
    request: HttpRequest,
    resource: Resource,
    form: forms.Form,
    do: Callable[[], Any],
    *,
    title: str,
    operation: str,
    done: str,
) -> HttpResponse:
    if request.method == "POST" and form.is_valid() and pages.attempt(form, do) is not None:
        messages.success(request, done)
        return redirect(resource.get_absolute_url())
    refused = None
    if operation == "setResourceStrategy":
        refused = why_no_strategy(resource, at=request.call.at, in_force=policies.in_force(request.call.at))
    refused = refused or operations.may(request.call, operation, resource)
    return _show_form(request, resource, form, title=title, refused=refused)


def _show_form(
    request: HttpRequest, resource: Resource, form: forms.Form, *, title: str, refused: Refused | None
) -> HttpResponse:
    context: dict[str, Any] = {
        "page": _page(resource, title),
        "resource": resource,
        "status": _status(request, resource),
        "form": form,
        "refused": refused,
    }
    if isinstance(form, ResourceTagsForm):
        context["known_tags"] = identity.predefined_tags(request.call.account)
    else:
        change = waiting_change(resource)
        context |= {
            "waiting": [banner(change, resource, request.call)] if change is not None else [],
            "policies": _explained(form.fields["policy"].choices),  # type: ignore[attr-defined]
            "offers_auto": ExpirationPolicy.AUTO in dict(form.fields["policy"].choices),  # type: ignore[attr-defined]
        }
    template = "orders/resource_tags.html" if isinstance(form, ResourceTagsForm) else "orders/resource_policy.html"
    return pages.render(request, template, context, status=422 if form.errors else 200)


def _explained(choices: Iterable[tuple[str, Any]]) -> list[tuple[str, Any, str]]:
    """The expiration policies with what each means."""
    notes = {
        ExpirationPolicy.MANUAL: _("You are told before the expiry. Not renewed, it enters grace, then retention."),
        ExpirationPolicy.AUTO: _("It renews itself before the expiry; you are told before and after each deduction."),
        ExpirationPolicy.NONE: _(
            "It ends: no auto-renewal, grace and retention as usual; you can still renew by hand."
        ),
        ExpirationPolicy.PAY_PER_USE: _("From 00:00:00 after the expiry its use is billed; it enters no grace."),
    }
    return [(value, label, notes[ExpirationPolicy(value)]) for value, label in choices]
