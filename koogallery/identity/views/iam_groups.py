"""IAM groups."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.identity import queries
from koogallery.identity.forms import GroupForm, MembersForm, PoliciesForm
from koogallery.identity.models import Group, User
from koogallery.identity.operations import iam
from koogallery.identity.views.framing import framed, iam_parent, iam_tabs
from koogallery.kernel.lists import Action, Column, Empty, ListPage, Search, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Missing, Refused


def address_of(group: Group) -> str:
    """The page of a group."""
    return reverse("identity:group", args=[group.number])


GROUPS = ListPage(
    name="iam-groups",
    caption=gettext_lazy("User Groups"),
    columns=(
        Column("name", gettext_lazy("Name"), link=address_of, sort="name", strong=True, hideable=False),
        Column("description", gettext_lazy("Description")),
        Column("members", gettext_lazy("Members"), value="members", sort="members", numeric=True),
        Column("created_at", gettext_lazy("Created"), sort="created_at"),
        actions(
            lambda group, request: [
                Action(_("Manage"), address_of(group)),
                Action(
                    _("Delete"),
                    reverse("identity:delete_group", args=[group.number]),
                    post=True,
                    danger=True,
                    confirm=_("The group %(name)s is deleted; its members lose what it gives them.")
                    % {"name": group.name},
                    refused=may(request.call, "deleteGroup"),
                ),
            ]
        ),
    ),
    search=Search(("name", "description"), placeholder=gettext_lazy("Name, description")),
    default_sort="name",
    empty=Empty(
        gettext_lazy("No user groups yet"),
        gettext_lazy("A group gives the same policies to all its members."),
        gettext_lazy("Create User Group"),
        "/console/iam/groups/new/",
        "createGroup",
    ),
)


@page(audience="buyer", operations=["queryUserList"])
def group_list(request: HttpRequest) -> HttpResponseBase:
    """The account's groups."""
    iam.query_users(request.call)
    groups = Group.objects.filter(account=request.call.account_id).annotate(members=Count("memberships"))
    context = {
        "page": framed(_("User Groups"), iam_parent()),
        "tabs": iam_tabs("groups"),
        "create_refused": may(request.call, "createGroup"),
    }
    return GROUPS.respond(request, groups, "identity/groups.html", context)


@page(audience="buyer", operations=["createGroup"])
def create_group(request: HttpRequest) -> HttpResponse:
    """Create a group."""
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("name", "description")}
        group = attempt(form, lambda: iam.create_group(request.call, **values))
        if group is not None:
            messages.success(request, _("The group %(name)s is created.") % {"name": group.name})
            return HttpResponseRedirect(address_of(group))
    return render(
        request,
        "identity/form_page.html",
        {
            "page": framed(_("Create User Group"), iam_parent()),
            "form": form,
            "submit": _("Create User Group"),
            "cancel_url": reverse("identity:groups"),
            "refused": may(request.call, "createGroup"),
        },
    )


@page(audience="buyer", operations=["queryUserList", "updateGroup", "setGroupPolicies"])
def group_details(request: HttpRequest, number: str) -> HttpResponse:
    """One group: name, members, policies."""
    call, data = request.call, request.POST or None
    group = Group.objects.filter(account=call.account_id, number=number).first()
    if group is None:
        raise Missing(f"group {number}")
    iam.query_users(call)
    users = User.objects.filter(account=call.account_id, is_root=False).order_by("username")
    forms = {
        "group": GroupForm(data, group=group),
        "members": MembersForm(data, rows=users, chosen=group.memberships.values_list("user__number", flat=True)),
        "policies": PoliciesForm(
            data,
            rows=queries.policies_of_account(call.account),
            chosen=group.attachments.values_list("policy__number", flat=True),
        ),
    }
    sent = next((form for form in forms.values() if form.is_bound), None)
    if sent is not None and sent.is_valid():
        values = {name: value for name, value in sent.cleaned_data.items() if name != "intent"}
        do = {
            "group": lambda: iam.update_group(call, group=number, **values),
            "members": lambda: iam.update_group(
                call, group=number, name=group.name, description=group.description, members=values["chosen"]
            ),
            "policies": lambda: iam.set_group_policies(call, group=number, policies=values["chosen"]),
        }[sent.intent_name]
        done = attempt(sent, do)
        if done is not None:
            messages.success(request, _("The group %(name)s is changed.") % {"name": done.name})
            return HttpResponseRedirect(address_of(done))
    return render(
        request,
        "identity/group.html",
        {
            "page": framed(group.name, iam_parent(), (_("User Groups"), reverse("identity:groups"))),
            "group": group,
            "forms": forms,
            "refused": {
                "group": may(call, "updateGroup"),
                "members": may(call, "updateGroup"),
                "policies": may(call, "setGroupPolicies"),
            },
        },
    )


@page(audience="buyer", operations=["deleteGroup"])
def delete_group(request: HttpRequest, number: str) -> HttpResponse:
    """Delete a group."""
    if request.method == "POST":
        try:
            iam.delete_group(request.call, group=number)
            messages.success(request, _("The group is deleted."))
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("identity:groups"))
