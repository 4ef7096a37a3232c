"""The first pages of My KooGallery and of the Seller Console."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from billing import queries as billing
from catalog.queries import offers_ending, seller_of_account, seller_offers
from koogallery import clock
from koogallery.kernel import display, navigation, operations, pages, policies
from koogallery.kernel.charts import Point
from koogallery.kernel.money import Money
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing
from orders.models import Resource
from orders.queries import forecast, overview
from orders.queries.forecast import Soon
from orders.queries.overview import Day
from orders.queries.renewals import is_automatic

SHOWN = 5
OFFERS_END_SOON = timedelta(days=30)
MOST = 99


@page(
    audience="buyer",
    operations=["queryOrderList", "queryResourceList", "querySupervisionList", "queryUnsubscriptionList"],
)
def console(request: HttpRequest) -> HttpResponse:
    """What waits, what expires, what was spent this month, the latest orders."""
    call = request.call
    account, at = call.account, call.at
    orders_refused = operations.may(call, "queryOrderList")
    resources_refused = operations.may(call, "queryResourceList")
    spent = overview.spent_by_day(account.pk, at=at, currency=account.currency)
    to_do = overview.buyer_to_do(account.pk, at=at)
    navigation.know("unpaid_orders", request, to_do.unpaid)
    recent = [] if orders_refused else overview.recent_orders(account.pk, at=at)
    ending = list(overview.ending_resources(account.pk, at=at)[: MOST + 1])
    expiring = [resource for resource in ending if overview.is_expiring(resource, at=at)]
    bills_due = bills_to_repay(request)
    renews = len(ending) > MOST or any(is_automatic(resource) for resource in ending)
    ahead = None
    if not resources_refused and (renews or bills_due is not None):
        ahead = forecast.soon(account, at=at, with_bills=bills_due is not None)
    context: dict[str, Any] = {
        "page": {"title": _("Overview"), "console": "buyer", "breadcrumbs": []},
        "to_do": to_do,
        "expiring": [] if resources_refused else expiring[:SHOWN],
        "expiring_refused": resources_refused,
        "expiring_count": len(expiring),
        "expiring_text": f"{MOST}+" if len(expiring) > MOST else str(len(expiring)),
        "orders": [(order, order.shown_state(at)) for order in recent],
        "orders_refused": orders_refused,
        "spent": _sum(spent, account.currency),
        "chart": points(_with_what_comes(spent, ahead), expected=_only_expected(spent, ahead, clock.platform_date(at))),
        "has_spent": any(day.amount for day in spent) or bool(ahead and ahead.to_come),
        "ahead": ahead,
        "foretold": _sum(spent, account.currency) + ahead.to_come if ahead and ahead.to_come else None,
        "balance": billing.balance(account.pk),
        "deliveries": deliveries(request, "deliveries_to_do"),
        "returned": unsubscriptions_in_progress(request),
        "offers": offers_to_use(request),
        "bills_due": bills_due,
    }
    return pages.render(request, "orders/overview.html", context)


@page(
    audience="seller",
    operations=["queryOrderList", "querySupervisionList", "queryUnsubscriptionList", "querySellerOfferList"],
)
def seller(request: HttpRequest) -> HttpResponse:
    """Orders to handle by their waiting time, money, sales of 30 days, how the interface does."""
    call = request.call
    profile = seller_of_account(call.account_id)
    if profile is None:
        raise Missing("seller")
    currency = call.account.currency
    sold = overview.sold_by_day(profile.pk, at=call.at, currency=currency)
    refused = operations.may(call, "queryOrderList")
    renewals = None if refused else overview.renewals_of_seller(profile.pk, at=call.at)
    context: dict[str, Any] = {
        "page": {"title": _("Overview"), "console": "seller", "breadcrumbs": []},
        "seller": profile,
        "to_handle": [] if refused else overview.orders_to_handle(call.account_id, at=call.at)[:SHOWN],
        "handle_refused": refused,
        "money": billing.seller_money(profile.pk, currency=currency),
        "today": overview.total(sold, last=1, currency=currency),
        "week": overview.total(sold, last=7, currency=currency),
        "month": overview.total(sold, last=30, currency=currency),
        "chart": points(sold),
        "renewals": renewals,
        "at_risk": _at_risk(profile.pk, at=call.at) if renewals and renewals.at_risk else [],
        "has_sold": any(day.amount for day in sold),
        "health": overview.interface_health(profile.pk, at=call.at),
        "deliveries": deliveries(request, "deliveries_to_handle"),
        "milestones": deliveries(request, "milestones_to_deliver"),
        "to_review": unsubscriptions_to_review(request),
        "offers": None if operations.may(call, "querySellerOfferList") else seller_offers.reach(profile.pk, at=call.at),
    }
    return pages.render(request, "orders/seller_overview.html", context)


def deliveries(request: HttpRequest, name: str) -> Sequence[Any]:
    """The supervised deliveries in which it is the viewer's turn, from the room above; nothing for who may not see."""
    if operations.may(request.call, "querySupervisionList"):  # type: ignore[attr-defined]
        return []
    found: Sequence[Any] = navigation.provided(name, request, [])
    return found


