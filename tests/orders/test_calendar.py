"""The renewal calendar, its feed and the forecast: what stands where, to the second, to whom, and at what cost."""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar
from pytest_django import Settings

from audit.models import Trace
from billing.rules.terms import Term, TermLength, TermUnit
from catalog.states import ProductState
from koogallery import clock
from koogallery.kernel import guard, rates
from koogallery.observability.logging import without_tokens
from orders.models import AutoRenewal, CalendarFeed, Order, Resource
from orders.operations import calendar_feeds
from orders.rules.ahead import Automation, renewals_ahead
from orders.rules.calendar import Entry
from orders.states import EntryKind, ExpirationPolicy
from orders.views.ical import calendar_text
from tests.factories import catalog, identity
from tests.factories.offers import bills_of, in_milestones
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.factories.supervision import seller_of
from tests.personas import Persona, make_buyer
from tests.queries import own_queries

pytestmark = pytest.mark.django_db

PAGE = "/console/renewals/calendar/"
FORECAST = f"{PAGE}forecast/"


def show(buyer: Persona, address: str, *, at: str, status: int = 200) -> str:
    with clock.at(moment(at)):
        response = buyer.client.get(address)
    assert response.status_code == status, response.content.decode()[:2000]
    return unescape(response.content.decode())


def days_of(text: str) -> dict[str, str]:
    """What each day with entries says, as a reader hears it: by `Jan 05, 2027`."""
    found = {}
    for cell in re.findall(r'<li class="calendar-cell[^"]*"[^>]*>(.*?)</li>\n', text, re.S):
        said = " ".join(re.sub(r"<[^>]+>", " ", cell).split())
        name = re.search(r"[A-Z][a-z]{2} \d{2}, \d{4}", said)
        if name and "calendar-entry" in cell:
            found[name.group()] = said
    return found


def make_feed(buyer: Persona, *, at: str) -> str:
    """The address of a feed made now, as the eye shows it."""
    with clock.at(moment(at)):
        assert buyer.client.post(f"{PAGE}feed/renew/").status_code == 302
        text = buyer.client.post(f"{PAGE}feed/address/").content.decode()
    found = re.search(r"http://testserver(/calendar/[\w-]+\.ics)", text)
    assert found, text
    return found.group(1)


def read(address: str, *, at: str, status: int = 200) -> Any:
    with clock.at(moment(at)):
        response = Client().get(address)
    assert response.status_code == status
    return response


def events(address: str, *, at: str) -> dict[str, Any]:
    parsed = Calendar.from_ical(read(address, at=at).content)
    return {str(event["UID"]).removesuffix("@koogallery"): event for event in parsed.walk("VEVENT")}


def money_of(text: str) -> list[str]:
    return re.findall(r"USD [\d,.]+", text)


# Renewals ahead, pure


def test_renewals_keep_the_anchor_day_through_the_ends_of_months() -> None:
    last = Term(start=date(2025, 12, 31), end=date(2026, 1, 31), anchor_day=31)
    month = TermLength(1, TermUnit.MONTH)
    found = list(
        renewals_ahead(
            last=last,
            length=month,
            automation=None,
            now=moment("2026-01-02"),
            until=moment("2026-05-01T00:00:00+08:00"),
        )
    )
    assert [each.term.end.isoformat() for each in found] == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]
    assert [clock.platform_date(each.at).isoformat() for each in found] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert {each.at.astimezone(ZoneInfo("Etc/GMT-8")).time().isoformat() for each in found} == {"23:59:59"}


def test_automatic_renewals_are_charged_at_their_hour_until_they_are_used_up_then_by_hand() -> None:
    last = Term(start=date(2026, 1, 10), end=date(2026, 2, 10), anchor_day=10)
    automation = Automation(
        length=TermLength(1, TermUnit.MONTH),
        left=2,
        days_before=7,
        hour=datetime(2026, 1, 1, 3).time(),
        next_at=moment("2026-02-03T03:00:00+08:00"),
    )
    found = list(
        renewals_ahead(
            last=last,
            length=TermLength(1, TermUnit.YEAR),
            automation=automation,
            now=moment("2026-01-20"),
            until=moment("2026-12-31"),
        )
    )
    shown = [(each.at.astimezone(clock.platform_zone()).isoformat(), each.term.end.isoformat()) for each in found]
    assert shown == [
        ("2026-02-03T03:00:00+08:00", "2026-03-10"),
        ("2026-03-03T03:00:00+08:00", "2026-04-10"),
        ("2026-04-10T23:59:59+08:00", "2027-04-10"),
    ]
    assert [each.automatic for each in found] == [True, True, False]


