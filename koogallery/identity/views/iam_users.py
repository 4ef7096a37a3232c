"""IAM users."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from koogallery.identity import queries, sellers
from koogallery.identity.forms import (
    CreateUserForm,
    GroupsForm,
    KeyForm,
    PoliciesForm,
    UserForm,
    UserPasswordForm,
)
from koogallery.identity.models import Group, User
from koogallery.identity.operations import iam
from koogallery.identity.views.credentials import shown_key
from koogallery.identity.views.framing import framed, iam_parent, iam_tabs
from koogallery.kernel import display
from koogallery.kernel.lists import Action, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Missing


def state_html(enabled: bool) -> str:
    """Enabled or disabled, as a badge."""
    if enabled:
        return display.badge_html("enabled", tone="success", label=_("Enabled"))
    return display.badge_html("disabled", label=_("Disabled"))


def address_of(user: User) -> str:
    """The page of an IAM user."""
    return reverse("identity:user", args=[user.number])


USERS = ListPage(
    name="iam-users",
    caption=gettext_lazy("Users"),
    columns=(
        Column("username", gettext_lazy("User name"), link=address_of, sort="username", strong=True, hideable=False),
        Column("description", gettext_lazy("Description")),
        Column("email", gettext_lazy("E-mail address"), sort="email"),
        Column(
            "groups",
            gettext_lazy("User groups"),
            value=lambda user: ", ".join(membership.group.name for membership in user.memberships.all()),
        ),
        Column(
            "is_active",
            gettext_lazy("Status"),
            html=lambda user: state_html(user.is_active),
            csv=lambda user: _("Enabled") if user.is_active else _("Disabled"),
        ),
        Column("last_sign_in_at", gettext_lazy("Last sign-in"), sort="last_sign_in_at"),
        Column("created_at", gettext_lazy("Created"), sort="created_at"),
        actions(lambda user, request: [Action(_("Manage"), address_of(user))]),
    ),
    tabs=(Tab("all", gettext_lazy("All")),),
    search=Search(("username", "email", "description"), placeholder=gettext_lazy("User name, e-mail address")),
    default_sort="username",
    empty=Empty(
        gettext_lazy("No IAM users yet"),
        gettext_lazy("Give each person of your company a user of its own."),
        gettext_lazy("Create User"),
        "/console/iam/users/new/",
        "createUser",
    ),
)


def users_of(request: HttpRequest) -> QuerySet[User]:
    """The account's IAM users; the root user is not one of them."""
    users = User.objects.filter(account=request.call.account_id, is_root=False)
    return users.prefetch_related("memberships__group")


@page(audience="buyer", operations=["queryUserList"])
def user_list(request: HttpRequest) -> HttpResponseBase:
    """The account's IAM users."""
    iam.query_users(request.call)
    context = {
        "page": framed(_("Users and Permissions")),
        "tabs": iam_tabs("users"),
        "create_refused": may(request.call, "createUser"),
    }
    return USERS.respond(request, users_of(request), "identity/users.html", context)


@sensitive_post_parameters("password")
@never_cache
@page(audience="buyer", operations=["createUser"])
def create_user(request: HttpRequest) -> HttpResponse:
    """Create an IAM user."""
    form = CreateUserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = attempt(form, lambda: iam.create_user(request.call, **form.cleaned_data))
        if user is not None:
            messages.success(request, _("The user %(name)s is created.") % {"name": user.username})
            return HttpResponseRedirect(address_of(user))
    return render(
        request,
        "identity/form_page.html",
        {
            "page": framed(_("Create User"), iam_parent()),
            "form": form,
            "submit": _("Create User"),
            "cancel_url": reverse("identity:users"),
            "refused": may(request.call, "createUser"),
        },
    )


@sensitive_post_parameters("password")
@never_cache
@page(
    audience="buyer",
    operations=[
        "queryUserList",
        "updateUser",
        "resetUserPassword",
        "setUserGroups",
        "setUserPolicies",
        "createAccessKey",
    ],
)
def user_details(request: HttpRequest, number: str) -> HttpResponse:
    """One IAM user: contact, groups, policies, access keys, password."""
    user = users_of(request).filter(number=number).first()
    if user is None:
        raise Missing(f"user {number}")
    call, data = request.call, request.POST or None
    iam.query_users(call)
    groups = Group.objects.filter(account=call.account_id)
    policies = queries.policies_of_account(call.account)
    forms = {
        "user": UserForm(data, user=user, is_seller=sellers.seller_of(call.account_id) is not None),
        "groups": GroupsForm(
            data, rows=groups, chosen=[membership.group.number for membership in user.memberships.all()]
        ),
        "policies": PoliciesForm(
            data,
            rows=policies,
            chosen=user.attachments.values_list("policy__number", flat=True),
        ),
        "reset": UserPasswordForm(data),
        "key": KeyForm(data),
    }
    sent = next((form for form in forms.values() if form.is_bound), None)
    if sent is not None and sent.is_valid():
        values = {name: value for name, value in sent.cleaned_data.items() if name != "intent"}
        do = {
            "user": lambda: iam.update_user(call, user=number, **values),
            "groups": lambda: iam.set_user_groups(call, user=number, groups=values["chosen"]),
            "policies": lambda: iam.set_user_policies(call, user=number, policies=values["chosen"]),
            "reset": lambda: iam.reset_user_password(call, user=number, password=values["password"]),
            "key": lambda: iam.create_access_key(call, user=number, description=values["description"]),
        }[sent.intent_name]
        done = attempt(sent, do)
        if done is not None:
            if sent.intent_name == "key":
                return shown_key(request, done, back=address_of(user))
            messages.success(request, _("The user %(name)s is changed.") % {"name": user.username})
            return HttpResponseRedirect(address_of(user))
    return render(
        request,
        "identity/user.html",
        {
            "page": framed(user.username, iam_parent()),
            "shown_user": user,
            "state": format_html("{}", state_html(user.is_active)),
            "forms": forms,
            "keys": user.access_keys.all(),
            "refused": {
                name: may(call, operation)
                for name, operation in (
                    ("user", "updateUser"),
                    ("groups", "setUserGroups"),
                    ("policies", "setUserPolicies"),
                    ("reset", "resetUserPassword"),
                )
            },
            "keys_refused": iam.why_no_keys(call, user=user),
        },
    )
