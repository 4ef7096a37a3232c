"""Identity policies, and the simulator that says what they decide."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.db.models import Q as Where
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.identity import queries
from koogallery.identity.forms import PolicyEditForm, PolicyForm, SimulatorForm
from koogallery.identity.models import Policy
from koogallery.identity.operations import iam
from koogallery.identity.rules.policies import Decision, Ground, written
from koogallery.identity.views.framing import framed, iam_parent, iam_tabs
from koogallery.kernel.lists import Action, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Missing, Refused


def address_of(policy: Policy) -> str:
    """The page of a policy."""
    return reverse("identity:policy", args=[policy.number])


def _actions(policy: Policy, request: HttpRequest) -> list[Action]:
    if policy.is_system:
        return [Action(_("View"), address_of(policy))]
    return [
        Action(_("Edit"), address_of(policy)),
        Action(
            _("Delete"),
            reverse("identity:delete_policy", args=[policy.number]),
            post=True,
            danger=True,
            confirm=_("The policy %(name)s is deleted.") % {"name": policy.name},
            refused=may(request.call, "deletePolicy"),
        ),
    ]


POLICIES = ListPage(
    name="iam-policies",
    caption=gettext_lazy("Identity Policies"),
    columns=(
        Column("name", gettext_lazy("Name"), link=address_of, sort="name", strong=True, hideable=False),
        Column("description", gettext_lazy("Description")),
        Column(
            "kind",
            gettext_lazy("Type"),
            value=lambda policy: _("System policy") if policy.is_system else _("Custom policy"),
        ),
        Column("attached", gettext_lazy("Attached to"), value="attached", sort="attached", numeric=True),
        Column("updated_at", gettext_lazy("Changed"), sort="updated_at"),
        actions(_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("custom", gettext_lazy("Custom policies"), Where(account__isnull=False)),
        Tab("system", gettext_lazy("System policies"), Where(account__isnull=True)),
    ),
    search=Search(("name", "description"), placeholder=gettext_lazy("Name, description")),
    default_sort="name",
    empty=Empty(
        gettext_lazy("No policies yet"),
        "",
        gettext_lazy("Create Policy"),
        "/console/iam/policies/new/",
        "createPolicy",
    ),
)


@page(audience="buyer", operations=["queryUserList"])
def policy_list(request: HttpRequest) -> HttpResponseBase:
    """The account's policies and the platform's."""
    iam.query_users(request.call)
    own = queries.policies_of_account(request.call.account)
    policies = Policy.objects.filter(pk__in=own.values("pk")).annotate(attached=attached_count(request))
    context = {
        "page": framed(_("Identity Policies"), iam_parent()),
        "tabs": iam_tabs("policies"),
        "create_refused": may(request.call, "createPolicy"),
    }
    return POLICIES.respond(request, policies, "identity/policies.html", context)


def attached_count(request: HttpRequest) -> Count:
    """To how many users and groups of the account a policy is attached."""
    account = request.call.account_id
    own = Where(attachments__user__account=account) | Where(attachments__group__account=account)
    return Count("attachments", filter=own)


@page(audience="buyer", operations=["createPolicy"])
def create_policy(request: HttpRequest) -> HttpResponse:
    """Create a policy from JSON."""
    form = PolicyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        policy = attempt(form, lambda: iam.create_policy(request.call, **form.cleaned_data))
        if policy is not None:
            messages.success(request, _("The policy %(name)s is created.") % {"name": policy.name})
            return HttpResponseRedirect(address_of(policy))
    return render(
        request,
        "identity/policy.html",
        {
            "page": framed(_("Create Policy"), iam_parent(), (_("Identity Policies"), reverse("identity:policies"))),
            "form": form,
            "submit": _("Create Policy"),
            "refused": may(request.call, "createPolicy"),
            "known_actions": queries.actions_of_buyers(),
        },
    )


@page(audience="buyer", operations=["queryUserList", "updatePolicy"])
def policy_details(request: HttpRequest, number: str) -> HttpResponse:
    """One policy: its document, to whom it is attached; the account's own can be changed."""
    policy = queries.policies_of_account(request.call.account).filter(number=number).first()
    if policy is None:
        raise Missing(f"policy {number}")
    iam.query_users(request.call)
    document = written(policy.document)
    form = None
    if not policy.is_system:
        form = PolicyEditForm(request.POST or None, policy=policy, document=document)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            done = attempt(form, lambda: iam.update_policy(request.call, policy=number, **values))
            if done is not None:
                messages.success(request, _("The policy %(name)s is changed.") % {"name": done.name})
                return HttpResponseRedirect(address_of(done))
    attached = policy.attachments.filter(
        Where(user__account=request.call.account_id) | Where(group__account=request.call.account_id)
    ).select_related("user", "group")
    return render(
        request,
        "identity/policy.html",
        {
            "page": framed(policy.name, iam_parent(), (_("Identity Policies"), reverse("identity:policies"))),
            "form": form,
            "submit": _("Save"),
            "policy": policy,
            "document": document,
            "attached": attached,
            "refused": may(request.call, "updatePolicy"),
            "known_actions": queries.actions_of_buyers(),
        },
    )


@page(audience="buyer", operations=["deletePolicy"])
def delete_policy(request: HttpRequest, number: str) -> HttpResponse:
    """Delete a policy that nobody has."""
    if request.method == "POST":
        try:
            iam.delete_policy(request.call, policy=number)
            messages.success(request, _("The policy is deleted."))
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("identity:policies"))


@page(audience="buyer", operations=["simulatePolicies"])
def simulator(request: HttpRequest) -> HttpResponse:
    """Ask the function that enforces what it would decide."""
    iam.query_simulator(request.call)
    users = list(queries.active_users(request.call.account_id))
    form = SimulatorForm(
        request.GET if "user" in request.GET else None, users=users, actions=queries.actions_of_buyers()
    )
    decision = None
    if form.is_bound and form.is_valid():
        user = next(user for user in users if user.number == form.cleaned_data["user"])
        decision = queries.simulate(user, form.cleaned_data["action"], form.cleaned_data["product"].strip())
    return render(
        request,
        "identity/simulator.html",
        {
            "page": framed(_("Permission Simulator"), iam_parent()),
            "tabs": iam_tabs("simulator"),
            "form": form,
            "decision": decision,
            "why": why(decision) if decision else "",
        },
    )


def why(decision: Decision) -> str:
    """Which statement decided, in a sentence."""
    names = {"policy": decision.policy, "statement": decision.statement}
    match decision.ground:
        case Ground.ROOT:
            return _("The root user is never denied.")
        case Ground.DENIED:
            return _("%(statement)s of the policy %(policy)s denies it.") % names
        case Ground.ALLOWED:
            return _("%(statement)s of the policy %(policy)s allows it.") % names
        case Ground.DEFAULT:
            return _("No statement matches; IAM users have this action by default.")
        case _:
            return _("No statement matches, and the action needs an Allow.")
