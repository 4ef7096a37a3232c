"""What the frame of identity's pages shows."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _


def framed(title: Any, *parents: tuple[Any, str], console: str = "buyer", intro: Any = "") -> dict[str, Any]:
    """The frame's `page`: title, console, breadcrumb of parents."""
    return {"title": title, "console": console, "breadcrumbs": list(parents), "intro": intro}


def iam_parent() -> tuple[str, str]:
    """The breadcrumb of everything under Users and Permissions."""
    return _("Users and Permissions"), reverse("identity:users")


def iam_tabs(current: str) -> list[dict[str, Any]]:
    """The tabs of Users and Permissions."""
    items = (
        ("users", _("Users")),
        ("groups", _("User Groups")),
        ("policies", _("Identity Policies")),
        ("simulator", _("Permission Simulator")),
        ("credentials", _("My Credentials")),
    )
    return [{"label": label, "url": reverse(f"identity:{name}"), "current": name == current} for name, label in items]
