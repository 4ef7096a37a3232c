"""The renewal calendar as iCalendar text (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from koogallery.kernel import display
from orders.rules.calendar import Entry

READ_EVERY = timedelta(hours=6)
LAST_SECOND = time(23, 59, 59)
A_DAY = timedelta(days=1)


def calendar_text(entries: Iterable[Entry], *, at: datetime) -> bytes:
    """The entries as one calendar, in the language and zone in force.

    What happens at 23:59:59 of a day in that zone is an entry of the whole day; everything else has a time in UTC,
    which every program shows in its reader's own zone, whatever the platform's zone does about daylight saving.
    """
    found = Calendar()
    found.add("prodid", "-//KooGallery//Renewal calendar//EN")
    found.add("version", "2.0")
    found.add("calscale", "GREGORIAN")
    found.add("method", "PUBLISH")
    found.add("name", _("KooGallery renewals"))
    found.add("x-wr-calname", _("KooGallery renewals"))
    found.add("refresh-interval", READ_EVERY, parameters={"VALUE": "DURATION"})
    found.add("x-published-ttl", "PT6H")
    for each in entries:
        found.add_component(_event(each, at=at))
    text: bytes = found.to_ical()
    return text


def _event(entry: Entry, *, at: datetime) -> Event:
    event = Event()
    event.add("uid", f"{entry.uid}@koogallery")
    event.add("dtstamp", at.astimezone(UTC))
    local = display.shown(entry.at)
    if local.time().replace(microsecond=0) == LAST_SECOND:
        event.add("dtstart", local.date())
        event.add("dtend", local.date() + A_DAY)
    else:
        event.add("dtstart", entry.at.astimezone(UTC))
    event.add("summary", f"{entry.kind.label}: {entry.name}")
    event.add("description", "\n".join(_lines(entry)))
    event.add("categories", [str(entry.kind.label)])
    event.add("url", f"{settings.SITE_ADDRESS}{entry.url}")
    event.add("status", "TENTATIVE" if entry.expected else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event


def _lines(entry: Entry) -> Iterable[str]:
    lines = [entry.detail, str(entry.amount) if entry.amount is not None else "", display.moment_text(entry.at)]
    return [line for line in [*lines, entry.note, f"{settings.SITE_ADDRESS}{entry.url}"] if line]
