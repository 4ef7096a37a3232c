"""Enterprise projects of an account (identity.md, G25 1.4.1)."""

from __future__ import annotations

import re

from koogallery.identity.models import Account, EnterpriseProject
from koogallery.identity.models.project import DEFAULT_CODE
from koogallery.identity.operations.uniqueness import refused_if_taken
from koogallery.identity.states import ProjectKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Missing, Refused

PROJECTS = 100
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
WHO = {Role.BUYER, Role.SYSTEM}


def _project(call: Call, code: str) -> EnterpriseProject:
    try:
        return EnterpriseProject.objects.select_for_update().get(account=call.account_id, code=code)
    except EnterpriseProject.DoesNotExist:
        raise Missing(f"project {code}") from None


@operation("enableEnterpriseProjects", resource_type="EnterpriseProject", roles=WHO)
def enable_projects(call: Call) -> EnterpriseProject:
    """Switch the function on; `default` exists from then on. Calling it again changes nothing."""
    account = Account.objects.select_for_update().get(number=call.account.number)
    default, _ = EnterpriseProject.objects.get_or_create(
        account=account,
        code=DEFAULT_CODE,
        defaults={"name": "default", "created_at": call.at, "updated_at": call.at},
    )
    account.projects_enabled = True
    account.save(update_fields=["projects_enabled"])
    return default


@operation("createEnterpriseProject", resource_type="EnterpriseProject", roles=WHO, once=True)
def create_project(
    call: Call, *, name: str, description: str = "", kind: ProjectKind | str = ProjectKind.COMMERCIAL
) -> EnterpriseProject:
    """Make a project; disabled ones count towards the 100.

    Raises `Refused`: `projects_off`, `project_name_form`, `project_name_taken`, `project_limit`.
    """
    account = Account.objects.select_for_update().get(number=call.account.number)
    if not account.projects_enabled:
        raise Refused("projects_off")
    if account.projects.count() >= PROJECTS:
        raise Refused("project_limit", limit=PROJECTS)
    project = EnterpriseProject(
        account=account,
        code=ids.public_id(),
        name=_name(name),
        description=_description(description),
        kind=ProjectKind(kind),
        created_at=call.at,
        updated_at=call.at,
    )
    with refused_if_taken():
        project.save()
    return project


@operation("updateEnterpriseProject", resource_type="EnterpriseProject", roles=WHO, targets={"project": _project})
def update_project(
    call: Call, *, project: EnterpriseProject, name: str, description: str = "", kind: ProjectKind | str = ""
) -> EnterpriseProject:
    """Change an enabled project; test may become commercial, never back.

    Raises `Refused`: `project_default`, `project_disabled`, `project_commercial_stays`, `project_name_…`.
    """
    if project.is_default:
        raise Refused("project_default")
    if not project.enabled:
        raise Refused("project_disabled", name=project.name)
    wanted = ProjectKind(kind or project.kind)
    if project.kind == ProjectKind.COMMERCIAL and wanted is ProjectKind.TEST:
        raise Refused("project_commercial_stays", field="kind", name=project.name)
    project.name, project.description, project.kind = _name(name), _description(description), wanted
    project.updated_at = call.at
    with refused_if_taken():
        project.save(update_fields=["name", "description", "kind", "updated_at"])
    return project


@operation("disableEnterpriseProject", resource_type="EnterpriseProject", roles=WHO, targets={"project": _project})
def disable_project(call: Call, *, project: EnterpriseProject) -> EnterpriseProject:
    """Hide a project from choices. Raises `Refused`: `project_default`, `project_test_stays`, `project_disabled`."""
    if project.is_default:
        raise Refused("project_default")
    if project.kind == ProjectKind.TEST:
        raise Refused("project_test_stays", name=project.name)
    if not project.enabled:
        raise Refused("project_disabled", name=project.name)
    return _switch(call, project, enabled=False)


@operation("enableEnterpriseProject", resource_type="EnterpriseProject", roles=WHO, targets={"project": _project})
def enable_project(call: Call, *, project: EnterpriseProject) -> EnterpriseProject:
    """Offer a disabled project again. Raises `Refused("project_enabled")`."""
    if project.enabled:
        raise Refused("project_enabled", name=project.name)
    return _switch(call, project, enabled=True)


def _switch(call: Call, project: EnterpriseProject, *, enabled: bool) -> EnterpriseProject:
    project.enabled, project.updated_at = enabled, call.at
    project.save(update_fields=["enabled", "updated_at"])
    return project


def _name(name: str) -> str:
    name = name.strip()
    if not NAME.fullmatch(name) or "default" in name.lower():
        raise Refused("project_name_form", field="name")
    return name


def _description(description: str) -> str:
    description = description.strip()
    if len(description) > 512:
        raise Refused("too_long", field="description", limit=512)
    return description
