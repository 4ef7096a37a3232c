"""The renewal calendar and its feed: reading, the secret address, a new one, none (subscriptions.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from koogallery.kernel import ids, policies
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, may, operation
from koogallery.kernel.reasons import Missing, Refused
from orders.models import CalendarFeed
from orders.models.calendar_feed import digest_of
from orders.queries import calendar
from orders.rules.calendar import Entry

if TYPE_CHECKING:
    from koogallery.identity.models import Account

BEFORE = timedelta(days=30)
MOST = 2_000
SHOWN_BY_IT = ("queryRenewalCalendar", "queryMilestoneBillList")


@operation(
    "queryRenewalCalendar",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_calendar(call: Call, *, first: datetime, last: datetime) -> list[Entry]:
    """What stands in the renewal calendar of the account; bills only for who may see them."""
    assert call.account_id is not None
    return calendar.entries(
        call.account_id,
        at=call.at,
        first=first,
        last=last,
        in_force=policies.in_force(call.at),
        with_bills=may(call, "queryMilestoneBillList") is None,
    )


@operation(
    "queryRenewalForecast",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles={Role.BUYER},
    read=True,
    default_allowed=True,
)
def query_forecast(call: Call, *, by: str = "") -> None:
    """What renewals and milestone bills of the account will cost in the next twelve months."""
    describe(resource_id=call.account.number, resource_name=call.account.name)


@operation("renewCalendarFeed", resource_type="CalendarFeed", roles={Role.BUYER}, once=True)
def renew(call: Call) -> CalendarFeed:
    """Give the account's calendar feed a new secret address; the one before ends.

    Whoever has the address reads the calendar: it takes the right to see all that stands in it. Raises `Refused`.
    """
    for name in SHOWN_BY_IT:
        if (refused := may(call, name)) is not None:
            raise refused
    token = ids.token()
    values = {"digest": digest_of(token), "token": token, "made_at": call.at, "made_by": call.user}
    feed, _made = CalendarFeed.objects.update_or_create(account=call.account, defaults=values)
    return feed


@operation("switchOffCalendarFeed", resource_type="CalendarFeed", roles={Role.BUYER}, once=True)
def switch_off(call: Call) -> CalendarFeed:
    """End the address of the account's calendar feed. Raises `Refused("calendar_feed_off")`."""
    feed = CalendarFeed.objects.select_for_update().filter(account=call.account, digest__isnull=False).first()
    if feed is None:
        raise Refused("calendar_feed_off")
    feed.digest, feed.token = None, ""
    feed.save(update_fields=["digest", "token"])
    return feed


def feed_of(call: Call) -> CalendarFeed | None:
    """The calling account's feed without its secret; None while it is off."""
    found = CalendarFeed.objects.defer("token").select_related("made_by")
    return found.filter(account=call.account, digest__isnull=False).first()


@operation("revealCalendarFeed", resource_type="CalendarFeed", roles={Role.BUYER}, read=True)
def reveal(call: Call) -> str:
    """The secret of the address in clear, for who may renew it. Raises `Refused`, `Missing` while it is off."""
    for name in ("renewCalendarFeed", *SHOWN_BY_IT):
        if (refused := may(call, name)) is not None:
            raise refused
    feed = CalendarFeed.objects.filter(account=call.account, digest__isnull=False).first()
    if feed is None:
        raise Missing("calendar feed")
    describe(resource=feed)
    return feed.token


def account_of(token: str) -> Account:
    """The account whose calendar is read by a token, for its language and zone. Raises `Missing`."""
    account: Account = _feed(token).account
    return account


def _feed(token: str) -> CalendarFeed:
    feeds = CalendarFeed.objects.defer("token").select_related("account")
    feed = feeds.filter(digest=digest_of(token)).first()
    if feed is None:
        raise Missing("calendar feed")
    return feed


@operation(
    "queryCalendarFeed",
    resource_type="CalendarFeed",
    roles={Role.ANONYMOUS},
    targets={"feed": lambda call, token: _feed(str(token))},
    read=True,
    sensitive=("feed",),
)
def read_feed(call: Call, *, feed: CalendarFeed) -> list[Entry]:
    """What a calendar program reads at the secret address: a month back, a year ahead. Raises `Missing`.

    At most `MOST` entries: the later of the deductions that are only expected are left out first.
    """
    describe(account_id=feed.account_id)
    found = calendar.entries(
        feed.account_id,
        at=call.at,
        first=call.at - BEFORE,
        last=calendar.horizon(call.at),
        in_force=policies.in_force(call.at),
        with_bills=True,
    )
    open_ones = [each for each in found if not each.is_over]
    firm = [each for each in open_ones if not each.expected][:MOST]
    return [*firm, *[each for each in open_ones if each.expected][: MOST - len(firm)]]