def test_what_is_late_is_charged_now() -> None:
    last = Term(start=date(2026, 1, 10), end=date(2026, 2, 10), anchor_day=10)
    now = moment("2026-02-20")
    found = list(renewals_ahead(last=last, length=TermLength(1, TermUnit.MONTH), automation=None, now=now, until=now))
    assert [(each.at, each.term.end) for each in found] == [(now, date(2026, 3, 10))]


# The month


def test_expiry_grace_and_retention_stand_on_their_last_days_and_lead_to_the_resource() -> None:
    owned = subscribed(at="2026-01-31")
    text = show(owned.buyer, f"{PAGE}?month=2026-02", at="2026-02-10")
    days = days_of(text)
    assert list(days) == ["Feb 28, 2026"] and "Expires" in days["Feb 28, 2026"]
    assert owned.resource.get_absolute_url() in text
    assert '<li class="calendar-cell calendar-today" aria-current="date">' in text
    assert "month=2026-01" in text and "month=2026-03" in text
    march = days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-02-10"))
    assert "Grace period ends" in march["Mar 15, 2026"] and "Retention period ends" in march["Mar 30, 2026"]
    assert len(march) == 2


def test_the_ends_of_grace_and_retention_are_what_the_sweeps_do() -> None:
    owned = subscribed(at="2026-01-31")
    owned.at("2026-03-15T23:59:59+08:00")
    assert owned.resource.status == "grace"
    owned.at("2026-03-16T00:00:00+08:00")
    assert owned.resource.status == "retention"
    owned.at("2026-03-30T23:59:59+08:00")
    assert owned.resource.status == "retention"
    assert owned.at("2026-03-31T00:00:00+08:00").resource.status == "closed"
    assert not days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-03-31"))


def test_a_deduction_stands_at_its_hour_with_its_price_and_no_grace_follows() -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    days = days_of(show(owned.buyer, f"{PAGE}?month=2026-02", at="2026-02-01"))
    assert "Automatic deduction" in days["Feb 21, 2026"] and "USD 10.00" in days["Feb 21, 2026"]
    assert "03:00:00 GMT+08:00" in days["Feb 21, 2026"] and "expected" not in days["Feb 21, 2026"]
    assert "Expires" in days["Feb 28, 2026"] and len(days) == 2
    march = days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-02-01"))
    assert list(march) == ["Mar 24, 2026"] and "expected" in march["Mar 24, 2026"]


def test_a_failed_auto_renewal_shows_its_reason_and_what_follows() -> None:
    owned = subscribed(at="2026-01-31", funds=10)
    owned.automate("1-month")
    owned.at("2026-02-22")
    text = show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-02-22")
    assert "Grace period ends" in days_of(text)["Mar 15, 2026"]
    assert "The balance is too low" in show(owned.buyer, f"{PAGE}?month=2026-02", at="2026-02-22")
    overview = show(owned.buyer, "/console/", at="2026-02-22")
    assert "Auto-renewal failed" in overview and "The balance is too low: USD 10.00 needed" in overview


def test_days_are_those_of_the_shown_zone_also_across_its_daylight_saving() -> None:
    owned = subscribed(at="2026-02-28")
    owned.automate("1-month", days_before=0)
    with guard.opened("test"):
        owned.buyer.user.zone = "America/New_York"
        owned.buyer.user.save(update_fields=["zone"])
    days = days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-03-02"))
    assert "15:00:00 GMT-04:00" in days["Mar 27, 2026"] and "11:59:59 GMT-04:00" in days["Mar 28, 2026"]
    assert len(days) == 2
    with guard.opened("test"):
        owned.buyer.user.zone = "Pacific/Auckland"
        owned.buyer.user.save(update_fields=["zone"])
    assert "04:59:59 GMT+13:00" in days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-03-02"))["Mar 29, 2026"]


