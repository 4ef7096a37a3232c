"""Operations managers' view of accounts, users, agreements."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group as RoleGroup
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from koogallery.identity import queries
from koogallery.identity.models import (
    Account,
    AgreementSignature,
    AgreementText,
    ContactConsent,
    EnterpriseProject,
    Policy,
    User,
)
from koogallery.identity.operations import accounts, agreements, operators
from koogallery.identity.states import AccountKind, AgreementKind, OperatorRole
from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, OperationButton
from koogallery.kernel.money import EXPONENTS

if admin.site.is_registered(RoleGroup):
    admin.site.unregister(RoleGroup)


class FreezeForm(forms.Form):
    """Why an account is frozen."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


class AccountForm(forms.Form):
    """A new account."""

    name = forms.CharField(label=_("Account name"), max_length=64)
    kind = forms.ChoiceField(label=_("Kind"), choices=AccountKind.choices)
    reseller = forms.ModelChoiceField(
        label=_("Reseller"), queryset=Account.objects.filter(is_reseller=True), required=False
    )
    is_reseller = forms.BooleanField(label=_("Is a reseller"), required=False)
    email = forms.EmailField(label=_("E-mail address"))
    mobile = forms.CharField(label=_("Mobile number"), max_length=32, required=False)
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in EXPONENTS])
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)


class OperatorForm(forms.Form):
    """Roles of an operations manager."""

    roles = forms.MultipleChoiceField(label=_("Roles"), choices=OperatorRole.choices)
    is_active = forms.BooleanField(label=_("May sign in"), required=False)


class NewOperatorForm(forms.Form):
    """A new operations manager."""

    username = forms.CharField(label=_("User name"), max_length=64)
    email = forms.EmailField(label=_("E-mail address"), required=False)
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    roles = forms.MultipleChoiceField(label=_("Roles"), choices=OperatorRole.choices)


class AgreementForm(forms.Form):
    """The next version of a text."""

    kind = forms.ChoiceField(label=_("Kind"), choices=AgreementKind.choices)
    subject = forms.CharField(label=_("Subject"), max_length=120, help_text=_("terms, eula:PRODUCT or special:PRODUCT"))
    title_en = forms.CharField(label=_("Title in English"), max_length=200)
    text_en = forms.CharField(label=_("Text in English"), widget=forms.Textarea(attrs={"rows": 14}))
    title_zh = forms.CharField(label=_("Title in Chinese"), max_length=200, required=False)
    text_zh = forms.CharField(label=_("Text in Chinese"), widget=forms.Textarea(attrs={"rows": 14}), required=False)


def _publish(call: Any, row: AgreementText | None, data: Any) -> AgreementText:
    return agreements.publish_text(
        call,
        kind=data["kind"],
        subject=data["subject"],
        titles={"en": data["title_en"], "zh-hans": data["title_zh"]},
        texts={"en": data["text_en"], "zh-hans": data["text_zh"]},
    )


def _present_text(row: AgreementText) -> dict[str, str]:
    return {
        "kind": row.kind,
        "subject": row.subject,
        "title_en": row.titles.get("en", ""),
        "text_en": row.texts.get("en", ""),
        "title_zh": row.titles.get("zh-hans", ""),
        "text_zh": row.texts.get("zh-hans", ""),
    }


class UserInline(GuardedInline):
    """The users of an account."""

    model = User
    fields = ("username", "email", "mobile", "is_root", "is_active", "seller_role", "last_sign_in_at")
    fk_name = "account"


class ProjectInline(GuardedInline):
    """The enterprise projects of an account."""

    model = EnterpriseProject
    fields = ("name", "code", "kind", "enabled")


@admin.register(Account)
class AccountAdmin(GuardedModelAdmin):
    """Accounts: opened, frozen, unfrozen."""

    list_display = ("name", "number", "kind", "reseller", "currency", "email", "frozen_at", "created_at")
    list_filter = ("kind", "is_reseller", "currency")
    search_fields = ("name", "number", "email")
    list_select_related = ("reseller",)
    inlines = (UserInline, ProjectInline)
    list_buttons = (
        OperationButton(
            "createAccount",
            _("Open account"),
            run=lambda call, row, data: accounts.create(call, **data),
            form=AccountForm,
            says=_("The root user has the account's name and sets a password by Reset password on the sign-in page."),
        ),
    )
    operation_buttons = (
        OperationButton(
            "freezeAccount",
            _("Freeze"),
            run=lambda call, row, data: accounts.freeze(call, account=row.number, reason=data["reason"]),
            form=FreezeForm,
            says=_("The account can read, top up and repay, but not order. Its users are told."),
            danger=True,
            shown=lambda row: not row.is_frozen,
        ),
        OperationButton(
            "unfreezeAccount",
            _("Unfreeze"),
            run=lambda call, row, data: accounts.unfreeze(call, account=row.number),
            says=_("The account can order again. Its users are told."),
            shown=lambda row: row.is_frozen,
        ),
    )


@admin.register(User)
class UserAdmin(GuardedModelAdmin):
    """Users of accounts, and operations managers with their roles."""

    list_display = ("sign_in_name", "account", "email", "is_root", "is_staff", "is_active", "last_sign_in_at")
    list_filter = ("is_staff", "is_root", "is_active", "groups")
    search_fields = ("sign_in_name", "number", "email")
    list_select_related = ("account",)
    exclude = ("password", "user_permissions", "preferences")
    list_buttons = (
        OperationButton(
            "createOperator",
            _("Add operations manager"),
            run=lambda call, row, data: operators.create_operator(call, **data),
            form=NewOperatorForm,
        ),
    )
    operation_buttons = (
        OperationButton(
            "setOperator",
            _("Change roles"),
            run=lambda call, row, data: operators.set_operator(call, operator=row.number, **data),
            form=OperatorForm,
            initial=lambda row: {
                "roles": [role.value for role in queries.operator_roles(row)],
                "is_active": row.is_active,
            },
            shown=lambda row: row.account_id is None,
        ),
    )


@admin.register(Policy)
class PolicyAdmin(GuardedModelAdmin):
    """Identity policies of accounts, for support."""

    list_display = ("name", "account", "description", "updated_at")
    search_fields = ("name", "account__name")
    list_select_related = ("account",)


@admin.register(AgreementText)
class AgreementTextAdmin(GuardedModelAdmin):
    """Versions of agreements; a new one is published, none is changed."""

    list_display = ("subject", "version", "kind", "title", "published_at")
    list_filter = ("kind",)
    search_fields = ("subject",)
    list_buttons = (OperationButton("publishAgreement", _("Publish agreement"), run=_publish, form=AgreementForm),)
    operation_buttons = (
        OperationButton(
            "publishAgreement",
            _("Publish next version"),
            run=_publish,
            form=AgreementForm,
            initial=_present_text,
            says=_("Orders placed from now on sign the new version; signed ones keep theirs."),
        ),
    )


@admin.register(AgreementSignature)
class AgreementSignatureAdmin(GuardedModelAdmin):
    """Who signed what."""

    list_display = ("number", "account", "user", "text", "order_number", "at")
    search_fields = ("number", "order_number", "account__name")
    list_select_related = ("account", "user", "text")
    date_hierarchy = None


@admin.register(ContactConsent)
class ContactConsentAdmin(GuardedModelAdmin):
    """Consents to pass on contact data."""

    list_display = ("order_number", "account", "user", "kind", "seller_name", "granted_at", "withdrawn_at")
    search_fields = ("order_number", "account__name")
    list_select_related = ("account", "user")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactConsent]:
        return super().get_queryset(request).order_by("-granted_at")
