"""What the frame of billing's pages shows."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _


def framed(title: Any, *parents: tuple[Any, str], intro: Any = "") -> dict[str, Any]:
    """The frame's `page`: title and breadcrumb of parents."""
    return {"title": title, "console": "buyer", "breadcrumbs": list(parents), "intro": intro}


def billing_parent() -> tuple[str, str]:
    """The breadcrumb of what stands under Billing Overview."""
    return _("Billing Overview"), reverse("billing:overview")
