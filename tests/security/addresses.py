"""The URL table as the tests see it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern

from koogallery.kernel.checks import is_foreign, url_patterns


@dataclass(frozen=True)
class Address:
    """One URL: its route, audience and declared operations."""

    route: str
    audience: str
    operations: tuple[str, ...]
    pattern: URLPattern

    @property
    def names_an_object(self) -> bool:
        return "<" in self.route

    def at(self, parameters: Mapping[str, Any]) -> str:
        """The path with its parameters filled in."""
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(parameters[found.group(1)]), self.route)

    @property
    def anywhere(self) -> str:
        """A path of the address that names nothing; for refusals that come before any object is looked for."""
        kinds = {"int": "1", "uuid": str(uuid.UUID(int=1))}
        return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: kinds.get(found.group(1) or "str", "x"), self.route)

    def at_nothing(self, parameters: Mapping[str, Any]) -> str:
        """The path of an object of the same form that does not exist."""
        return self.at({name: unknown(value) for name, value in parameters.items()})


def unknown(value: Any) -> Any:
    """A value of the same form that names nothing."""
    if isinstance(value, uuid.UUID):
        return uuid.UUID(int=1)
    if isinstance(value, int):
        return 987_654_321
    return "z" * len(str(value))


def all_addresses() -> list[Address]:
    """Every address of ours, the admin's excepted."""
    return [
        Address(route, declared.audience, declared.operations, pattern)
        for route, pattern in url_patterns()
        if not route.startswith("admin/")
        and not is_foreign(pattern.callback)
        and (declared := getattr(pattern.callback, "declaration", None)) is not None
    ]