def test_a_month_has_all_its_seconds_and_no_others() -> None:
    owned = subscribed(at="2026-01-31")
    assert "Feb 28, 2026" in days_of(show(owned.buyer, f"{PAGE}?month=2026-02", at="2026-02-10"))
    for other in ("2026-01", "2026-04"):
        assert not days_of(show(owned.buyer, f"{PAGE}?month={other}", at="2026-02-10"))
    for nonsense in ("", "2026-13", "x", "9999-12", "2026"):
        assert "Feb 2026" in show(owned.buyer, f"{PAGE}?month={nonsense}", at="2026-02-10")


def test_a_full_day_folds_and_is_shown_in_full() -> None:
    buyer = make_buyer()
    product = period_product()
    for _ in range(15):
        subscribed(at="2026-01-31", buyer=buyer, product=product)
    text = show(buyer, f"{PAGE}?month=2026-02", at="2026-02-10")
    assert "12 more" in text and "?day=2026-02-28" in text and text.count("calendar-entry calendar-") == 12
    full = show(buyer, f"{PAGE}?day=2026-02-28", at="2026-02-10")
    assert full.count("23:59:59 GMT+08:00") == 15 and "?month=2026-02" in full


def test_a_change_upon_renewal_that_waits_stands_instead_of_the_expiry() -> None:
    product = period_product(
        quantity=("1", "100", "1"),
        plans=[catalog.plan(term_unit="month", model="linear", unit_price="20.00", lengths=[1])],
    )
    owned = subscribed(at="2026-01-31", product=product, quantity="2")
    owned.automate("1-month")
    owned.at("2026-02-02")
    owned.renew("1-month", quantity="5", change="on")
    days = days_of(show(owned.buyer, f"{PAGE}?month=2026-03", at="2026-02-03"))
    assert "Change takes effect" in days["Mar 01, 2026"] and "Expires" in days["Mar 31, 2026"]
    assert "USD 100.00" in days["Mar 24, 2026"]
    assert not days_of(show(owned.buyer, f"{PAGE}?month=2026-02", at="2026-02-03"))
    assert "USD 1,100.00" in show(owned.buyer, FORECAST, at="2026-02-03")


def test_milestone_bills_stand_on_their_last_day_with_their_state() -> None:
    deal = in_milestones(at=moment("2026-01-10"))
    bill = deal.buyer.account.milestone_bills.get()
    text = show(deal.buyer, f"{PAGE}?month=2026-02", at="2026-01-12")
    days = days_of(text)
    assert list(days) == ["Feb 09, 2026"] and "USD 300.00" in days["Feb 09, 2026"]
    assert bill.get_absolute_url() in text
    blind = (
        identity.colleague(deal.buyer, deny="marketplace:milestoneBill:*") if hasattr(identity, "colleague") else None
    )
    assert blind is None or not days_of(show(blind, f"{PAGE}?month=2026-02", at="2026-01-12"))


def test_other_accounts_see_nothing_of_it(stranger: Persona) -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    assert not days_of(show(stranger, f"{PAGE}?month=2026-02", at="2026-02-10"))
    assert owned.resource.product_name not in show(stranger, FORECAST, at="2026-02-10")
    address = make_feed(stranger, at="2026-02-10")
    assert not events(address, at="2026-02-10")


# The feed


