"""How values are shown: moments, dates, amounts, states, yes and no (R1).

Pages, exports, mails and PDF files all show a value through this module, so that it reads the same everywhere.
The shown zone is Django's current zone: the platform's, unless the user picked another.
Functions ending in `_text` return plain text, those ending in `_html` return safe markup.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Help, Refused

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TONES = ("neutral", "info", "success", "warning", "danger", "accent")
NOTHING = "—"


def shown(moment: datetime) -> datetime:
    """The moment in the shown zone. Raises `ValueError` for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError("A moment needs a zone.")
    return moment.astimezone(timezone.get_current_timezone())


def zone_text(moment: datetime) -> str:
    """The offset of an aware moment as `GMT+08:00`."""
    offset = moment.utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"GMT{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def date_text(day: date) -> str:
    """`Jan 05, 2027`; a moment is taken as its date in the shown zone (R1)."""
    if isinstance(day, datetime):
        day = shown(day).date()
    return f"{MONTHS[day.month - 1]} {day.day:02d}, {day.year:04d}"


def clock_text(moment: datetime) -> str:
    """`Jan 05, 2027 23:59:59` in the shown zone, without naming the zone: name it beside."""
    local = shown(moment)
    return f"{date_text(local.date())} {local:%H:%M:%S}"


def moment_text(moment: datetime) -> str:
    """`Jan 05, 2027 23:59:59 GMT+08:00` in the shown zone (R1)."""
    return f"{clock_text(moment)} {zone_text(shown(moment))}"


def distance_text(moment: datetime, *, now: datetime | None = None) -> str:
    """How far the moment lies from now, in its largest unit: `in 24 days`, `3 hours ago`."""
    ahead = moment - (now or clock.now())
    seconds = int(abs(ahead.total_seconds()))
    future = ahead.total_seconds() > 0
    if seconds < 60:
        return _("now")
    if seconds < 3600:
        count = seconds // 60
        text = (
            ngettext("in %(count)d minute", "in %(count)d minutes", count)
            if future
            else ngettext("%(count)d minute ago", "%(count)d minutes ago", count)
        )
    elif seconds < 48 * 3600:
        count = seconds // 3600
        text = (
            ngettext("in %(count)d hour", "in %(count)d hours", count)
            if future
            else ngettext("%(count)d hour ago", "%(count)d hours ago", count)
        )
    else:
        count = seconds // 86400
        text = (
            ngettext("in %(count)d day", "in %(count)d days", count)
            if future
            else ngettext("%(count)d day ago", "%(count)d days ago", count)
        )
    return text % {"count": count}


def duration_text(duration: timedelta) -> str:
    """A duration in its largest unit: `18 hours`, `3 days`; under a minute `less than a minute`."""
    seconds = int(duration.total_seconds())
    if seconds < 60:
        return _("less than a minute")
    if seconds < 3600:
        count = seconds // 60
        return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}
    if seconds < 48 * 3600:
        count = seconds // 3600
        return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}
    count = seconds // 86400
    return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}


@lru_cache(maxsize=4096)
def _moment_parts(moment: datetime, zone: tzinfo) -> tuple[str, str, str, str]:
    """What a `<time>` shows: for machines, on hover, in a zone, and the zone itself."""
    utc, local = moment.astimezone(UTC), moment.astimezone(zone)
    time = f"{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}"
    machine = f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{time}Z"
    hover = f"{date_text(utc.date())} {time} UTC"
    shown_time = f"{local.hour:02d}:{local.minute:02d}:{local.second:02d}"
    return machine, hover, f"{date_text(local.date())} {shown_time}", zone_text(local)


def moment_html(moment: datetime | None, *, note: str = "", distance: bool = True, line: bool = False) -> SafeString:
    """A `<time>` with UTC on hover.

    In lists, date and time stand on one line and the zone with the distance (or `note`) small below;
    with `line=True` all is on one line, the zone included, and `note` or distance is left out.
    """
    if moment is None:
        return SafeString(NOTHING)
    if moment.tzinfo is None:
        raise ValueError("A moment needs a zone.")
    machine, hover, clock_shown, zone = _moment_parts(moment, timezone.get_current_timezone())
    if line:
        return SafeString(
            f'<time class="moment moment-line" datetime="{machine}" title="{hover}">{clock_shown} {zone}</time>'
        )
    small = note or (distance_text(moment) if distance else "")
    beside = f"{zone} · {conditional_escape(small)}" if small else zone
    return SafeString(
        f'<time class="moment" datetime="{machine}" title="{hover}">{clock_shown} <small>{beside}</small></time>'
    )


def date_html(day: date | None) -> SafeString:
    """A `<time>` for a calendar date."""
    if day is None:
        return SafeString(NOTHING)
    return format_html('<time datetime="{}">{}</time>', day.isoformat()[:10], date_text(day))


def money_html(money: Money | None, *, unit: str = "", strong: bool = False) -> SafeString:
    """`USD 1,200.00` kept on one line, with the unit (`/ month`) smaller."""
    if money is None:
        return SafeString(NOTHING)
    small = f' <small class="unit">{conditional_escape(unit)}</small>' if unit else ""
    return SafeString(f'<span class="{"money money-strong" if strong else "money"}">{money}{small}</span>')


def label_text(state: Any) -> str:
    """What a state is called: its `label`, else its value."""
    return str(getattr(state, "label", getattr(state, "value", state)))


