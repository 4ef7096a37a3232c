"""Operations managers and their roles."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Group as RoleGroup

from koogallery.identity.models import User
from koogallery.identity.operations.iam import USER_NAME
from koogallery.identity.operations.passwords import check_strength
from koogallery.identity.operations.uniqueness import refused_if_taken
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused

WHO = {Role.OPERATOR, Role.SYSTEM}


def _operator(call: Call, number: str) -> User:
    try:
        return User.objects.select_for_update().get(account=None, number=number)
    except User.DoesNotExist:
        raise Missing(f"operations manager {number}") from None


@operation("createOperator", resource_type="Operator", roles=WHO, once=True)
def create_operator(
    call: Call, *, username: str, password: str, roles: Collection[OperatorRole | str], email: str = ""
) -> User:
    """Make an operations manager. Raises `Refused`: `user_name_form`, `user_name_taken`, `password_weak`, …"""
    username = username.strip()
    if not USER_NAME.fullmatch(username):
        raise Refused("user_name_form", field="username")
    check_strength(password, User(username=username, email=email))
    with refused_if_taken():
        user: User = User.objects.create_user(
            username, account=None, password=password, email=email.strip(), created_at=call.at
        )
    _give(user, roles)
    return user


@operation("setOperator", resource_type="Operator", roles=WHO, targets={"operator": _operator})
def set_operator(call: Call, *, operator: User, roles: Collection[OperatorRole | str], is_active: bool = True) -> User:
    """Let an operations manager have exactly these roles, and sign in or not. Raises `Refused("not_yourself")`."""
    if operator.pk == call.user_id:
        raise Refused("not_yourself")
    operator.is_active = is_active
    operator.save(update_fields=["is_active"])
    _give(operator, roles)
    return operator


def _give(user: User, roles: Collection[OperatorRole | str]) -> None:
    names = [OperatorRole(role).value for role in roles]
    if not names:
        raise Refused("operator_role_needed", field="roles")
    user.groups.set(RoleGroup.objects.filter(name__in=names))
    describe(resource=user, roles=names)
