"""What every page of the console hands to its template."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


def page_context(request: HttpRequest, title: str, **rest: Any) -> dict[str, Any]:
    """The console's own context with a title; also tells Unfold which site it is."""
    request.current_app = admin.site.name  # type: ignore[attr-defined]
    return {**admin.site.each_context(request), "title": title, **rest}
