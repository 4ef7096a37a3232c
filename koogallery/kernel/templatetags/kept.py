"""`{% kept "frames/topbar.html" %}`: what every visitor sees alike is rendered once until something shown changes.

`{% alike "frames/products_menu.html" %}` does so for what signed-in users see alike, too, and `{% sidenav sections %}`
for a console's navigation with the same counts. `{% steady %}…{% endsteady %}` stands around words, icons and addresses
that depend on the language only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from django import template
from django.template.base import Node, NodeList, Parser, Token
from django.template.context import Context
from django.template.loader_tags import BlockNode
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from koogallery.kernel import pagecache
from koogallery.kernel.navigation import Section

register = template.Library()

HERE = "ADDRESS-OF-THIS-PAGE"
MOST = 64
_kept: dict[tuple[str, ...], tuple[int, list[str]]] = {}
MOST_NAVIGATIONS = 256
_navigations: dict[tuple[Any, ...], SafeString] = {}


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
    parts = _once(context, key, version, frame=_Elsewhere(frame))
    return SafeString(parts[0] if len(parts) == 1 else quote(frame.path).join(parts))


@register.simple_tag(takes_context=True)
def alike(context: Context, name: str) -> SafeString:
    """A template that depends on the language only, besides on what is shown to everybody."""
    version = pagecache.version()
    if version is None:
        return context.template.engine.get_template(name).render(context)  # type: ignore[union-attr]
    return SafeString(_once(context, (name, get_language() or ""), version)[0])


@register.simple_tag(takes_context=True)
def sidenav(context: Context, sections: Sequence[Section]) -> SafeString:
    """The links of a console's navigation."""
    links = tuple((link.url, link.count, link.current) for section in sections for link in section.links)
    key = (get_language(), links)
    found = _navigations.get(key)
    if found is None:
        template = context.template.engine.get_template("frames/sidenav.html")  # type: ignore[union-attr]
        with context.push(sections=sections):
            found = SafeString(template.render(context))
        if len(_navigations) >= MOST_NAVIGATIONS:
            _navigations.clear()
        _navigations[key] = found
    return found


def _once(context: Context, key: tuple[str, ...], version: int, **changed: Any) -> list[str]:
    """A template, rendered once, as what stands around each mark of the page's address."""
    found = _kept.get(key)
    if found is None or found[0] != version:
        with context.push(**changed):
            template = context.template.engine.get_template(key[0])  # type: ignore[union-attr]
            found = (version, str(template.render(context)).split(HERE))
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = found
    return found[1]


class Steady(Node):
    """Nodes rendered once per language, without the page's context, so that they cannot depend on it."""

    child_nodelists = ()

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self._rendered: dict[str, SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """The text in the language in force."""
        language = get_language() or ""
        text = self._rendered.get(language)
        if text is None:
            text = self._rendered[language] = self.nodelist.render(context.new({}))
        return text


@register.tag
def steady(parser: Parser, token: Token) -> Steady:
    """`{% steady %}…{% endsteady %}`. Raises `TemplateSyntaxError` around a block, which differs from page to page."""
    nodelist = parser.parse(("endsteady",))
    parser.delete_first_token()
    if nodelist.get_nodes_by_type(BlockNode):
        raise template.TemplateSyntaxError("A block differs from page to page and cannot stand inside steady.")
    return Steady(nodelist)
