"""Signing in and out. What is tried is traced, and tried only so often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.hashers import make_password
from django_otp import devices_for_user, match_token
from django_otp.plugins.otp_static.models import StaticDevice

from koogallery.identity import attempts
from koogallery.identity.models import User
from koogallery.identity.states import AttemptKind
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused


def find(*, name: str, account: str = "") -> list[User]:
    """The users a sign-in may mean: with `account`, that account's IAM user `name`; else the root user whose
    e-mail or account `name` is, or an operations manager."""
    users = User.objects.select_related("account").filter(is_active=True)
    name, account = name.strip(), account.strip()
    if account:
        return list(users.filter(account__name__iexact=account, username__iexact=name, is_root=False))
    roots = users.filter(is_root=True)
    found = list(roots.filter(email__iexact=name) if "@" in name else roots.filter(account__name__iexact=name))
    return found + list(users.filter(account__isnull=True, sign_in_name__iexact=name))


def verify(call: Call, *, name: str, password: str, account: str = "") -> User:
    """The user whom name and password show; nothing is signed in yet.

    Raises `Refused("sign_in_failed")`, the same for every fault, or `Refused("too_many_attempts")`.
    """
    tried = f"{account.strip()}/{name.strip()}" if account else name.strip()
    taken = attempts.take(AttemptKind.SIGN_IN, name=tried, address=call.address)
    candidates = find(name=name, account=account)
    for user in candidates:
        if user.check_password(password):
            attempts.give_back(taken)
            attempts.forget(AttemptKind.SIGN_IN, name=tried)
            return user
    if not candidates:
        make_password(password)
    return _enter(acting(call, candidates[0]) if candidates else call, passed=False)


def needs_code(user: User) -> bool:
    """Whether the user has switched on two-step verification."""
    return any(not isinstance(device, StaticDevice) for device in devices_for_user(user, confirmed=True))


def verify_code(call: Call, *, user: User, code: str) -> Any:
    """The device whose code this is: the user's app, or a recovery code, which is used up.

    Raises `Refused("code_wrong")`.
    """
    name = f"code:{user.pk}"
    taken = attempts.take(AttemptKind.SIGN_IN, name=name, address=call.address)
    device = match_token(user, code.replace(" ", ""))
    if device is None:
        raise Refused("code_wrong", field="code")
    attempts.give_back(taken)
    attempts.forget(AttemptKind.SIGN_IN, name=name)
    return device


def enter(call: Call, *, user: User) -> User:
    """Note that a verified user signs in."""
    return _enter(acting(call, user), passed=True)


def acting(call: Call, user: User) -> Call:
    """The call as one of this user."""
    role = Role.OPERATOR if user.account_id is None else Role.BUYER
    return replace(call, role=role, user=user, account=user.account)


@operation(
    "signIn",
    resource_type="User",
    action="iam:self:signIn",
    roles={Role.ANONYMOUS, Role.BUYER, Role.OPERATOR},
)
def _enter(call: Call, *, passed: bool) -> User:
    """Sign in."""
    if call.user is not None:
        describe(resource=call.user)
    if not passed:
        raise Refused("sign_in_failed")
    User.objects.filter(pk=call.user.pk).update(last_sign_in_at=call.at)
    return call.user


@operation(
    "signOut",
    resource_type="User",
    action="iam:self:signOut",
    roles={Role.BUYER, Role.OPERATOR, Role.SELLER},
)
def leave(call: Call) -> User:
    """Sign out."""
    return call.user
