"""Django's view of our users: who has a session, and what an operations manager may look at in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from koogallery.identity.authorising import operator_roles
from koogallery.identity.models import User
from koogallery.identity.rules import rights
from koogallery.identity.states import OperatorRole
from koogallery.kernel.prepared import Given, Prepared

_USER = Prepared(lambda: User.objects.select_related("account").filter(pk=Given("pk"), is_active=True))


class AccountBackend(BaseBackend):
    """Loads the user of a session. Passwords are checked by `operations.signing_in` alone, which counts and traces."""

    def get_user(self, user_id: int) -> User | None:
        """The user with its account, unless it may no longer sign in."""
        return _USER.first(pk=user_id)

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """An operations role shows the rows of its apps; only administrators may have more, and through operations."""
        app, _, codename = perm.partition(".")
        roles = operator_roles(user_obj)
        if OperatorRole.ADMINISTRATOR in roles:
            return True
        return codename.startswith("view_") and rights.operator_sees(roles, app)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether a role shows anything of an app."""
        return rights.operator_sees(operator_roles(user_obj), app_label)

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Nobody: there is one sign-in page."""
        return
