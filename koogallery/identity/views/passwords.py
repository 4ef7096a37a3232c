"""Setting a forgotten password anew."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from koogallery.identity.forms import AskResetForm, NewPasswordForm
from koogallery.identity.operations import passwords
from koogallery.identity.views.framing import framed
from koogallery.kernel.pages import attempt, page, render


@never_cache
@page(audience="public", operations=["askPasswordReset"])
def ask_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link; the answer is the same whether there is such a user or not."""
    form = AskResetForm(request.POST or None)
    sent = False
    if request.method == "POST" and form.is_valid():

        def ask() -> bool:
            passwords.ask_reset(request.call, name=form.cleaned_data["name"])
            return True

        sent = bool(attempt(form, ask))
    return render(
        request,
        "identity/ask_reset.html",
        {"page": framed(_("Reset password"), console="plain"), "form": form, "sent": sent},
    )


@sensitive_post_parameters("password")
@never_cache
@page(audience="public", operations=["resetPassword"])
def reset_password(request: HttpRequest, number: str, token: str) -> HttpResponse:
    """Set a new password by the link of the mail."""
    user = passwords.user_of_reset_link(number, token)
    form = NewPasswordForm(request.POST or None)
    if user is not None and request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        done = attempt(
            form,
            lambda: passwords.reset_password(request.call, user=number, token=token, password=password),
        )
        if done is not None:
            messages.success(request, _("The new password is set. Sign in with it."))
            return HttpResponseRedirect(reverse("identity:sign_in"))
    return render(
        request,
        "identity/reset_password.html",
        {
            "page": framed(_("Choose a new password"), console="plain"),
            "form": form,
            "user_name": user.get_username() if user else "",
            "valid": user is not None,
        },
        status=200 if user is not None else 410,
    )
