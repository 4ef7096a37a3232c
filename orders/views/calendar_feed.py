"""The feed of the renewal calendar: its secret address for calendar programs, and what the account does with it."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from koogallery.kernel import operations, pages, rates
from koogallery.kernel.calls import Role, TraceType
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from orders.models.calendar_feed import digest_of
from orders.operations import calendar_feeds
from orders.views.ical import calendar_text
from orders.views.renewals import trail

READS_A_MINUTE = 10
READS_OF_AN_ADDRESS_A_MINUTE = 300


@page(audience="public", operations=["queryCalendarFeed"])
@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The calendar as text/calendar for whoever has the address, signed in or not; no cache keeps it."""
    call = request.call
    if not _is_within(call.address, token):
        response = pages.refusal(request, Refused("requests_too_many"), audience="public")
        response["Retry-After"] = "60"
        return _kept_nowhere(response)
    visitor = replace(call, role=Role.ANONYMOUS, account=None, user=None, trace_type=TraceType.API)
    account = calendar_feeds.account_of(token)
    with translation.override(account.language), timezone.override(ZoneInfo(account.zone) if account.zone else None):
        text = calendar_text(calendar_feeds.read_feed(visitor, feed=token), at=call.at)
    response = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'inline; filename="koogallery-renewals.ics"'
    response["X-Content-Type-Options"] = "nosniff"
    return _kept_nowhere(response)


def _is_within(address: str, token: str) -> bool:
    return rates.is_within(
        what="calendar-address", who=address, per_minute=READS_OF_AN_ADDRESS_A_MINUTE
    ) and rates.is_within(what="calendar-feed", who=digest_of(token)[:32], per_minute=READS_A_MINUTE)


def _kept_nowhere(response: HttpResponse) -> HttpResponse:
    add_never_cache_headers(response)
    response["X-Robots-Tag"] = "noindex"
    return response


@page(audience="buyer", operations=["queryRenewalCalendar", "renewCalendarFeed", "switchOffCalendarFeed"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Whether the feed is on, its address behind the eye, a new one, switching it off."""
    call = request.call
    may_renew = operations.may(call, "renewCalendarFeed") or operations.may(call, "queryMilestoneBillList")
    context = {
        "page": {
            "title": _("Calendar feed"),
            "console": "buyer",
            "breadcrumbs": [*trail(), (_("Renewal calendar"), reverse("orders:calendar"))],
        },
        "feed": calendar_feeds.feed_of(call),
        "may_renew_feed": may_renew,
        "may_switch_off_feed": operations.may(call, "switchOffCalendarFeed"),
    }
    return pages.render(request, "orders/calendar_feed.html", context)


@page(audience="buyer", operations=["renewCalendarFeed"])
def renew(request: HttpRequest) -> HttpResponse:
    """Make the feed's address, or another one in its place."""
    if request.method == "POST":
        calendar_feeds.renew(request.call)
        messages.success(request, _("The calendar feed has a new address. Addresses from before no longer work."))
    return redirect(_page())


@page(audience="buyer", operations=["switchOffCalendarFeed"])
def switch_off(request: HttpRequest) -> HttpResponse:
    """End the feed's address."""
    if request.method == "POST":
        calendar_feeds.switch_off(request.call)
        messages.success(request, _("The calendar feed is switched off."))
    return redirect(_page())


@page(audience="buyer", operations=["revealCalendarFeed"])
@sensitive_variables("token", "context")
def address(request: HttpRequest) -> HttpResponse:
    """The address in clear, behind the eye; a traced read that no cache keeps."""
    if request.method != "POST":
        return redirect(_page())
    token = calendar_feeds.reveal(request.call)
    context = {
        "value": f"{settings.SITE_ADDRESS}{reverse('orders:calendar_feed', args=[token])}",
        "url": request.path,
        "label": _("Feed address"),
        "back": _page(),
        "page": {"title": _("Feed address"), "console": "plain", "breadcrumbs": []},
    }
    response = pages.render(request, "components/secret_shown.html", context)
    add_never_cache_headers(response)
    return response


def _page() -> str:
    return reverse("orders:calendar_feed_settings")
