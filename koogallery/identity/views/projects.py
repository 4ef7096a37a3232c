"""Enterprise projects."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.identity.forms import ProjectForm
from koogallery.identity.models import EnterpriseProject
from koogallery.identity.operations import projects
from koogallery.identity.states import ProjectKind
from koogallery.identity.views.framing import framed
from koogallery.identity.views.iam_users import state_html
from koogallery.kernel.lists import Action, ChoiceFilter, Column, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Missing, Refused, sentence


def _actions(project: EnterpriseProject, request: HttpRequest) -> list[Action]:
    fixed = sentence("project_default") if project.is_default else ""
    off = "" if project.enabled else sentence("project_disabled", name=project.name)
    edit = Action(
        _("Edit"),
        reverse("identity:project", args=[project.code]),
        reason=fixed or off,
        refused=may(request.call, "updateEnterpriseProject"),
    )
    if not project.enabled:
        return [
            edit,
            Action(
                _("Enable"),
                reverse("identity:switch_project", args=[project.code]),
                post=True,
                fields={"wish": "enable"},
                refused=may(request.call, "enableEnterpriseProject"),
            ),
        ]
    test = sentence("project_test_stays", name=project.name) if project.kind == ProjectKind.TEST else ""
    return [
        edit,
        Action(
            _("Disable"),
            reverse("identity:switch_project", args=[project.code]),
            post=True,
            fields={"wish": "disable"},
            confirm=_("The enterprise project %(name)s is no longer offered for choice; what belongs to it stays.")
            % {"name": project.name},
            reason=fixed or test,
            refused=may(request.call, "disableEnterpriseProject"),
        ),
    ]


PROJECTS = ListPage(
    name="projects",
    caption=gettext_lazy("Enterprise Projects"),
    columns=(
        Column("name", gettext_lazy("Name"), sort="name", strong=True, hideable=False),
        Column("code", gettext_lazy("Project ID"), mono=True),
        Column("kind", gettext_lazy("Type"), value=lambda project: ProjectKind(project.kind)),
        Column(
            "enabled",
            gettext_lazy("Status"),
            html=lambda project: state_html(project.enabled),
            csv=lambda project: _("Enabled") if project.enabled else _("Disabled"),
        ),
        Column("description", gettext_lazy("Description")),
        Column("created_at", gettext_lazy("Created"), sort="created_at"),
        actions(_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("enabled", gettext_lazy("Enabled"), Q(enabled=True)),
        Tab("disabled", gettext_lazy("Disabled"), Q(enabled=False)),
    ),
    filters=(ChoiceFilter("kind", gettext_lazy("Type"), field="kind", choices=ProjectKind.choices),),
    search=Search(("name", "code"), placeholder=gettext_lazy("Name, project ID")),
    default_sort="created_at",
    empty=Empty(gettext_lazy("No enterprise projects yet")),
)


@page(audience="buyer", operations=["enableEnterpriseProjects"])
def project_list(request: HttpRequest) -> HttpResponseBase:
    """The account's projects; before the function is enabled, how to enable it."""
    account = request.call.account
    if request.method == "POST":
        projects.enable_projects(request.call)
        messages.success(request, _("Enterprise projects are enabled."))
        return HttpResponseRedirect(reverse("identity:projects"))
    context: dict[str, Any] = {"page": framed(_("Enterprise Projects"))}
    if not account.projects_enabled:
        context["enable_refused"] = may(request.call, "enableEnterpriseProjects")
        return render(request, "identity/projects_off.html", context)
    context["create_refused"] = may(request.call, "createEnterpriseProject")
    return PROJECTS.respond(request, account.projects.all(), "identity/projects.html", context)


@page(audience="buyer", operations=["createEnterpriseProject"])
def create_project(request: HttpRequest) -> HttpResponse:
    """Create a project."""
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = attempt(form, lambda: projects.create_project(request.call, **form.cleaned_data))
        if project is not None:
            messages.success(request, _("The enterprise project %(name)s is created.") % {"name": project.name})
            return HttpResponseRedirect(reverse("identity:projects"))
    return _form_page(
        request,
        form,
        title=_("Create Enterprise Project"),
        submit=_("Create Enterprise Project"),
        operation="createEnterpriseProject",
    )


@page(audience="buyer", operations=["updateEnterpriseProject"])
def edit_project(request: HttpRequest, code: str) -> HttpResponse:
    """Change a project."""
    project = EnterpriseProject.objects.filter(account=request.call.account_id, code=code).first()
    if project is None:
        raise Missing(f"project {code}")
    form = ProjectForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if attempt(form, lambda: projects.update_project(request.call, project=code, **values)):
            messages.success(request, _("The enterprise project %(name)s is changed.") % {"name": values["name"]})
            return HttpResponseRedirect(reverse("identity:projects"))
    return _form_page(request, form, title=project.name, submit=_("Save"), operation="updateEnterpriseProject")


@page(audience="buyer", operations=["enableEnterpriseProject", "disableEnterpriseProject"])
def switch_project(request: HttpRequest, code: str) -> HttpResponse:
    """Enable or disable a project."""
    if request.method == "POST":
        switch = projects.enable_project if request.POST.get("wish") == "enable" else projects.disable_project
        try:
            project = switch(request.call, project=code)
        except Refused as refused:
            messages.error(request, refused.sentence)
        else:
            messages.success(request, _("The enterprise project %(name)s is changed.") % {"name": project.name})
    return HttpResponseRedirect(reverse("identity:projects"))


def _form_page(request: HttpRequest, form: ProjectForm, *, title: str, submit: str, operation: str) -> HttpResponse:
    return render(
        request,
        "identity/form_page.html",
        {
            "page": framed(title, (_("Enterprise Projects"), reverse("identity:projects"))),
            "form": form,
            "submit": submit,
            "cancel_url": reverse("identity:projects"),
            "refused": may(request.call, operation),
        },
    )
