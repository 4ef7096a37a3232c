"""`{% kept "frames/topbar.html" %}`: what every visitor sees alike is rendered once until something shown changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import template
from django.template.context import Context
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from koogallery.kernel import pagecache

register = template.Library()

HERE = "ADDRESS-OF-THIS-PAGE"
MOST = 64
_kept: dict[tuple[str, ...], tuple[int, str]] = {}


class _Elsewhere:
    """The frame, with a mark in place of the page's address."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.path = HERE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frame, name)


@register.simple_tag(takes_context=True)
def kept(context: Context, name: str) -> SafeString:
    """A template that depends on language, theme, console and the page's address only, unless the visitor signed in."""
    engine = context.template.engine  # type: ignore[union-attr]
    user, frame, version = context.get("user"), context.get("frame"), pagecache.version()
    if user is None or user.is_authenticated or frame is None or version is None:
        return engine.get_template(name).render(context)
    console = str((context.get("page") or {}).get("console", ""))
    key = (name, get_language() or "", str(frame.theme), console)
    found = _kept.get(key)
    if found is None or found[0] != version:
        with context.push(frame=_Elsewhere(frame)):
            found = (version, str(engine.get_template(name).render(context)))
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = found
    return SafeString(found[1].replace(HERE, quote(frame.path)))
