"""The renewal calendar, month by month, and the 12-month forecast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from billing.rules.terms import add_months
from koogallery import clock
from koogallery.kernel import display, operations, pages, policies
from koogallery.kernel.charts import Point
from koogallery.kernel.exports import BYTE_ORDER_MARK, csv_line
from koogallery.kernel.list_filters import read_day, zone_day_start
from koogallery.kernel.pages import page
from orders.operations import calendar_feeds
from orders.queries import calendar as queries
from orders.queries.forecast import Forecast, forecast
from orders.rules.calendar import Entry
from orders.rules.forecast import CostKind, Row
from orders.views.renewals import trail

SHOWN_A_DAY = 3
FOLDED_A_DAY = 12
A_DAY = timedelta(days=1)
LAST_SECOND = "23:59:59"


def _month_of(request: HttpRequest, today: date) -> date:
    """The first day of the month that the address names, else of today's."""
    found = read_day(f"{request.GET.get('month', '')[:7]}-01")
    return found or today.replace(day=1)


@page(audience="buyer", operations=["queryRenewalCalendar"])
def calendar(request: HttpRequest) -> HttpResponse:
    """One month: expiries, ends of grace and retention, deductions, milestone bills; one day in full by `day`."""
    call = request.call
    today = display.shown(call.at).date()
    day = read_day(request.GET.get("day", ""))
    first = day or _month_of(request, today)
    after = day + A_DAY if day else add_months(day=first, months=1)
    found = calendar_feeds.query_calendar(
        call, first=zone_day_start(first), last=zone_day_start(after) - timedelta(microseconds=1)
    )
    context: dict[str, Any] = {
        "page": {
            "title": _("Renewal calendar"),
            "console": "buyer",
            "breadcrumbs": trail(),
        },
        "entries": [_shown(each) for each in found],
        "zone": display.zone_text(display.shown(zone_day_start(first))),
        "day": day,
        "month_name": display.date_text(first) if day else _month_name(first),
        "back": _address(month=first) if day else "",
    }
    if not day:
        context |= _grid(found, first=first, last=after - A_DAY, today=today)
    return pages.render(request, "orders/calendar.html", context)


def _grid(found: list[Entry], *, first: date, last: date, today: date) -> dict[str, Any]:
    return {
        "days": [
            {
                "day": each.day,
                "is_today": each.is_today,
                "weekday": date_format(each.day, "D"),
                "shown": [_shown(entry) for entry in each.entries[:SHOWN_A_DAY]],
                "folded": [_shown(entry) for entry in each.entries[SHOWN_A_DAY:FOLDED_A_DAY]],
                "more": max(0, len(each.entries) - SHOWN_A_DAY),
                "in_full": f"?{urlencode({'day': each.day.isoformat()})}" if len(each.entries) > FOLDED_A_DAY else "",
            }
            for each in queries.by_day(found, first=first, last=last, today=today)
        ],
        "column": first.isoweekday(),
        "weekdays": [date_format(date(2024, 1, number), "D") for number in range(1, 8)],
        "previous": _address(month=add_months(day=first, months=-1)),
        "next": _address(month=add_months(day=first, months=1)),
        "this_month": "" if first == today.replace(day=1) else reverse("orders:calendar"),
    }


def _address(*, month: date) -> str:
    return f"{reverse('orders:calendar')}?{urlencode({'month': f'{month:%Y-%m}'})}"


def _month_name(day: date) -> str:
    return f"{display.MONTHS[day.month - 1]} {day.year}"


def _shown(entry: Entry) -> dict[str, Any]:
    local = display.shown(entry.at)
    return {
        "entry": entry,
        "time": "" if f"{local:%H:%M:%S}" == LAST_SECOND else f"{local:%H:%M:%S} {display.zone_text(local)}",
        "full": display.moment_text(entry.at),
    }


# Forecast


@page(audience="buyer", operations=["queryRenewalForecast"])
def forecast_page(request: HttpRequest) -> HttpResponse:
    """What renewals and milestone bills will cost in twelve months, by enterprise project or tag."""
    found = _forecast(request)
    months = [_month_name(start) for start in found.starts]
    context = {
        "page": {
            "title": _("12-month forecast"),
            "console": "buyer",
            "breadcrumbs": [*trail(), (_("Renewal calendar"), reverse("orders:calendar"))],
        },
        "found": found,
        "months": months,
        "sections": [
            (section, _section_title(section.kind), _section_note(section.kind)) for section in found.sections
        ],
        "points": [
            Point(name, amount.amount, str(amount), expected=True)
            for name, amount in zip(months, found.committed.amounts, strict=True)
        ],
        "group_title": dict(found.choices)[found.by],
        "zone": display.zone_text(clock.day_start(found.starts[0]).astimezone(clock.platform_zone())),
        "csv_url": f"{reverse('orders:forecast_csv')}?{urlencode({'by': found.by})}",
    }
    return pages.render(request, "orders/forecast.html", context)


@page(audience="buyer", operations=["queryRenewalForecast"])
def forecast_csv(request: HttpRequest) -> HttpResponse:
    """The forecast as CSV."""
    content = BYTE_ORDER_MARK + "".join(_csv_lines(_forecast(request)))
    headers = {
        "Content-Disposition": content_disposition_header(True, "forecast.csv") or "attachment",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content.encode(), content_type="text/csv; charset=utf-8", headers=headers)


def _csv_lines(found: Forecast) -> Iterator[str]:
    currency = found.committed.total.currency
    months = [f"{start:%Y-%m}" for start in found.starts]
    yield csv_line([_("Kind"), dict(found.choices)[found.by], _("Currency"), *months, _("No date yet"), _("Total")])
    for section in found.sections:
        for row in section.rows:
            yield csv_line([_section_title(section.kind), row.label, currency, *_amounts(row)])
    yield csv_line([_("To be paid"), _("Total"), currency, *_amounts(found.committed)])


def _amounts(row: Row) -> list[Any]:
    return [money.rounded().amount for money in (*row.amounts, row.undated, row.total)]


def _forecast(request: HttpRequest) -> Forecast:
    call = request.call  # type: ignore[attr-defined]
    by = request.GET.get("by", "")[:80]
    calendar_feeds.query_forecast(call, by=by)
    return forecast(
        call.account,
        at=call.at,
        by=by,
        in_force=policies.in_force(call.at),
        with_bills=operations.may(call, "queryMilestoneBillList") is None,
    )


def _section_title(kind: CostKind) -> str:
    return {
        CostKind.AUTOMATIC: _("Renews itself"),
        CostKind.BILL: _("Milestone bills"),
        CostKind.MANUAL: _("If renewed by hand"),
    }[kind]


def _section_note(kind: CostKind) -> str:
    return {
        CostKind.AUTOMATIC: _("by the period and price of each auto-renewal"),
        CostKind.BILL: _("bills to repay, and milestones still to be billed"),
        CostKind.MANUAL: _("for the length last bought; not in the sum to be paid"),
    }[kind]
