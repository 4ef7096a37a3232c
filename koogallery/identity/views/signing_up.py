"""Opening an account and verifying its e-mail address."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from koogallery.identity.forms import SignUpForm
from koogallery.identity.operations import accounts
from koogallery.identity.views.framing import framed
from koogallery.identity.views.signing_in import next_address, open_session
from koogallery.kernel.pages import attempt, page, render


@sensitive_post_parameters("password")
@never_cache
@page(audience="public", operations=["signUp", "signIn"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Open an account; its root user is signed in at once and gets a link to verify the e-mail address."""
    wanted = (request.POST or request.GET).get("next", "")
    if request.method == "GET" and request.user.is_authenticated:
        return HttpResponseRedirect(next_address(request, request.user, wanted))
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        root = attempt(form, lambda: accounts.sign_up(request.call, **form.cleaned_data))
        if root is not None:
            messages.success(
                request,
                _("Welcome. We sent a link to %(email)s to verify this address.") % {"email": root.email},
            )
            return open_session(request, root, wanted or "/")
    return render(
        request,
        "identity/sign_up.html",
        {"page": framed(_("Sign up"), console="plain"), "form": form, "next": wanted},
    )


@never_cache
@page(audience="public", operations=["verifyEmail"])
def verify_email(request: HttpRequest, token: str) -> HttpResponse:
    """Verify an e-mail address: the link shows a button, the button verifies."""
    user = accounts.user_of_token(token)
    done = False
    if request.method == "POST" and user is not None:
        accounts.verify_email(request.call, token=token)
        done = True
    return render(
        request,
        "identity/verify_email.html",
        {
            "page": framed(_("Verify e-mail address"), console="plain"),
            "email": user.email if user else "",
            "valid": user is not None,
            "done": done or (user is not None and user.email_verified_at is not None),
        },
        status=200 if user is not None else 410,
    )
