"""Pieces of markup that templates and Python share: icons, disabled controls, dialogs, hidden keys.

Lists draw hundreds of cells, where a template for each would cost most of a page's time.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from koogallery.kernel import pages

DASH = "—"
CURRENT_PAGE = ' aria-current="page"'


@lru_cache(maxsize=1)
def sprite_address() -> str:
    """Where the icons are; the address is fixed while a process lives."""
    return static("img/icons.svg")


@lru_cache(maxsize=1024)
def icon_html(name: str, label: str = "", *, size: str = "", extra: str = "") -> SafeString:
    """An icon of the sprite `img/icons.svg`; decorative unless it has a label; `size` sm or lg."""
    css = " ".join(part for part in ("icon", f"icon-{size}" if size in {"sm", "lg"} else "", extra) if part)
    address = sprite_address()
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#{}"/></svg>', css, label, address, name
        )
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>', css, address, name
    )


def disabled_html(*, label: Any, css: str, why: str, who: str = "", key: str = "") -> SafeString:
    """A control that cannot be used now but can be reached: a press, hover or focus says why and who can help."""
    key = key or f"why-{secrets.token_hex(4)}"
    name, reason = escaped(key), escaped(why) + (f" {escaped(who)}" if who else "")
    return SafeString(
        f'<button type="button" class="{css}" aria-disabled="true" popovertarget="{name}" popovertargetaction="show" '
        f'aria-describedby="{name}" data-why>{escaped(label)}</button>'
        f'<span class="why" id="{name}" popover role="tooltip">{reason}</span>'
    )


def escaped(value: Any) -> str:
    """A value as text of markup; what is markup already stays. Django's own does the same in five times the time."""
    text = str(value)
    return text if hasattr(value, "__html__") and not isinstance(value, Promise) else html.escape(text)


def tabs_html(items: Iterable[Mapping[str, Any]], *, label: Any = "") -> SafeString:
    """Links to the parts of a page; each item has `label`, `url`, `current` and may have `count`."""
    links = "".join(
        f'<a href="{escaped(item["url"])}"{CURRENT_PAGE if item.get("current") else ""}>{escaped(item["label"])}'
        f"{_count_html(item.get('count'))}</a>"
        for item in items
    )
    return SafeString(f'<nav class="tabs" aria-label="{escaped(label or _("Sections"))}">{links}</nav>')


def _count_html(count: Any) -> str:
    return "" if count in (None, "") else f' <span class="tab-count">{escaped(count)}</span>'


def crumbs_html(trail: Sequence[tuple[Any, str]]) -> SafeString:
    """Label and address of what lies above a page; nothing without any."""
    if not trail:
        return SafeString("")
    items = "".join(
        f'<li><a href="{escaped(url)}">{escaped(label)}</a></li>' if url else f"<li>{escaped(label)}</li>"
        for label, url in trail
    )
    return SafeString(
        f'<nav class="crumbs" aria-label="{escaped(_("Breadcrumb"))}"><ol class="crumbs-list">{items}</ol></nav>'
    )


def facts_html(pairs: Iterable[tuple[Any, Any]]) -> SafeString:
    """A key-value grid, as `{% facts %}` makes it; an empty value shows a dash."""
    shown = "".join(f"<div><dt>{escaped(key)}</dt><dd>{escaped(each) or DASH}</dd></div>" for key, each in pairs)
    return SafeString(f'<dl class="facts">{shown}</dl>')


def hidden_inputs(pairs: Mapping[str, str] | list[tuple[str, str]]) -> SafeString:
    """Hidden inputs for a form."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return SafeString(
        "".join(f'<input type="hidden" name="{escaped(name)}" value="{escaped(value)}">' for name, value in items)
    )


def idempotency_html() -> SafeString:
    """The hidden key of a form that creates something (R18)."""
    return SafeString(f'<input type="hidden" name="{pages.KEY_FIELD}" value="{pages.new_key()}">')


def token_html(token: str) -> SafeString:
    """The hidden token against forged requests; nothing without one."""
    if not token:
        return SafeString("")
    return SafeString(f'<input type="hidden" name="csrfmiddlewaretoken" value="{escaped(token)}">')


def opener_html(*, label: Any, css: str, dialog: str) -> SafeString:
    """The button that opens a dialog; without JavaScript it loads the page with the dialog open."""
    name = escaped(dialog)
    return SafeString(
        f'<button type="submit" class="{css}" form="confirm-form" name="confirm" value="{name}" data-dialog="{name}" '
        f'aria-haspopup="dialog">{escaped(label)}</button>'
    )


def cancel_html(label: Any = "") -> SafeString:
    """The Cancel button of a dialog; without JavaScript it shows the page without the dialog."""
    return _cancel_html(str(label)) if label else _plain_cancel_html(get_language())


@lru_cache(maxsize=8)
def _plain_cancel_html(language: str | None) -> SafeString:
    return _cancel_html(_("Cancel"))


def _cancel_html(label: str) -> SafeString:
    return SafeString(f'<button type="submit" class="button" form="confirm-form" data-close>{escaped(label)}</button>')


def dialog_html(content: Any, *, id: str, title: Any, is_open: bool = False, wide: bool = False) -> SafeString:
    """A dialog around its content."""
    name, wide_too, open_too = escaped(id), " dialog-wide" if wide else "", " open" if is_open else ""
    return SafeString(
        f'<dialog class="dialog{wide_too}" id="{name}" aria-labelledby="{name}-title"{open_too}>'
        f'<header><h2 id="{name}-title">{escaped(title)}</h2></header>{escaped(content)}</dialog>'
    )


def confirm_html(
    content: Any,
    *,
    id: str,
    title: Any,
    action: str,
    token: str,
    label: Any = "",
    danger: bool = False,
    fields: Mapping[str, str] | None = None,
    is_open: bool = False,
) -> SafeString:
    """A dialog that says what happens and posts to `action` on OK."""
    hidden = f"{token_html(token)}{idempotency_html()}{hidden_inputs(fields or {})}"
    css = "button-danger-solid" if danger else "button-primary"
    form = SafeString(
        f'<form method="post" action="{escaped(action)}">{hidden}<div class="dialog-body">{escaped(content)}</div>'
        f'<footer>{cancel_html()}<button type="submit" class="button {css}">{escaped(label or _("OK"))}</button>'
        "</footer></form>"
    )
    return dialog_html(form, id=id, title=title, is_open=is_open)
