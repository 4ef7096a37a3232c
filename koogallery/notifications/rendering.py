"""Turning a kind and its parameters into words: in the language and zone in force, for pages, mail and SMS alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext

from koogallery import clock
from koogallery.kernel import display, qr, texts
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused, sentence
from koogallery.notifications.kinds import KINDS, Kind, kind_named


@dataclass(frozen=True, slots=True)
class InBoth:
    """A name in English and Chinese, such as a product's; the message shows its reader's, English without the other."""

    en: str
    zh: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A translatable sentence with parameters of its own; the message shows it in its reader's language."""

    text: Promise
    params: Mapping[str, Any]


def stored(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as kept with a message: amounts, moments, dates, refusals, lazy translations, sentences and names in
    both languages keep their meaning, the rest becomes text.
    """
    kept: dict[str, Any] = {}
    for name, value in params.items():
        if type(value) is str:
            kept[name] = value
        elif isinstance(value, Money):
            kept[name] = {"money": value.to_json()}
        elif isinstance(value, datetime):
            kept[name] = {"moment": value.isoformat()}
        elif isinstance(value, date):
            kept[name] = {"date": value.isoformat()}
        elif isinstance(value, InBoth):
            kept[name] = {"en": value.en, "zh": value.zh} if value.zh else value.en
        elif isinstance(value, Refused):
            kept[name] = {"reason": value.code, "params": stored(value.params)}
        elif isinstance(value, Promise):
            with translation.override("en"):
                kept[name] = {"words": str(value)}
        elif isinstance(value, Words):
            with translation.override("en"):
                kept[name] = {"words": str(value.text), "params": stored(value.params)}
        else:
            kept[name] = display.value_text(value)
    return kept


def shown(params: Mapping[str, Any]) -> dict[str, str]:
    """Stored parameters as texts in the language and zone in force."""
    return {name: _shown(value) for name, value in params.items()}


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "money" in value:
        return str(Money.from_json(value["money"]))
    if "reason" in value:
        return sentence(value["reason"], **shown(value["params"]))
    if "words" in value:
        words = gettext(value["words"])
        return words % _Missing(shown(value["params"])) if "params" in value else words
    if "en" in value:
        return str((value["zh"] if texts.is_chinese() else "") or value["en"])
    if "moment" in value:
        return display.moment_text(datetime.fromisoformat(value["moment"]))
    return display.date_text(date.fromisoformat(value["date"]))


class _Missing(dict):  # type: ignore[type-arg]
    """Shows a dash for a parameter that a message was not given."""

    def __missing__(self, key: str) -> str:
        return display.NOTHING


def subject(kind: str, params: Mapping[str, Any]) -> str:
    """The subject of a stored message; the kind's name when it left the list."""
    known = KINDS.get(kind)
    if known is None:
        return kind
    told = shown(params)
    is_one = known.subject_of_one and told.get("days") == "1"
    return gettext(known.subject_of_one if is_one else known.subject) % _Missing(told)


def body(kind: str, params: Mapping[str, Any]) -> str:
    """The body of a stored message."""
    known = KINDS.get(kind)
    return (gettext(known.body) % _Missing(shown(params))).rstrip() if known else ""


@contextmanager
def as_read_by(language: str, zone: str = "") -> Iterator[None]:
    """The language and display zone of a reader, for the block; unknown ones fall back to the platform's."""
    codes = dict(settings.LANGUAGES)
    try:
        shown_zone = ZoneInfo(zone) if zone else clock.platform_zone()
    except (KeyError, ValueError, OSError):
        shown_zone = clock.platform_zone()
    with translation.override(language if language in codes else settings.LANGUAGE_CODE), timezone.override(shown_zone):
        yield


LINK_CODE = "link-code"
"""The content id by which a mail's HTML names the QR code of its link."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in words: a mail's subject and both bodies, an SMS's text; `code` is the PNG the HTML shows, if any."""

    subject: str
    text: str
    html: str
    sms: str
    code: bytes = b""


def letter(kind: Kind | str, params: Mapping[str, Any], *, link: str, name: str = "") -> Letter:
    """A message as it leaves, in the language and zone in force. Raises `UnknownKind`."""
    known = kind if isinstance(kind, Kind) else kind_named(kind)
    title = " ".join(subject(known.name, params).split())
    address = urljoin(settings.SITE_ADDRESS, link) if link else ""
    code = qr.png(address) if known.qr_of_link and address else b""
    context = {
        "kind": known,
        "title": title,
        "body": body(known.name, params),
        "name": name,
        "link": address,
        "code": LINK_CODE if code else "",
        "action": gettext(known.action),
        "language": translation.get_language(),
        "site": settings.SITE_ADDRESS,
        "preferences": "" if known.required else urljoin(settings.SITE_ADDRESS, "/console/messages/preferences/"),
    }
    return Letter(
        subject=title,
        text=render_to_string("notifications/mail.txt", context).strip() + "\n",
        html=render_to_string("notifications/mail.html", context),
        sms=f"[KooGallery] {title}"[:300] + (f" {address}" if known.qr_of_link and address else ""),
        code=code,
    )