def test_the_feed_is_a_calendar_that_programs_read() -> None:
    owned = subscribed(at="2026-01-31", product=period_product(name="Ledger, books; notes\\more"))
    owned.automate("1-month")
    address = make_feed(owned.buyer, at="2026-02-01")
    response = read(address, at="2026-02-01")
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert "no-store" in response["Cache-Control"] and "private" in response["Cache-Control"]
    assert not response.cookies and response["X-Robots-Tag"] == "noindex"
    text = response.content
    assert text.startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") and text.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in text.replace(b"\r\n", b"") and max(len(line) for line in text.split(b"\r\n")) <= 75
    assert b"Ledger\\, books\\; notes\\\\more" in text.replace(b"\r\n ", b"")
    found = events(address, at="2026-02-01")
    number = owned.resource.number
    expiry, deduction = found[f"expiry-{number}"], found[f"deduction-{number}-2026-02-28"]
    assert expiry["DTSTART"].dt == date(2026, 2, 28) and expiry["DTEND"].dt == date(2026, 3, 1)
    assert expiry["DTSTART"].params["VALUE"] == "DATE"
    assert deduction["DTSTART"].dt == moment("2026-02-21T03:00:00+08:00")
    assert b"DTSTART:20260220T190000Z" in text and b"TZID" not in text
    assert str(deduction["SUMMARY"]) == "Automatic deduction: Ledger, books; notes\\more"
    assert (
        "USD 10.00" in str(deduction["DESCRIPTION"]) and "Feb 21, 2026 03:00:00 GMT+08:00" in deduction["DESCRIPTION"]
    )
    assert str(deduction["URL"]) == f"http://testserver{owned.resource.get_absolute_url()}"
    assert all(event.get("DTSTAMP").dt.tzinfo is not None for event in found.values())
    assert deduction["STATUS"] == "CONFIRMED" and found[f"deduction-{number}-2026-03-31"]["STATUS"] == "TENTATIVE"


def test_a_feed_that_is_too_long_leaves_out_what_is_only_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    address = make_feed(owned.buyer, at="2026-02-01")
    assert len(events(address, at="2026-02-01")) == 13
    monkeypatch.setattr(calendar_feeds, "MOST", 3)
    number = owned.resource.number
    assert set(events(address, at="2026-02-01")) == {
        f"expiry-{number}",
        f"deduction-{number}-2026-02-28",
        f"deduction-{number}-2026-03-31",
    }


def test_names_keep_their_uids_when_moments_move() -> None:
    owned = subscribed(at="2026-01-31")
    address = make_feed(owned.buyer, at="2026-02-01")
    before = events(address, at="2026-02-01")
    owned.at("2026-02-02").renew("1-month")
    after = events(address, at="2026-02-02")
    assert (
        set(before)
        == set(after)
        == {f"{kind}-{owned.resource.number}" for kind in ("expiry", "grace_end", "retention_end")}
    )
    assert after[f"expiry-{owned.resource.number}"]["DTSTART"].dt == date(2026, 3, 31)


def test_in_another_zone_the_end_of_a_platform_day_has_its_time() -> None:
    owned = subscribed(at="2026-01-31")
    with guard.opened("test"):
        owned.buyer.account.zone = "America/New_York"
        owned.buyer.account.language = "zh-hans"
        owned.buyer.account.save(update_fields=["zone", "language"])
    found = events(make_feed(owned.buyer, at="2026-02-01"), at="2026-02-01")
    expiry = found[f"expiry-{owned.resource.number}"]
    assert expiry["DTSTART"].dt == moment("2026-02-28T23:59:59+08:00")
    assert "Feb 28, 2026 10:59:59 GMT-05:00" in str(expiry["DESCRIPTION"])
    assert str(expiry["SUMMARY"]).startswith("到期") and not str(expiry["SUMMARY"]).startswith("到期时间")
    assert str(expiry["SUMMARY"]).endswith(owned.resource.product.name_zh or owned.resource.product.name)


def test_times_are_right_over_both_changes_of_a_platform_zone_with_daylight_saving(settings: Settings) -> None:
    settings.PLATFORM_ZONE = "America/New_York"
    days = (date(2026, 3, 7), date(2026, 3, 8), date(2026, 3, 9), date(2026, 10, 31), date(2026, 11, 1))
    moments = [datetime.combine(day, time(3), tzinfo=clock.platform_zone()) for day in days]
    same = {"kind": EntryKind.DEDUCTION, "name": "Harbor ERP", "detail": "", "number": "1", "url": "/"}
    entries = [Entry(at=each, uid=f"deduction-{each:%m%d}", **same) for each in moments]  # type: ignore[arg-type]
    text = calendar_text(entries, at=moments[0])
    found = [str(event["DTSTART"].to_ical(), "ascii") for event in Calendar.from_ical(text).walk("VEVENT")]
    assert found == ["20260307T080000Z", "20260308T070000Z", "20260309T070000Z", "20261031T070000Z", "20261101T080000Z"]
    assert b"VTIMEZONE" not in text and b"TZID" not in text


