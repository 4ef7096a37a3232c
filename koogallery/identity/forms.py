"""What pages of identity take in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models import EnterpriseProject, Group, Policy, User
from koogallery.identity.rules.policies import MAX_CHARACTERS
from koogallery.identity.rules.tags import KEY_LENGTH, VALUE_LENGTH
from koogallery.identity.states import ProjectKind, SellerRole, Theme

EXAMPLE = """{
  "Version": "5.0",
  "Statement": [
    {
      "Effect": "Deny",
      "Action": ["marketplace:order:create"],
      "Resource": ["*"]
    }
  ]
}"""


def _password(label: Any, *, new: bool = False, help_text: Any = "") -> forms.CharField:
    autocomplete = "new-password" if new else "current-password"
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, widget=widget, strip=False, max_length=200, help_text=help_text)


def _new_password(label: Any) -> forms.CharField:
    return _password(label, new=True, help_text=_("12 characters at least; not a common word, not your name."))


class IntentForm(forms.Form):
    """One of several forms on a page; `intent` says which was sent."""

    intent_name = ""
    intent = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        sent = data is not None and data.get("intent") == self.intent_name
        kwargs.setdefault("auto_id", f"{self.intent_name}-%s")
        kwargs["initial"] = {"intent": self.intent_name, **kwargs.get("initial", {})}
        super().__init__(data if sent else None, **kwargs)


# Signing in and up


class RootSignInForm(forms.Form):
    """A root user, or an operations manager."""

    name = forms.CharField(
        label=_("Account name or e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    password = _password(_("Password"))


class IamSignInForm(forms.Form):
    """An IAM user of an account."""

    account = forms.CharField(label=_("Account name"), max_length=64)
    name = forms.CharField(
        label=_("User name"), max_length=64, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    password = _password(_("Password"))


class CodeForm(forms.Form):
    """The second step."""

    code = forms.CharField(
        label=_("Verification code"),
        max_length=20,
        help_text=_("Six digits from your authenticator app, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class SignUpForm(forms.Form):
    """A new account."""

    name = forms.CharField(
        label=_("Account name"),
        max_length=64,
        help_text=_("Letters, digits, hyphens and underscores, beginning with a letter."),
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    mobile = forms.CharField(
        label=_("Mobile number"),
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )
    password = _new_password(_("Password"))


class AskResetForm(forms.Form):
    """Who forgot a password."""

    name = forms.CharField(
        label=_("E-mail address or account name"),
        max_length=254,
        help_text=_("IAM users write account name/user name."),
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )


class NewPasswordForm(forms.Form):
    """The password to be."""

    password = _new_password(_("New password"))


# One's own


class ContactForm(IntentForm):
    """Address and number of the user."""

    intent_name = "contact"
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    mobile = forms.CharField(
        label=_("Mobile number"),
        max_length=32,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )


class ChangePasswordForm(IntentForm):
    """The present password and the next."""

    intent_name = "password"
    present = _password(_("Present password"))
    new = _new_password(_("New password"))


class EnableTwoStepForm(forms.Form):
    """The first code of an authenticator app."""

    code = forms.CharField(
        label=_("Verification code"),
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class DisableTwoStepForm(forms.Form):
    """The password, asked again."""

    password = _password(_("Password"))


def zone_choices() -> list[tuple[str, Any]]:
    """The platform's zone, then every zone named by region and place."""
    places = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "System")))
    return [("", _("Zone of the platform (GMT+08:00)")), *((zone, zone.replace("_", " ")) for zone in places)]


class PreferencesForm(forms.Form):
    """How the user sees the platform."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=zone_choices,
        required=False,
        help_text=_("Times are shown in it. Deadlines are still computed in the zone of the platform."),
    )
    theme = forms.ChoiceField(label=_("Theme"), choices=Theme.choices)


# IAM


class CreateUserForm(forms.Form):
    """A new IAM user."""

    username = forms.CharField(
        label=_("User name"), max_length=64, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = _new_password(_("Password"))
    email = forms.EmailField(label=_("E-mail address"), required=False)
    mobile = forms.CharField(label=_("Mobile number"), max_length=32, required=False)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)


class UserForm(IntentForm):
    """An IAM user; the role is asked only in a seller's account."""

    intent_name = "user"
    email = forms.EmailField(label=_("E-mail address"), required=False)
    mobile = forms.CharField(label=_("Mobile number"), max_length=32, required=False)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    seller_role = forms.ChoiceField(
        label=_("Role in the Seller Console"), choices=[("", _("None")), *SellerRole.choices], required=False
    )
    is_active = forms.BooleanField(label=_("May sign in"), required=False)

    def __init__(self, data: Any = None, *, user: User, is_seller: bool, **kwargs: Any) -> None:
        names = ("email", "mobile", "description", "seller_role", "is_active")
        super().__init__(data, initial={name: getattr(user, name) for name in names}, **kwargs)
        if not is_seller:
            del self.fields["seller_role"]


