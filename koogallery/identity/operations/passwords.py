"""Passwords: how strong, changed by their owner, or set anew by a link."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.urls import reverse

from koogallery.identity import attempts, events
from koogallery.identity.models import User
from koogallery.identity.states import AttemptKind
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.events import publish
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused


def check_strength(password: str, user: User, *, field: str = "password") -> None:
    """Raise `Refused("password_weak")` with what Django's validators say."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused("password_weak", field=field, why=" ".join(error.messages)) from None


@operation(
    "changePassword",
    resource_type="User",
    action="iam:self:changePassword",
    roles={Role.BUYER, Role.OPERATOR, Role.SELLER},
    sensitive=("present", "new"),
)
def change_password(call: Call, *, present: str, new: str) -> User:
    """Change the user's own password, which ends the user's other sessions. Raises `Refused` with the field."""
    user = User.objects.select_for_update().get(pk=call.user.pk)
    if not user.check_password(present):
        raise Refused("password_wrong", field="present")
    check_strength(new, user, field="new")
    _set(call, user, new)
    return user


def ask_reset(call: Call, *, name: str) -> None:
    """Send a link to the user of this e-mail address or sign-in name, if there is one; never say whether."""
    attempts.take(AttemptKind.RESET, name=name, address=call.address)
    for user in _users_called(name):
        _send_reset(call, user=user.number)


def user_of_reset_link(number: str, token: str) -> User | None:
    """The user of a link that is still valid, or None; a link is valid once and for a time."""
    user = User.objects.filter(number=number, is_active=True).select_related("account").first()
    return user if user is not None and default_token_generator.check_token(user, token) else None


@operation("resetPassword", resource_type="User", action="iam:self:resetPassword", roles={Role.ANONYMOUS, Role.BUYER})
def reset_password(call: Call, *, user: str, token: str, password: str) -> User:
    """Set a new password by a link, which also shows that the address is the user's. Raises `Refused`."""
    found = user_of_reset_link(user, token)
    if found is None:
        raise Refused("link_not_valid")
    locked = User.objects.select_for_update(of=("self",)).select_related("account").get(pk=found.pk)
    if not default_token_generator.check_token(locked, token):
        raise Refused("link_not_valid")
    check_strength(password, locked)
    if locked.email_verified_at is None:
        locked.email_verified_at = call.at
        locked.save(update_fields=["email_verified_at"])
    _set(call, locked, password)
    attempts.forget(AttemptKind.SIGN_IN, name=locked.sign_in_name)
    describe(resource=locked, account_id=locked.account_id)
    return locked


@operation(
    "askPasswordReset", resource_type="User", action="iam:self:askPasswordReset", roles={Role.ANONYMOUS, Role.BUYER}
)
def _send_reset(call: Call, *, user: str) -> User:
    """Send the link that lets a user set a new password."""
    found = User.objects.select_related("account").get(number=user)
    token = default_token_generator.make_token(found)
    publish(
        events.PasswordResetAsked(
            to=found.email,
            name=found.username,
            link=settings.SITE_ADDRESS + reverse("identity:reset_password", args=[found.number, token]),
            language=found.language or settings.LANGUAGE_CODE,
            hours=settings.PASSWORD_RESET_TIMEOUT // 3600,
            key=f"reset-password:{found.number}:{token[-16:]}",
            at=call.at,
        )
    )
    describe(resource=found, account_id=found.account_id)
    return found


def _users_called(name: str) -> list[User]:
    """The active users with an address that this name means: a root user's e-mail or account, or a sign-in name."""
    name = name.strip()
    if not name:
        return []
    users = User.objects.filter(is_active=True).exclude(email="")
    if "@" in name and "/" not in name:
        return list(users.filter(email__iexact=name).exclude(is_root=False, account__isnull=False)[:5])
    return list(users.filter(sign_in_name__iexact=name)[:1]) or list(
        users.filter(is_root=True, account__name__iexact=name)[:1]
    )


def _set(call: Call, user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    publish(
        events.PasswordChanged(
            account_id=user.account_id,
            user_id=user.pk,
            to=user.email,
            name=user.username,
            language=user.language or settings.LANGUAGE_CODE,
            address=call.address,
            at=call.at,
        )
    )