def tone_of(state: Any, tones: Mapping[Any, str] | None = None) -> str:
    """The status colour of a state: from `tones`, else its own `tone`, else neutral."""
    found = (tones or {}).get(state) or getattr(state, "tone", "") or "neutral"
    return str(found) if found in TONES else "neutral"


def badge_html(state: Any, *, tone: str = "", label: str = "") -> SafeString:
    """A state as a word with a coloured dot; colour is never the only sign."""
    if state is None or state == "":
        return SafeString(NOTHING)
    if isinstance(state, Enum) and not tone and not label:
        return _badge_of(state, get_language())
    chosen = tone if tone in TONES else tone_of(state)
    return format_html('<span class="badge badge-{}">{}</span>', chosen, label or label_text(state))


@lru_cache(maxsize=1024, typed=True)
def _badge_of(state: Enum, language: str | None) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', tone_of(state), label_text(state))


@lru_cache(maxsize=1024, typed=True)
def _label_of(state: Enum, language: str | None) -> str:
    return label_text(state)


def value_html(value: Any) -> SafeString | str:
    """Any value as a list cell shows it: amounts, moments, dates, states, yes and no, a dash for nothing."""
    if value is None or value == "":
        return SafeString(NOTHING)
    if isinstance(value, SafeString):
        return value
    if isinstance(value, Money):
        return money_html(value)
    if isinstance(value, datetime):
        return moment_html(value)
    if isinstance(value, date):
        return date_html(value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, Enum):
        return badge_html(value) if hasattr(value, "tone") else _label_of(value, get_language())
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Promise):
        return str(value)
    return value if isinstance(value, str) else str(value)


def cell_html(value: Any) -> str:
    """`value_html`, escaped."""
    if type(value) is str and value:
        return html.escape(value)
    shown = value_html(value)
    return shown if isinstance(shown, SafeString) else html.escape(shown)


def value_text(value: Any) -> str:
    """Any value as an export or a mail shows it, as plain text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, date):
        return date_text(value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, Enum):
        return label_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def initials(name: str) -> str:
    """One or two letters that stand for a name: `InkRoute` → IR, `Postgres Ready` → PR, `云数据库` → 云数."""
    words = [word for word in name.replace("-", " ").replace("_", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    first = words[0]
    if ord(first[0]) >= 0x2E80:
        return first[:2]
    if len(words) > 1:
        return (first[0] + words[1][0]).upper()
    capitals = [letter for letter in first if letter.isupper()]
    if len(capitals) > 1:
        return "".join(capitals[:2])
    return first[:2].upper()


def tint_of(name: str) -> int:
    """A steady number from 0 to 7 for a name: which tint its letters stand on."""
    return hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % 8


@lru_cache(maxsize=1024)
def logo_html(name: str, *, url: str = "", size: str = "") -> SafeString:
    """The picture of a product or seller, or its letters on a tint. Decorative: the name stands beside it."""
    classes = f"logo logo-{size}" if size in {"sm", "lg"} else "logo"
    if url:
        return format_html('<img class="{}" src="{}" alt="" width="40" height="40" loading="lazy">', classes, url)
    return format_html('<span class="{} tint-{}" aria-hidden="true">{}</span>', classes, tint_of(name), initials(name))


def lines_html(text: str) -> SafeString:
    """Plain text with its line breaks kept."""
    return mark_safe("<br>".join(format_html("{}", line) for line in text.splitlines()))


def product_html(name: str, *, url: str = "", logo_url: str = "", note: str = "") -> SafeString:
    """A product in a list cell: small logo, name (leading to the product page), and a small second line."""
    shown = conditional_escape(name)
    named = f'<a href="{html.escape(url)}">{shown}</a>' if url else f"<span>{shown}</span>"
    small = f'<small class="note">{conditional_escape(note)}</small>' if note else ""
    logo = logo_html(name, url=logo_url, size="sm")
    return SafeString(f'<div class="product">{logo}<span>{named}{small}</span></div>')


def product_card_html(card: Any) -> SafeString:
    """The storefront's product card, the same as `components/product_card.html` without a template's cost.

    `card` has url, name, seller, line, delivery, price (or None), price_prefix, price_unit, logo_url.
    """
    price = (
        " ".join(str(part) for part in (card.price_prefix, card.price, card.price_unit) if part) if card.price else ""
    )
    return format_html(
        '<article class="card"><header>{}<div><h3><a href="{}">{}</a></h3><span class="seller">{}</span></div></header>'
        '<p>{}</p><footer><span class="badge badge-plain">{}</span><span class="money">{}</span></footer></article>',
        logo_html(card.name, url=card.logo_url or ""),
        card.url,
        card.name,
        card.seller,
        card.line,
        card.delivery,
        price,
    )


def who_can_help(refused: Refused | None) -> str:
    """Who can change what was refused; nothing when it is the reader or the sentence names them already."""
    if refused is None or refused.reason.help is Help.YOURSELF:
        return ""
    name, text = {
        Help.ADMINISTRATOR: (_("administrator"), _("Who can help: your account's administrator.")),
        Help.SELLER: (_("seller"), _("Who can help: the seller.")),
        Help.RESELLER: (_("reseller"), _("Who can help: your reseller.")),
        Help.OPERATIONS: (_("operations manager"), _("Who can help: KooGallery's operations managers.")),
    }[refused.reason.help]
    return "" if name.lower() in refused.sentence.lower() else text
