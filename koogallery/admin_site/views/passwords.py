"""An operations manager's own password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.admin_site.context import page_context
from koogallery.identity.operations import passwords
from koogallery.kernel import pages
from koogallery.kernel.admin import OperationButton, dressed, perform


class PasswordForm(forms.Form):
    """The present password, and the new one twice."""

    present = forms.CharField(
        label=gettext_lazy("Present password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("New password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("new") != self.cleaned_data.get("again"):
            self.add_error("again", forms.ValidationError(_("The two do not match."), code="mismatch"))
        return self.cleaned_data


def change(request: HttpRequest) -> HttpResponse:
    """Change one's own password; other sessions end, this one stays."""
    button = OperationButton(
        "changePassword",
        _("Change password"),
        run=lambda call, row, data: passwords.change_password(call, present=data["present"], new=data["new"]),
        says=_("Your other sessions end."),
    )
    form = dressed(PasswordForm(request.POST if request.method == "POST" else None))
    if request.method == "POST" and form.is_valid():
        done, user = perform(form, lambda: button.run(pages.make_call(request, "operator"), None, form.cleaned_data))
        if done:
            update_session_auth_hash(request, user)
            messages.success(request, _("Your password is changed."))
            return HttpResponseRedirect(reverse("admin:index"))
    context = page_context(
        request,
        _("Change password"),
        button=button,
        form=form,
        back=reverse("admin:index"),
        key_field=pages.KEY_FIELD,
        key=pages.new_key(),
    )
    return TemplateResponse(request, "admin/operation_confirm.html", context)
