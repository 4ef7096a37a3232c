"""The design system's tags and filters; settings make them built-in, so templates need no `{% load %}`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.middleware.csrf import get_token
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from koogallery.kernel import charts, display, markup
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused

register = template.Library()

VARIANTS = {"", "primary", "danger", "danger-solid", "quiet"}


# Values


@register.filter
def money(value: Money | None) -> SafeString:
    """`{{ amount|money }}`: `USD 1,200.00`."""
    return display.money_html(value)


@register.simple_tag(name="money")
def money_tag(value: Money | None, *, unit: str = "", strong: bool = False) -> SafeString:
    """`{% money amount unit="/ month" strong=True %}`."""
    return display.money_html(value, unit=unit, strong=strong)


@register.filter
def moment(value: datetime | None) -> SafeString:
    """`{{ at|moment }}`: one line, `Jan 05, 2027 23:59:59 GMT+08:00`."""
    return display.moment_html(value, line=True)


@register.simple_tag(name="moment")
def moment_tag(value: datetime | None, *, note: str = "", distance: bool = True) -> SafeString:
    """`{% moment at %}`: as in lists, zone and distance small below; `note` replaces the distance."""
    return display.moment_html(value, note=note, distance=distance)


@register.filter
def day(value: date | None) -> SafeString:
    """`{{ date|day }}`: `Jan 05, 2027`."""
    return display.date_html(value)


@register.filter
def distance(value: datetime | None) -> str:
    """`{{ at|distance }}`: `in 24 days`, `3 hours ago`."""
    return display.distance_text(value) if value else display.NOTHING


@register.simple_tag
def badge(state: Any, *, tone: str = "", label: str = "") -> SafeString:
    """`{% badge order.state_enum %}` or `{% badge _("Enabled") tone="success" %}`."""
    return display.badge_html(state, tone=tone, label=label)


@register.simple_tag
def logo(name: str, url: str = "", *, size: str = "") -> SafeString:
    """`{% logo product.name product.logo_url size="sm" %}`: the picture, or letters on a tint."""
    return display.logo_html(str(name), url=url or "", size=size)


@register.filter
def shown(value: Any) -> Any:
    """`{{ value|shown }}`: any value by its type, a dash for nothing."""
    return display.value_html(value)


@register.simple_tag
def icon(name: str, label: str = "", *, size: str = "") -> SafeString:
    """`{% icon "bell" %}`; decorative unless it has a label; `size` sm or lg."""
    return markup.icon_html(name, label, size=size)


@register.simple_tag
def copy(text: Any, *, mono: bool = True, shown: str = "") -> SafeString:
    """`{% copy order.number %}`: the text with a button that copies it."""
    words = shown or text
    if text in (None, ""):
        return SafeString(display.NOTHING)
    return format_html(
        '<span class="copyable"><span class="{}">{}</span>'
        '<button type="button" class="copy" data-copy="{}" aria-label="{}">{}{}</button></span>',
        "mono" if mono else "",
        words,
        text,
        _("Copy %(text)s") % {"text": words},
        markup.icon_html("copy", extra="todo"),
        markup.icon_html("check", extra="done"),
    )


# Buttons


@register.simple_tag
def button(
    label: Any,
    *,
    href: str = "",
    variant: str = "",
    icon: str = "",
    size: str = "",
    dialog: str = "",
    refused: Refused | None = None,
    reason: str = "",
    type: str = "submit",
    name: str = "",
    value: str = "",
    form: str = "",
    wide: bool = False,
    menu: str = "",
    as_link: bool = False,
) -> SafeString:
    """`{% button _("Pay Now") variant="primary" %}`.

    With `href` a link; with `dialog="id"` it opens that dialog (also without JavaScript); with `menu="id"` that menu;
    `as_link` draws a button as a link's text, for rows of a table.
    `refused` (what `operations.may` answers) or `reason` disables it and says why and who can help.
    """
    if variant not in VARIANTS:
        raise ValueError(f"No button variant {variant!r}.")
    css = "button" + (f" button-{variant}" if variant else "") + (f" button-{size}" if size else "")
    css += " button-wide" if wide else ""
    css = "link" if as_link else css
    inner = SafeString((markup.icon_html(icon) if icon else "") + markup.escaped(label))
    why = refused.sentence if refused is not None else str(reason)
    if why:
        return markup.disabled_html(label=inner, css=css, why=why, who=display.who_can_help(refused))
    if href:
        return SafeString(f'<a class="{css}" href="{markup.escaped(href)}">{inner}</a>')
    if dialog:
        return markup.opener_html(label=inner, css=css, dialog=dialog)
    if menu:
        return format_html(
            '<button type="button" class="{}" popovertarget="{}" aria-haspopup="true">{}{}</button>',
            css,
            menu,
            inner,
            markup.icon_html("chevron-down", size="sm"),
        )
    extra = format_html(' name="{}" value="{}"', name, value) if name else ""
    extra = format_html('{} form="{}"', extra, form) if form else extra
    return format_html('<button type="{}" class="{}"{}>{}</button>', type, css, extra, inner)


@register.simple_tag
def idempotency_field() -> SafeString:
    """The hidden key of a form that creates something (R18)."""
    return markup.idempotency_html()


# Boxes around content


@register.simple_block_tag
def panel(content: SafeString, title: Any = "", *, note: Any = "", flush: bool = False, id: str = "") -> SafeString:
    """`{% panel _("Basic Information") note="…" %}…{% endpanel %}`; `flush=True` for tables that fill the panel."""
    heading = f"panel-{markup.escaped(id) or secrets.token_hex(3)}"
    head = named = ""
    if title:
        small = f'<span class="note">{markup.escaped(note)}</span>' if note else ""
        head = f'<header><h2 id="{heading}">{markup.escaped(title)}</h2>{small}</header>'
        named = f' aria-labelledby="{heading}"'
    body = content if flush else f'<div class="panel-body">{content}</div>'
    own = f' id="{markup.escaped(id)}"' if id else ""
    return SafeString(f'<section class="panel"{own}{named}>{head}{body}</section>')


@register.simple_block_tag
def notice(content: SafeString, *, tone: str = "info", icon: str = "", title: Any = "") -> SafeString:
    """`{% notice tone="warning" icon="clock" title="…" %}…{% endnotice %}`; tones info, success, warning, danger."""
    chosen = icon or {"warning": "triangle-alert", "danger": "circle-alert", "success": "circle-check"}.get(
        tone, "info"
    )
    strong = format_html("<strong>{}</strong>", title) if title else ""
    return format_html(
        '<div class="notice notice-{}"{}>{}<div>{}{}</div></div>',
        tone,
        SafeString(' role="alert"') if tone == "danger" else "",
        markup.icon_html(chosen),
        strong,
        content,
    )


@register.simple_block_tag
def facts(content: SafeString) -> SafeString:
    """`{% facts %}{% fact _("Order No.") %}…{% endfact %}{% endfacts %}`: a key-value grid in two or three columns."""
    return format_html('<dl class="facts">{}</dl>', content)


@register.simple_block_tag
def fact(content: SafeString, label: Any, *, wide: bool = False) -> SafeString:
    """One pair of `facts`; an empty value shows a dash."""
    shown = content if content.strip() else display.NOTHING
    return format_html("<div{}><dt>{}</dt><dd>{}</dd></div>", SafeString(' class="wide"') if wide else "", label, shown)


@register.simple_block_tag
def sums(content: SafeString) -> SafeString:
    """`{% sums %}{% sum _("Paid") amount total=True %}{% endsums %}`: amounts under each other."""
    return format_html('<dl class="sums">{}</dl>', content)


@register.simple_tag
def sum(label: Any, value: Any, *, total: bool = False) -> SafeString:
    """One line of `sums`."""
    return format_html(
        "<div{}><dt>{}</dt><dd>{}</dd></div>",
        SafeString(' class="total"') if total else "",
        label,
        display.value_html(value),
    )


@register.simple_block_tag(takes_context=True)
def dialog(context: Context, content: SafeString, id: str, *, title: Any, wide: bool = False) -> SafeString:
    """`{% dialog "edit-tags" title=_("Edit tags") %}…{% enddialog %}`, opened by `{% button … dialog="edit-tags" %}`.

    Put the form inside, its buttons in a `<footer>`. Without JavaScript the page shows it for `?confirm=<id>`.
    """
    return markup.dialog_html(content, id=id, title=title, wide=wide, is_open=_asked_for(context, id))


def _asked_for(context: Context, id: str) -> bool:
    request = context.get("request")
    return request is not None and request.GET.get("confirm") == id


@register.simple_tag
def cancel_dialog(label: Any = "") -> SafeString:
    """The Cancel button of a dialog; without JavaScript it shows the page without the dialog."""
    return markup.cancel_html(label)


@register.simple_block_tag(takes_context=True)
def confirm(
    context: Context,
    content: SafeString,
    id: str,
    *,
    title: Any,
    action: str = "",
    label: Any = "",
    danger: bool = False,
    fields: Mapping[str, str] | None = None,
) -> SafeString:
    """A dialog that names the object, says what happens (the content) and posts to `action` on OK.

    `{% confirm "cancel-order" title=_("Cancel order") action=url %}…{% endconfirm %}`; the content may hold fields.
    """
    request = context.get("request")
    return markup.confirm_html(
        content,
        id=id,
        title=title,
        action=action,
        token=get_token(request) if request is not None else "",
        label=label,
        danger=danger,
        fields=fields,
        is_open=_asked_for(context, id),
    )


@register.simple_block_tag
def menu(content: SafeString, id: str, *, start: bool = False) -> SafeString:
    """`{% button _("More") menu="more" %}{% menu "more" %}<a href>…</a>{% endmenu %}`."""
    return format_html('<div class="menu{}" id="{}" popover>{}</div>', " menu-start" if start else "", id, content)


# Larger pieces, each with a template of its own


@register.simple_tag
def empty_state(title: Any, text: Any = "", *, action: Any = "", url: str = "", icon: str = "inbox") -> SafeString:
    """Where there is nothing: one sentence and the next step."""
    context = {"title": title, "text": text, "action": action, "url": url, "icon": icon}
    return render_to_string("components/empty.html", context)


@register.simple_tag
def stepper(steps: Sequence[Mapping[str, Any]], *, label: Any = "") -> SafeString:
    """`{% stepper steps %}`; each step has `label`, `note`, `state`: done, current, upcoming or failed."""
    return render_to_string("components/stepper.html", {"steps": steps, "label": label})


@register.simple_tag
def timeline(entries: Iterable[Mapping[str, Any]]) -> SafeString:
    """`{% timeline entries %}`; each entry has `title`, `at`, and may have `text`, `actor`, `tone`, `files`."""
    return render_to_string("components/timeline.html", {"entries": entries})


@register.simple_tag
def tabs(items: Sequence[Mapping[str, Any]], *, label: Any = "") -> SafeString:
    """`{% tabs items %}`; each item has `label`, `url`, `current` and may have `count`."""
    return markup.tabs_html(items, label=label)


@register.simple_tag
def crumbs(trail: Sequence[tuple[Any, str]]) -> SafeString:
    """`{% crumbs page.breadcrumbs %}`: label and address of what lies above the page; nothing without any."""
    return markup.crumbs_html(trail or ())


@register.simple_tag
def explanation(found: Any, *, open: bool = False, label: Any = "") -> SafeString:
    """`{% explanation quote.explanation %}`: "How is this calculated?" with the steps as a small table."""
    if found is None:
        return SafeString("")
    return render_to_string("components/explanation.html", {"explanation": found, "open": open, "label": label})


@register.simple_tag
def chart(
    points: Sequence[charts.Point], *, kind: str = "bars", label: Any, names: Any = "", values: Any = ""
) -> SafeString:
    """`{% chart points label=_("Spend by month") %}`: `kind` bars or line, the numbers in a table behind a toggle."""
    drawn = charts.line(points) if kind == "line" else charts.bars(points)
    context = {"drawing": drawn, "points": points, "label": label, "names": names, "values": values}
    return render_to_string("components/chart.html", context)


@register.simple_tag(takes_context=True)
def secret(context: Context, url: str, *, label: Any, refused: Refused | None = None) -> SafeString:
    """A masked value with an eye; pressing it posts to `url`, which answers `components/secret_shown.html`."""
    return render_to_string(
        "components/secret.html",
        {"url": url, "label": label, "why": refused.sentence if refused else "", "who": display.who_can_help(refused)},
        request=context.get("request"),
    )


@register.simple_tag
def disabled(label: Any, why: Any, *, who: Any = "", link: bool = False) -> SafeString:
    """A control that says why it cannot be used."""
    return markup.disabled_html(label=label, css="link" if link else "button", why=str(why), who=str(who))


@register.filter
def initials(name: Any) -> str:
    """One or two letters that stand for a name."""
    return display.initials(str(name))


@register.filter(name="help")
def help_text(refused: Refused) -> str:
    """Who can change what was refused."""
    return display.who_can_help(refused)


@register.filter
def lines(text: str) -> SafeString:
    """Plain text with its line breaks kept."""
    return display.lines_html(text or "")


@register.filter
def field_kind(field: Any) -> str:
    """Which control a form field shows: check, options, password, file or input."""
    widget = getattr(field.field.widget, "input_type", "")
    if widget == "checkbox" and not field.use_fieldset:
        return "check"
    return {"radio": "options", "checkbox": "options", "password": "password", "file": "file"}.get(widget, "input")