class UserPasswordForm(IntentForm):
    """A new password for an IAM user."""

    intent_name = "reset"
    password = _new_password(_("New password"))


class _ChoicesForm(IntentForm):
    chosen = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    label: Any = ""

    def __init__(self, data: Any = None, *, rows: Iterable[Any], chosen: Iterable[str], **kwargs: Any) -> None:
        super().__init__(data, initial={"chosen": list(chosen)}, **kwargs)
        self.fields["chosen"].choices = [(row.number, str(row)) for row in rows]  # type: ignore[attr-defined]
        self.fields["chosen"].label = self.label


class GroupsForm(_ChoicesForm):
    """The groups of a user."""

    intent_name = "groups"
    label = _("User groups")


class PoliciesForm(_ChoicesForm):
    """The policies of a user or group."""

    intent_name = "policies"
    label = _("Identity policies")


class MembersForm(_ChoicesForm):
    """The users of a group."""

    intent_name = "members"
    label = _("Members")


class GroupForm(IntentForm):
    """Name and description of a group."""

    intent_name = "group"
    name = forms.CharField(label=_("Name"), max_length=128)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)

    def __init__(self, data: Any = None, *, group: Group | None = None, **kwargs: Any) -> None:
        initial = {"name": group.name, "description": group.description} if group else {}
        super().__init__(data, initial=initial, **kwargs)


class PolicyForm(forms.Form):
    """An identity policy as JSON."""

    name = forms.CharField(label=_("Name"), max_length=128)
    description = forms.CharField(label=_("Description"), max_length=512, required=False)
    document = forms.CharField(
        label=_("Policy document"),
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "mono", "maxlength": MAX_CHARACTERS}),
        initial=EXAMPLE,
        strip=False,
        help_text=_("JSON of version 5.0 or 1.1, at most 6,144 characters."),
    )


class SimulatorForm(forms.Form):
    """Who wants to do what with which product."""

    user = forms.ChoiceField(label=_("User"))
    action = forms.ChoiceField(label=_("Action"))
    product = forms.CharField(
        label=_("Product ID"), max_length=64, required=False, help_text=_("For conditions on marketplace:ProductId.")
    )

    def __init__(self, data: Any = None, *, users: Iterable[User], actions: Iterable[str], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["user"].choices = [(user.number, user.username) for user in users]  # type: ignore[attr-defined]
        self.fields["action"].choices = [(action, action) for action in actions]  # type: ignore[attr-defined]


class KeyForm(IntentForm):
    """A new access key."""

    intent_name = "key"
    description = forms.CharField(label=_("Description"), max_length=255, required=False)


# Projects and tags


class ProjectForm(forms.Form):
    """An enterprise project."""

    name = forms.CharField(label=_("Name"), max_length=255, help_text=_("Letters, digits, hyphens and underscores."))
    kind = forms.ChoiceField(
        label=_("Type"),
        choices=ProjectKind.choices,
        help_text=_("A commercial project never becomes a test project; a test project cannot be disabled."),
    )
    description = forms.CharField(
        label=_("Description"), max_length=512, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, project: EnterpriseProject | None = None, **kwargs: Any) -> None:
        if project is not None:
            names = ("name", "kind", "description")
            kwargs["initial"] = {name: getattr(project, name) for name in names}
        super().__init__(data, **kwargs)


class TagForm(forms.Form):
    """A predefined tag."""

    key = forms.CharField(label=_("Key"), max_length=KEY_LENGTH)
    value = forms.CharField(label=_("Value"), max_length=VALUE_LENGTH)


class PolicyEditForm(PolicyForm):
    """A policy that exists, its document written out."""

    def __init__(self, data: Any = None, *, policy: Policy, document: str, **kwargs: Any) -> None:
        initial = {"name": policy.name, "description": policy.description, "document": document}
        super().__init__(data, initial=initial, **kwargs)
