"""Policies in force, choosing a pack or single values, and “what if” for an order and a date."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery import clock
from koogallery.admin_site import policy_scopes, sidebar
from koogallery.admin_site.context import page_context
from koogallery.kernel import pages, policies
from koogallery.kernel.admin import dressed, perform
from koogallery.kernel.models import PolicyChoice
from koogallery.kernel.policies import PACKS, POLICIES, text_of

AS_PACK = ""


class PolicyForm(forms.Form):
    """The pack and, for every policy, its pack's value or one of its closed list."""

    pack = forms.ChoiceField(label=gettext_lazy("Policy pack"), choices=[(pack, pack) for pack in PACKS])

    def __init__(self, *args: Any, now: policies.PolicySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["pack"].initial = now.pack
        for name, policy in POLICIES.items():
            own = text_of(policy.values[now.pack])
            choices = [(AS_PACK, _("As the pack says: %(value)s") % {"value": own})]
            choices += [(text_of(choice), text_of(choice)) for choice in policy.choices]
            chosen = text_of(now.overrides[name]) if name in now.overrides else AS_PACK
            self.fields[name] = forms.ChoiceField(label=name, choices=choices, required=False, initial=chosen)

    @property
    def policy_fields(self) -> list[forms.BoundField]:
        """The fields below the pack."""
        return [self[name] for name in POLICIES]

    def overrides(self) -> dict[str, str]:
        """The chosen single values, as texts."""
        return {name: self.cleaned_data[name] for name in POLICIES if self.cleaned_data[name] != AS_PACK}


class WhatIfForm(forms.Form):
    """An order, or none for one placed at that moment, and a date."""

    order = forms.CharField(label=gettext_lazy("Order No."), required=False, max_length=32)
    day = forms.DateField(label=gettext_lazy("Date"), required=False)

    def clean_order(self) -> Any:
        number = self.cleaned_data["order"].strip()
        if not number:
            return None
        found = None
        if apps.is_installed("orders"):
            found = apps.get_model("orders", "Order").objects.filter(number=number).first()
        if found is None:
            raise forms.ValidationError(_("There is no order of this number."), code="missing")
        return found


def in_force(request: HttpRequest) -> HttpResponse:
    """Show and choose the policies; placed orders keep theirs."""
    if not sidebar.may(request, "choosePolicies"):
        raise PermissionDenied
    now = policies.in_force(clock.now())
    form = PolicyForm(request.POST or None, now=now)
    if request.method == "POST" and form.is_valid():
        call = pages.make_call(request, "operator")
        chosen, single = form.cleaned_data["pack"], form.overrides()
        done, _choice = perform(form, lambda: policies.choose(call, pack=chosen, overrides=single, keep=False))
        if done:
            messages.success(request, _("The policies are in force. Orders placed before keep theirs."))
            return HttpResponseRedirect(reverse("admin:policies"))
    context = page_context(
        request,
        _("Policies"),
        form=dressed(form),
        now=now,
        values=[
            {
                "name": name,
                "value": text_of(now[name]),
                "why": policy_scopes.source_text(now, name),
                "packs": [text_of(policy.values[pack]) for pack in PACKS],
            }
            for name, policy in POLICIES.items()
        ],
        packs=PACKS,
        history=PolicyChoice.objects.order_by("-since", "-pk")[:20],
    )
    return TemplateResponse(request, "admin/policies.html", context)


def what_if(request: HttpRequest) -> HttpResponse:
    """For an order and a date: which value of each policy applies, and why."""
    if not sidebar.may(request, "choosePolicies"):
        raise PermissionDenied
    form = WhatIfForm(request.GET or None)
    order, at = None, clock.now()
    asked = bool(request.GET) and form.is_valid()
    if asked:
        order = form.cleaned_data["order"]
        if day := form.cleaned_data["day"]:
            at = datetime.combine(day, time(12), tzinfo=clock.platform_zone())
    context = page_context(
        request,
        _("What if"),
        form=dressed(form),
        order=order,
        at=at,
        answers=policy_scopes.answers(order=order, at=at) if asked or not request.GET else [],
    )
    return TemplateResponse(request, "admin/what_if.html", context)
