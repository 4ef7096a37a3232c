"""Checks that stop the start: empty ports, a URL that declares nothing, an operation nobody declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from koogallery.kernel import operations

FOREIGN_PREFIXES = (
    "django.",
    "unfold.",
    "koogallery.observability",
    "django_otp",
    "koogallery.admin_site",
    "functools",
)


def url_patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every URL of the project with its whole route."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from url_patterns(pattern, route)
        else:
            yield route, pattern


def is_foreign(view: Any) -> bool:
    """Whether a view comes from Django, its admin or the health pages, which declare nothing."""
    return str(getattr(view, "__module__", "")).startswith(FOREIGN_PREFIXES) or hasattr(view, "model_admin")


@register(Tags.urls)
def urls_declare_operations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every URL of ours declares audience and operations, and each named operation exists."""
    found: list[CheckMessage] = []
    for route, pattern in url_patterns():
        if route.startswith("admin/") or is_foreign(pattern.callback):
            continue
        declaration = getattr(pattern.callback, "declaration", None)
        if declaration is None:
            found.append(Error(f"/{route} declares no operation.", hint="Use kernel.pages.page.", id="kernel.E001"))
            continue
        found += [
            Error(f"/{route} names the unknown operation {name!r}.", id="kernel.E002")
            for name in declaration.operations
            if name not in operations.registry
        ]
    return found


@register()
def ports_are_filled(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """identity decides, audit records; without them nothing starts."""
    try:
        operations.ports.check()
    except operations.EmptyPort as empty:
        return [Error(str(empty), id="kernel.E003")]
    return []
