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
    return format_html(
        '<button type="button" class="{}" aria-disabled="true" popovertarget="{}" popovertargetaction="show" '
        'aria-describedby="{}" data-why>{}</button><span class="why" id="{}" popover role="tooltip">{}{}</span>',
        css,
        key,
        key,
        label,
        key,
        why,
        f" {who}" if who else "",
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
    return hidden_inputs([(pages.KEY_FIELD, pages.new_key())])


def token_html(token: str) -> SafeString:
    """The hidden token against forged requests; nothing without one."""
    return hidden_inputs([("csrfmiddlewaretoken", token)]) if token else SafeString("")


def opener_html(*, label: Any, css: str, dialog: str) -> SafeString:
    """The button that opens a dialog; without JavaScript it loads the page with the dialog open."""
    return format_html(
        '<button type="submit" class="{}" form="confirm-form" name="confirm" value="{}" data-dialog="{}" '
        'aria-haspopup="dialog">{}</button>',
        css,
        dialog,
        dialog,
        label,
    )


def cancel_html(label: Any = "") -> SafeString:
    """The Cancel button of a dialog; without JavaScript it shows the page without the dialog."""
    return format_html(
        '<button type="submit" class="button" form="confirm-form" data-close>{}</button>', label or _("Cancel")
    )


def dialog_html(content: Any, *, id: str, title: Any, is_open: bool = False, wide: bool = False) -> SafeString:
    """A dialog around its content."""
    return format_html(
        '<dialog class="dialog{}" id="{}" aria-labelledby="{}-title"{}><header><h2 id="{}-title">{}</h2></header>'
        "{}</dialog>",
        " dialog-wide" if wide else "",
        id,
        id,
        SafeString(" open") if is_open else "",
        id,
        title,
        content,
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
    form = format_html(
        '<form method="post" action="{}">{}{}{}<div class="dialog-body">{}</div>'
        '<footer>{}<button type="submit" class="button {}">{}</button></footer></form>',
        action,
        token_html(token),
        idempotency_html(),
        hidden_inputs(fields or {}),
        content,
        cancel_html(),
        "button-danger-solid" if danger else "button-primary",
        label or _("OK"),
    )
    return dialog_html(form, id=id, title=title, is_open=is_open)
