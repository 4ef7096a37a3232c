"""My Credentials: one's own contact, password, two-step verification, access keys; and display preferences."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from koogallery.identity.forms import (
    ChangePasswordForm,
    ContactForm,
    DisableTwoStepForm,
    EnableTwoStepForm,
    KeyForm,
    PreferencesForm,
)
from koogallery.identity.models import AccessKey
from koogallery.identity.operations import accounts, iam, passwords, preferences, signing_in, two_step
from koogallery.identity.states import Theme
from koogallery.identity.views.framing import framed, iam_tabs
from koogallery.kernel import qr
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.preferences import safe_next
from koogallery.kernel.reasons import Refused


def _own_call(request: HttpRequest) -> Any:
    return signing_in.acting(request.call, request.user)


def _frame(request: HttpRequest, title: Any, *parents: tuple[Any, str]) -> dict[str, Any]:
    """The frame of an own page: the console, or a plain page for operations managers, who have no console here."""
    console = "plain" if request.user.account_id is None else "buyer"
    template = "frames/plain.html" if console == "plain" else "frames/console.html"
    return {"page": framed(title, *parents, console=console), "frame_template": template}


@sensitive_post_parameters("present", "new")
@never_cache
@page(audience="signed_in", operations=["updateContact", "changePassword", "createAccessKey", "askToVerifyEmail"])
def credentials(request: HttpRequest) -> HttpResponse:
    """Show and change what is one's own."""
    call, data, user = _own_call(request), request.POST or None, request.user
    contact = ContactForm(data, initial={"email": user.email, "mobile": user.mobile})
    password = ChangePasswordForm(data)
    key = KeyForm(data)
    if request.method == "POST":
        if contact.is_bound and contact.is_valid():
            values = {name: contact.cleaned_data[name] for name in ("email", "mobile")}
            if attempt(contact, lambda: accounts.update_contact(call, **values)):
                return _back(request, _("Your contact data is saved."))
        if password.is_bound and password.is_valid():
            values = {name: password.cleaned_data[name] for name in ("present", "new")}
            changed = attempt(password, lambda: passwords.change_password(call, **values))
            if changed is not None:
                update_session_auth_hash(request, changed)
                return _back(request, _("Your password is changed; your other sessions have ended."))
        if key.is_bound and key.is_valid() and user.account_id is not None:
            made = attempt(
                key,
                lambda: iam.create_access_key(
                    request.call, user=user.number, description=key.cleaned_data["description"]
                ),
            )
            if made is not None:
                return shown_key(request, made, back=reverse("identity:credentials"))
    return render(
        request,
        "identity/credentials.html",
        {
            **_frame(request, _("My Credentials")),
            "tabs": iam_tabs("credentials") if user.account_id is not None else [],
            "contact": contact,
            "password": password,
            "key": key,
            "keys": AccessKey.objects.filter(user=user.pk),
            "keys_refused": iam.why_no_keys(request.call, user=user) if user.account_id is not None else {},
            "two_step": two_step.device_of(user, confirmed=True),
        },
    )


def shown_key(request: HttpRequest, key: Any, *, back: str) -> HttpResponse:
    """The page that shows a new key's secret, this once."""
    return render(
        request,
        "identity/access_key.html",
        {
            "page": framed(_("Access key created"), (_("My Credentials"), back)),
            "key": key,
            "back": back,
        },
    )


@page(audience="buyer", operations=["setAccessKey", "deleteAccessKey"])
def access_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Enable, disable or delete an access key."""
    if request.method == "POST":
        wish = request.POST.get("wish", "")
        if wish == "delete":
            iam.delete_access_key(request.call, access_key=key_id)
            messages.success(request, _("The access key is deleted."))
        elif wish in ("enable", "disable"):
            iam.set_access_key(request.call, access_key=key_id, enabled=wish == "enable")
            messages.success(request, _("The access key is changed."))
    return HttpResponseRedirect(safe_next(request, request.POST.get("next", reverse("identity:credentials"))))


@page(audience="signed_in", operations=["askToVerifyEmail"])
def ask_to_verify(request: HttpRequest) -> HttpResponse:
    """Send another link to one's e-mail address."""
    if request.method == "POST":
        try:
            accounts.ask_again(_own_call(request))
            messages.success(request, _("We sent a link to %(email)s.") % {"email": request.user.email})
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("identity:credentials"))


@never_cache
@page(audience="signed_in", operations=["enableTwoStep"])
def enable_two_step(request: HttpRequest) -> HttpResponse:
    """Show the key to the authenticator app and take its first code."""
    if two_step.device_of(request.user, confirmed=True) is not None:
        return HttpResponseRedirect(reverse("identity:credentials"))
    form = EnableTwoStepForm(request.POST or None)
    device = two_step.waiting_device(request.user)
    parents = [(_("My Credentials"), reverse("identity:credentials"))]
    if request.method == "POST" and form.is_valid():
        codes = attempt(form, lambda: two_step.enable(_own_call(request), code=form.cleaned_data["code"]))
        if codes is not None:
            return render(
                request,
                "identity/recovery_codes.html",
                {
                    **_frame(request, _("Recovery codes"), *parents),
                    "codes": codes,
                },
            )
    return render(
        request,
        "identity/enable_two_step.html",
        {
            **_frame(request, _("Set up two-step verification"), *parents),
            "form": form,
            "key": two_step.key_text(device),
            "picture": qr.svg_address(device.config_url),
        },
    )


@sensitive_post_parameters("password")
@page(audience="signed_in", operations=["disableTwoStep"])
def disable_two_step(request: HttpRequest) -> HttpResponse:
    """Switch two-step verification off."""
    form = DisableTwoStepForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        if attempt(form, lambda: two_step.disable(_own_call(request), password=password)):
            return _back(request, _("Two-step verification is switched off."))
    parents = [(_("My Credentials"), reverse("identity:credentials"))]
    return render(
        request,
        "identity/disable_two_step.html",
        {
            **_frame(request, _("Switch off two-step verification"), *parents),
            "form": form,
        },
    )


@page(audience="signed_in", operations=["setPreferences"])
def display(request: HttpRequest) -> HttpResponse:
    """Language, time zone and theme; the menus of the frame send one of them and come back to their page."""
    user = request.user
    if request.method == "POST" and "next" in request.POST:
        sent = {name: request.POST[name] for name in ("language", "zone", "theme") if name in request.POST}
        preferences.set_preferences(_own_call(request), **sent)
        return HttpResponseRedirect(safe_next(request, request.POST["next"]))
    initial = {
        "language": user.language or get_language(),
        "zone": user.zone,
        "theme": user.theme or Theme.AUTO,
    }
    form = PreferencesForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: preferences.set_preferences(_own_call(request), **form.cleaned_data))
        if done is not None:
            messages.success(request, _("Your preferences are saved."))
            return HttpResponseRedirect(reverse("identity:preferences"))
    return render(
        request,
        "identity/preferences.html",
        {**_frame(request, _("Language and time zone")), "form": form},
    )


def _back(request: HttpRequest, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return HttpResponseRedirect(reverse("identity:credentials"))
