"""Signing in, its second step, signing out."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import django_otp
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from koogallery import clock
from koogallery.identity.forms import CodeForm, IamSignInForm, RootSignInForm
from koogallery.identity.models import User
from koogallery.identity.operations import signing_in
from koogallery.identity.views.framing import framed
from koogallery.kernel.navigation import leads_somewhere
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.preferences import safe_next

BACKEND = "koogallery.identity.sign_in.AccountBackend"
WAITING = "second_step"
WAITS = timedelta(minutes=10)


@sensitive_post_parameters("password")
@never_cache
@page(audience="public", operations=["signIn"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as a root user (or operations manager) or as an IAM user: one page, two tabs."""
    as_iam = (request.POST or request.GET).get("as") == "iam"
    wanted = (request.POST or request.GET).get("next", "")
    if request.method == "GET" and request.user.is_authenticated:
        return HttpResponseRedirect(next_address(request, request.user, wanted))
    form = (IamSignInForm if as_iam else RootSignInForm)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = attempt(form, lambda: signing_in.verify(request.call, **form.cleaned_data))
        if user is not None:
            if not signing_in.needs_code(user):
                return open_session(request, user, wanted)
            request.session.cycle_key()
            request.session[WAITING] = [user.number, wanted, clock.real_now().timestamp()]
            return HttpResponseRedirect(reverse("identity:second_step"))
    query = {"next": wanted} if wanted else {}
    tabs = [
        {"label": _("Root user"), "url": f"?{urlencode(query)}", "current": not as_iam},
        {"label": _("IAM user"), "url": f"?{urlencode({**query, 'as': 'iam'})}", "current": as_iam},
    ]
    return render(
        request,
        "identity/sign_in.html",
        {
            "page": framed(_("Sign in"), console="plain"),
            "form": form,
            "tabs": tabs,
            "as_iam": as_iam,
            "next": wanted,
        },
    )


@never_cache
@page(audience="public", operations=["signIn"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for the code of a user who has switched on two-step verification."""
    number, wanted, since = request.session.get(WAITING, ["", "", 0])
    fresh = clock.real_now().timestamp() - since < WAITS.total_seconds()
    user = User.objects.select_related("account").filter(number=number, is_active=True).first() if fresh else None
    if user is None:
        request.session.pop(WAITING, None)
        return HttpResponseRedirect(reverse("identity:sign_in"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        code = form.cleaned_data["code"]
        device = attempt(form, lambda: signing_in.verify_code(request.call, user=user, code=code))
        if device is not None:
            del request.session[WAITING]
            answer = open_session(request, user, wanted)
            django_otp.login(request, device)
            return answer
    return render(
        request,
        "identity/second_step.html",
        {"page": framed(_("Two-step verification"), console="plain"), "form": form},
    )


@page(audience="signed_in", operations=["signOut"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and go to `next`, or home; asked for by POST alone."""
    if request.method != "POST":
        return HttpResponseRedirect("/")
    signing_in.leave(signing_in.acting(request.call, request.user))
    logout(request)
    return HttpResponseRedirect(safe_next(request, request.POST.get("next", "")))


def open_session(request: HttpRequest, user: User, wanted: str = "") -> HttpResponse:
    """Begin the session of a verified user and lead on."""
    signing_in.enter(request.call, user=user)
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(next_address(request, user, wanted))


def next_address(request: HttpRequest, user: User, wanted: str) -> str:
    """Where to go: `wanted` if it lies on this site, else the user's home."""
    if wanted and (address := safe_next(request, wanted)) != "/":
        return address
    home = "/admin/" if user.account_id is None else "/console/"
    return home if leads_somewhere(home) else "/"
