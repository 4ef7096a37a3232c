"""`{% kept "frames/topbar.html" %}`: what every visitor sees alike is rendered once until something shown changes.

`{% alike "frames/products_menu.html" %}` does so for what signed-in users see alike, too, `{% sidenav "buyer" %}` for
a console's navigation with the same counts, `{% topbar %}` for the top bar with the same choices. `{% steady %}…
{% endsteady %}` stands around words, icons and addresses that depend on the language only.
"""

from __future__ import annotations

import secrets
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from django import template
from django.template.base import Node, NodeList, Parser, Token
from django.template.context import Context
from django.template.loader_tags import BlockNode
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from koogallery.kernel import markup, navigation, pagecache

register = template.Library()

HERE, NAME, INITIALS, TOKEN = (f"{word}-{secrets.token_hex(8)}" for word in ("address", "name", "initials", "token"))
TOPBAR = "frames/topbar.html"
MOST = 64
_kept: dict[tuple[str, ...], tuple[int, list[str]]] = {}
MOST_NAVIGATIONS = 256
_navigations: dict[tuple[Any, ...], SafeString] = {}
_topbars: dict[tuple[Any, ...], tuple[int, str]] = {}


class _Elsewhere:
    """The frame, with marks in place of the page's address and the user's initials."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.path = HERE
        self.initials = INITIALS

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
def topbar(context: Context) -> SafeString:
    """The top bar; of signed-in users kept, too, with marks for what is a user's own."""
    user, frame, version = context.get("user"), context.get("frame"), pagecache.version()
    if user is None or frame is None or not user.is_authenticated or version is None:
        return kept(context, TOPBAR)
    console, name = str((context.get("page") or {}).get("console", "")), user.get_username()
    shown = str(frame.theme), console, str(frame.unread_messages), bool(frame.is_seller), bool(user.is_staff)
    key = (get_language(), *shown)
    found = _topbars.get(key)
    if found is None or found[0] != version:
        someone = SimpleNamespace(is_authenticated=True, is_staff=user.is_staff, get_username=NAME)
        with context.push(user=someone, frame=_Elsewhere(frame), csrf_token=TOKEN):
            text = context.template.engine.get_template(TOPBAR).render(context)  # type: ignore[union-attr]
        if len(_topbars) >= MOST:
            _topbars.clear()
        found = _topbars[key] = version, text
    token = str(context.get("csrf_token") or "")
    own = ((HERE, frame.path), (TOKEN, token), (NAME, name), (INITIALS, frame.initials))
    text = found[1]
    for mark, value in own:
        text = text.replace(mark, markup.escaped(value))
    return SafeString(text)


@register.simple_tag(takes_context=True)
def sidenav(context: Context, console: str) -> SafeString:
    """The links of a console's navigation."""
    request = context["request"]
    key = (get_language(), console, *navigation.state(console, request))
    found = _navigations.get(key)
    if found is None:
        template = context.template.engine.get_template("frames/sidenav.html")  # type: ignore[union-attr]
        with context.push(sections=navigation.sections(console, request)):
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