def unsubscriptions(request: HttpRequest, name: str) -> Sequence[Any]:
    """Requests to give something back, from the room above; nothing for who may not see them."""
    if operations.may(request.call, "queryUnsubscriptionList"):  # type: ignore[attr-defined]
        return []
    found: Sequence[Any] = navigation.provided(name, request, [])
    return found


def unsubscriptions_in_progress(request: HttpRequest) -> Sequence[Any]:
    """The buyer's requests that are not over; no question without one."""
    if not navigation.provided("open_unsubscriptions", request, 0):
        return []
    return unsubscriptions(request, "unsubscriptions_in_progress")


def unsubscriptions_to_review(request: HttpRequest) -> Sequence[Any]:
    """The requests that the seller has to answer; no question without one."""
    if not navigation.provided("seller_unsubscriptions", request, 0):
        return []
    return unsubscriptions(request, "unsubscriptions_to_review")


def offers_to_use(request: HttpRequest) -> Sequence[Any]:
    """The exclusive offers that end soon; nothing for who may not see offers, no question without one in effect."""
    call = request.call  # type: ignore[attr-defined]
    if operations.may(call, "queryPrivateOfferList") or not navigation.provided("offers_in_effect", request, 0):
        return []
    return list(offers_ending(call.account_id, at=call.at, within=OFFERS_END_SOON)[:SHOWN])


def bills_to_repay(request: HttpRequest) -> billing.BillsDue | None:
    """The milestone bills to repay; None for who may not see bills, and without a question when there are none."""
    call = request.call  # type: ignore[attr-defined]
    if operations.may(call, "queryMilestoneBillList") or not navigation.provided("milestone_bills_due", request, 0):
        return None
    return billing.milestone_bills_due(call.account, at=call.at)


def _with_what_comes(days: Sequence[Day], ahead: Soon | None) -> list[Day]:
    """The days of the month with what will be charged or falls due on each."""
    if ahead is None:
        return list(days)
    return [Day(day.day, day.amount + ahead.by_day[day.day]) if day.day in ahead.by_day else day for day in days]


def _at_risk(seller_id: int, *, at: datetime) -> list[tuple[Resource, Any]]:
    """Resources that may be lost, each with its status; what its owner lacks is the owner's own."""
    in_force = policies.in_force(at)
    return [(each, each.status_at(at, in_force)) for each in overview.at_risk(seller_id, at=at)[:SHOWN]]


def _only_expected(days: Sequence[Day], ahead: Soon | None, today: date) -> set[date]:
    """The days to come, and those before of which nothing was charged yet."""
    due = ahead.by_day if ahead is not None else {}
    return {day.day for day in days if day.day > today or (day.day in due and not day.amount)}


def points(days: Sequence[Day], *, expected: Container[date] = ()) -> list[Point]:
    """The bars of a chart of days; those `expected` are a forecast."""
    return [
        Point(display.date_text(day.day)[:6], day.amount.amount, str(day.amount), expected=day.day in expected)
        for day in days
    ]


def _sum(days: Sequence[Day], currency: str) -> Money:
    return Money(sum((day.amount.amount for day in days), Decimal(0)), currency)