def test_an_empty_feed_is_still_a_calendar() -> None:
    parsed = Calendar.from_ical(calendar_text([], at=datetime(2026, 1, 1, tzinfo=UTC)))
    assert parsed["VERSION"] == "2.0" and not parsed.walk("VEVENT")


def test_a_renewed_address_ends_the_one_before_and_switching_off_ends_it_too() -> None:
    buyer = subscribed(at="2026-01-31").buyer
    first = make_feed(buyer, at="2026-02-01")
    second = make_feed(buyer, at="2026-02-01")
    assert first != second
    read(first, at="2026-02-01", status=404)
    read(second, at="2026-02-01")
    with clock.at(moment("2026-02-01")):
        assert buyer.client.post(f"{PAGE}feed/off/").status_code == 302
        assert buyer.client.post(f"{PAGE}feed/off/").status_code == 409
        assert buyer.client.post(f"{PAGE}feed/address/").status_code == 404
    read(second, at="2026-02-01", status=404)
    feed = CalendarFeed.objects.get()
    assert not feed.is_on and feed.token == ""
    for unknown in ("x", "0" * 43, "%2e%2e"):
        read(f"/calendar/{unknown}.ics", at="2026-02-01", status=404)


def test_the_secret_is_kept_encrypted_and_never_traced() -> None:
    owned = subscribed(at="2026-01-31")
    address = make_feed(owned.buyer, at="2026-02-01")
    token = address.removeprefix("/calendar/").removesuffix(".ics")
    with connection.cursor() as cursor:
        cursor.execute("SELECT token, digest FROM orders_calendarfeed")
        assert token not in str(cursor.fetchall())
    read(address, at="2026-02-01")
    trace = Trace.objects.get(trace_name="queryCalendarFeed")
    assert trace.account_id == owned.buyer.account.pk and trace.read_only
    names = {"renewCalendarFeed", "revealCalendarFeed", "queryCalendarFeed"}
    traces = Trace.objects.filter(trace_name__in=names)
    assert {trace.trace_name for trace in traces} == names
    assert not any(token in f"{trace.request}{trace.response}{trace.resource_id}" for trace in traces)


def test_no_log_holds_the_secret() -> None:
    for line in ("GET /calendar/aB3-_x.ics 200", "next=%2Fcalendar%2FaB3-_x.ics"):
        assert "aB3" not in without_tokens(None, "info", line) and ".ics" in without_tokens(None, "info", line)


def test_the_feed_needs_no_session_and_heeds_none(stranger: Persona) -> None:
    owned = subscribed(at="2026-01-31")
    address = make_feed(owned.buyer, at="2026-02-01")
    with clock.at(moment("2026-02-01")):
        signed_in = stranger.client.get(address)
        assert stranger.client.post(address).status_code in (403, 405)
    assert signed_in.content == read(address, at="2026-02-01").content
    assert Trace.objects.filter(trace_name="queryCalendarFeed").values_list("account_id", flat=True).distinct().get()


