"""The sign-in form of operations managers: the same checks, limits and traces as the platform's own page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from koogallery.identity.authorising import operator_roles
from koogallery.identity.models import User
from koogallery.identity.operations import signing_in
from koogallery.kernel import pages
from koogallery.kernel.reasons import Refused


class SignInForm(AuthenticationForm):
    """User name, password, and the code of those who switched on two-step verification."""

    code = forms.CharField(
        label=_("Verification code"),
        required=False,
        max_length=16,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": " ".join(BASE_INPUT_CLASSES)}
        ),
        help_text=_("Only with two-step verification."),
    )

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("User name")

    def clean(self) -> dict[str, Any]:
        """Verify name, password and code, and note the sign-in; any fault reads the same."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name and password and self.request is not None:
            try:
                self.user_cache = self._verified(name, password)
            except Refused as refused:
                raise forms.ValidationError(refused.sentence, code=refused.code) from refused
        return self.cleaned_data

    def _verified(self, name: str, password: str) -> User:
        call = pages.make_call(self.request, "public")
        user = signing_in.verify(call, name=name, password=password)
        if not operator_roles(user):
            raise Refused("sign_in_failed")
        if signing_in.needs_code(user):
            signing_in.verify_code(call, user=user, code=self.cleaned_data.get("code", ""))
        return signing_in.enter(call, user=user)