def test_the_feed_is_rate_limited(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    address = make_feed(subscribed(at="2026-01-31").buyer, at="2026-02-01")
    asked: list[str] = []

    def is_within(*, what: str, who: str, per_minute: int) -> bool:
        asked.append(what)
        return what != "calendar-feed" or asked.count(what) <= 1

    monkeypatch.setattr(rates, "is_within", is_within)
    read(address, at="2026-02-01")
    response = read(address, at="2026-02-01", status=429)
    assert response["Retry-After"] == "60" and "no-store" in response["Cache-Control"]


def test_who_may_not_see_all_of_it_gets_no_address(clerk: Persona) -> None:
    with clock.at(moment("2026-02-01")):
        assert clerk.client.post(f"{PAGE}feed/renew/").status_code == 403
    assert not CalendarFeed.objects.exists()


# The forecast


def forecast_rows(buyer: Persona, *, at: str, by: str = "") -> list[list[str]]:
    with clock.at(moment(at)):
        response = buyer.client.get(f"{FORECAST}csv/?by={by}")
    assert response.status_code == 200 and response["Content-Type"].startswith("text/csv")
    return list(csv.reader(response.content.decode("utf-8-sig").splitlines()))


def test_the_forecast_is_what_the_next_twelve_months_then_charge() -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    owned.at("2026-02-01")
    rows = forecast_rows(owned.buyer, at="2026-02-01")
    assert rows[0][3:] == [f"2026-{month:02d}" for month in range(2, 13)] + ["2027-01", "No date yet", "Total"]
    assert rows[1][0] == "Renews itself" and rows[-1][0] == "To be paid"
    foretold = [Decimal(cell) for cell in rows[-1][3:15]]
    owned.at("2027-02-01T00:00:00+08:00")
    charged = [Decimal(0)] * 12
    for order in Order.objects.filter(type="RENEW", state="completed"):
        paid = clock.platform_date(order.paid_at)
        charged[(paid.year - 2026) * 12 + paid.month - 2] += order.amount
    assert charged == foretold and sum(charged) == Decimal(120)


def test_what_is_renewed_by_hand_stands_apart_and_renewals_canceled_nowhere() -> None:
    buyer = make_buyer()
    product = period_product()
    _manual, automatic, ended = [subscribed(at="2026-01-31", buyer=buyer, product=product) for _ in range(3)]
    automatic.automate("3-month")
    with guard.opened("test"):
        Resource.objects.filter(pk=ended.resource.pk).update(expiration_policy=ExpirationPolicy.NONE)
    rows = {row[0]: row for row in forecast_rows(buyer, at="2026-02-01")}
    assert rows["If renewed by hand"][-1] == "120.00" and rows["Renews itself"][-1] == "120.00"
    assert rows["Renews itself"][3:8] == ["30.00", "0.00", "0.00", "30.00", "0.00"]
    assert rows["To be paid"][-1] == "120.00"
    text = show(buyer, FORECAST, at="2026-02-01")
    assert "<svg" in text and "Show as a table" in text and text.count('scope="rowgroup"') == 2


def test_the_forecast_adds_up_by_project_and_by_tag() -> None:
    buyer = make_buyer()
    product = period_product()
    owned = [subscribed(at="2026-01-31", buyer=buyer, product=product) for _ in range(3)]
    for number, each in enumerate(owned):
        each.automate("1-month")
        with guard.opened("test"):
            Resource.objects.filter(pk=each.resource.pk).update(
                tags={"team": "=blue" if number else "red"}, project_code="p-1" if number == 2 else ""
            )
    by_tag = {row[1]: row[-1] for row in forecast_rows(buyer, at="2026-02-01", by="tag:team") if row[0] != "Kind"}
    assert by_tag == {"'=blue": "240.00", "red": "120.00", "Total": "360.00"}
    by_project = {row[1]: row[-1] for row in forecast_rows(buyer, at="2026-02-01", by="project") if row[0] != "Kind"}
    assert by_project == {"No enterprise project": "240.00", "p-1": "120.00", "Total": "360.00"}
    assert "Tag team" in show(buyer, FORECAST, at="2026-02-01")


def test_discounts_kept_and_the_price_of_today_are_what_counts() -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    with guard.opened("test"):
        owned.resource.terms.update(discount_share=Decimal("0.9"))
        price = owned.resource.product.skus.get().plans.get(term_unit="month").prices.get()
        price.unit_price = Decimal("12.00")
        price.save()
    assert forecast_rows(owned.buyer, at="2026-02-01")[-1][-1] == "129.60"


def test_milestones_to_come_are_in_their_month_or_without_one() -> None:
    deal = in_milestones(at=moment("2026-01-10"))
    rows = {row[0]: row for row in forecast_rows(deal.buyer, at="2026-01-12")}
    assert rows["Milestone bills"][4] == "300.00" and rows["Milestone bills"][-2:] == ["700.00", "1000.00"]
    late = {row[0]: row for row in forecast_rows(deal.buyer, at="2026-03-12")}
    assert late["Milestone bills"][3] == "300.00"


def test_what_is_no_longer_sold_is_named_without_a_price() -> None:
    owned = subscribed(at="2026-01-31")
    with guard.opened("test"):
        type(owned.resource.product).objects.update(state=ProductState.REMOVED)
    text = show(owned.buyer, FORECAST, at="2026-02-01")
    assert "Not in the forecast" in text and owned.resource.product_name in text


# Overviews


def test_what_is_overdue_is_drawn_as_expected_not_as_spent() -> None:
    deal = in_milestones(shares=("30", "70"))
    bill = bills_of(deal.order)[0]
    text = show(deal.buyer, "/console/", at=f"{bill.due_at + timedelta(days=2):%Y-%m-%d}")
    assert re.search(r'class="bar-soft"[^>]*><title>[^<]*USD 300.00', text)
    assert not re.search(r'class="bar"[^>]*><title>[^<]*USD 300.00', text)


def test_the_buyers_overview_foretells_the_month() -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    owned.at("2026-02-02")
    text = show(owned.buyer, "/console/", at="2026-02-02")
    assert "1 automatic renewal within 30 days: USD 10.00" in text
    assert "USD 10.00 more is to come this month" in text and "bar-soft" in text
    owned.at("2026-02-22")
    assert "more is to come this month" not in show(owned.buyer, "/console/", at="2026-02-22")


def test_the_sellers_overview_shows_renewals_and_who_is_at_risk_without_contacts() -> None:
    owned = subscribed(at="2026-01-31", funds=20)
    seller = seller_of(owned.resource.product)
    other = subscribed(at="2026-01-31", product=owned.resource.product, funds=10)
    other.automate("1-month")
    owned.automate("1-month")
    text = show(seller, "/seller/", at="2026-02-10")
    assert "2 resources end within 30 days, 2 of them renew themselves" in text and "At risk" not in text
    owned.at("2026-02-22")
    text = show(seller, "/seller/", at="2026-02-22")
    assert "Auto-renewal failed" in text and other.resource.order_number in text
    assert "balance" not in text.lower().split("at risk")[1][:800]
    owned.at("2026-03-01")
    assert "Grace period" in show(seller, "/seller/", at="2026-03-01")
    assert other.buyer.account.name not in text


# Cost


def queries(buyer: Persona, address: str, *, at: str) -> int:
    show(buyer, address, at=at)
    with CaptureQueriesContext(connection) as caught:
        show(buyer, address, at=at)
    return len(own_queries(caught))


def multiplied(owned: Owned, count: int) -> None:
    """More resources like this one, with their terms and auto-renewals."""
    resource, term, auto = owned.resource, owned.resource.terms.get(), AutoRenewal.objects.get()
    with guard.opened("test"):
        for number in range(count):
            resource.pk, resource.number, resource.item = None, f"copy-{number}", number + 2
            resource.save(force_insert=True)
            term.pk, term.resource = None, resource
            term.save(force_insert=True)
            auto.pk, auto.resource = None, resource
            auto.save(force_insert=True)


def test_pages_and_feed_ask_as_often_for_a_hundred_as_for_one() -> None:
    owned = subscribed(at="2026-01-31")
    owned.automate("1-month")
    feed = make_feed(owned.buyer, at="2026-02-01")
    addresses = [f"{PAGE}?month=2026-02", FORECAST, f"{FORECAST}csv/", "/console/", feed]
    one = {address: queries(owned.buyer, address, at="2026-02-01") for address in addresses}
    multiplied(owned, 99)
    hundred = {address: queries(owned.buyer, address, at="2026-02-01") for address in addresses}
    assert one == hundred
    assert "USD 12,000.00" in show(owned.buyer, FORECAST, at="2026-02-01")
    assert [one[address] for address in addresses[:3]] == [8, 8, 7] and max(one.values()) <= 12
