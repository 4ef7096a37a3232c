"""Billing Center > Renewals, the renewal page, auto-renewal and the life bar: what is shown, to whom, at what cost."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from billing.operations.checking import check_ledger
from billing.queries import balance
from catalog.models import ChangePath, Product, Sku
from koogallery import clock
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from orders.models import AutoRenewal, Order, RenewalChange, Resource
from orders.states import ExpirationPolicy, OrderState, OrderType
from tests.factories import billing, catalog, identity, orders
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.personas import Persona, make_buyer
from tests.queries import own_queries

pytestmark = pytest.mark.django_db

LIST = "/console/renewals/"
BATCH = f"{LIST}batch/"


def page_of(owned: Owned) -> str:
    return f"{LIST}{owned.resource.number}/"


@contextmanager
def acting(owned: Owned) -> Iterator[Any]:
    with clock.at(owned.now):
        yield owned.buyer.client


def show(owned: Owned, address: str, *, by: Persona | None = None, status: int = 200) -> str:
    with clock.at(owned.now):
        response = (by or owned.buyer).client.get(address)
    assert response.status_code == status, response.content.decode()[:2000]
    return unescape(response.content.decode())


def post(owned: Owned, address: str, data: dict[str, Any] | None = None, *, status: int = 302) -> Any:
    with acting(owned) as client:
        response = client.post(address, data or {})
    assert response.status_code == status, response.content.decode()[:3000]
    return response


def quote_in(text: str) -> str:
    found = re.search(r'name="quote" value="([^"]+)"', text)
    assert found, "the page holds a signed quote"
    return found[1]


def count(owned: Owned, address: str) -> int:
    """How many queries a page needs, beside the menu of categories, which each process remembers."""
    show(owned, address)
    with CaptureQueriesContext(connection) as caught:
        show(owned, address)
    return len(own_queries(caught))


def changeable(**fields: Any) -> Product:
    """A SaaS product with Basic (USD 10.00 a month) and Pro (30.00), and paths between them in both directions."""
    product = period_product(specifications=("basic", "pro"), **fields)
    with guard.opened("test"):
        basic, pro = Sku.objects.filter(product=product).order_by("specification__position")
        for price in pro.plans.get(term_unit="month").prices.all():
            price.unit_price = Decimal("30.00")
            price.save()
        for source, target, is_upgrade in ((basic, pro, True), (pro, basic, False)):
            ChangePath.objects.create(product=product, source=source, target=target, is_upgrade=is_upgrade)
    return product


def sku_named(product: Product, code: str) -> str:
    return Sku.objects.get(product=product, specification__code=code).code


# The list


def test_each_tab_holds_the_resources_of_its_policy_with_counts() -> None:
    buyer = make_buyer()
    owned = [subscribed(buyer=buyer, at="2026-01-10") for _ in range(4)]
    for each, policy in zip(owned, ("manual", "auto", "pay_per_use", "none"), strict=True):
        if policy == "auto":
            each.automate()
        elif policy != "manual":
            with guard.opened("test"):
                Resource.objects.filter(pk=each.resource.pk).update(expiration_policy=policy)
    orders.bought(buyer, catalog.content_product(), at=owned[0].now)
    for tab, label, shown in (
        ("", "Manual Renewals", 0),
        ("?tab=auto", "Auto Renewals", 1),
        ("?tab=pay_per_use", "Pay-per-Use After Expiration", 2),
        ("?tab=canceled", "Renewals Canceled", 3),
    ):
        text = show(owned[0], f"{LIST}{tab}")
        assert f'{label} <span class="tab-count">1</span>' in text
        for place, each in enumerate(owned):
            assert (page_of(each) in text) == (place == shown)


def test_the_list_is_searched_and_filtered_by_days_to_expiry_and_project() -> None:
    buyer = make_buyer()
    soon = subscribed(buyer=buyer, at="2026-01-10", product=period_product(name="Harbor ERP"))
    late = subscribed(buyer=buyer, at="2026-01-10", term="1-year", product=period_product(name="Relata CRM"))
    project = identity.ProjectFactory(account=buyer.account)
    with guard.opened("test"):
        Resource.objects.filter(pk=late.resource.pk).update(project_code=project.code)
        type(buyer.account).objects.filter(pk=buyer.account.pk).update(projects_enabled=True)
    soon.at("2026-02-05")
    assert page_of(soon) in show(soon, f"{LIST}?q=harbor") and page_of(late) not in show(soon, f"{LIST}?q=harbor")
    text = show(soon, f"{LIST}?expires_in=7")
    assert page_of(soon) in text and page_of(late) not in text
    text = show(soon, f"{LIST}?project={project.code}")
    assert page_of(late) in text and page_of(soon) not in text and project.name in text
    soon.at("2026-02-12")
    text = show(soon, f"{LIST}?expires_in=expired")
    assert page_of(soon) in text and page_of(late) not in text and "Grace period" in text


def copied(resource: Resource, count: int) -> None:
    """So many resources like this one."""
    line = Resource.objects.get(pk=resource.pk).line
    number, terms = line.number, list(resource.terms.all())
    with guard.opened("test"):
        for place in range(count):
            line.pk, line.number, line.once_key = None, f"{number[:-6]}{place + 2:06d}", None
            line.save()
            row = Resource.objects.get(pk=resource.pk)
            row.pk, row.number, row.line = None, f"copy-{place}", line
            row.save()
            for term in terms:
                term.pk, term.resource, term.line = None, row, line
                term.save()


def test_the_days_to_expiry_are_offered_in_the_readers_language() -> None:
    owned = subscribed(at="2026-01-10")
    with guard.opened("test"):
        owned.buyer.user.language = "zh-hans"
        owned.buyer.user.save(update_fields=["language"])
    text = show(owned, LIST)
    assert "30天内" in text and "Within" not in text


def test_the_navigation_counts_what_is_to_be_renewed_by_hand_within_thirty_days() -> None:
    owned = subscribed(at="2026-01-10")
    other = subscribed(buyer=owned.buyer, at="2026-01-10", term="3-month")
    badge = re.compile(r'href="/console/renewals/".*?<span class="count">(\d+)</span>.*?</a>')
    assert badge.search(show(owned.at("2026-01-12"), LIST).replace("\n", ""))[1] == "1"  # type: ignore[index]
    other.now = owned.now
    other.renew("1-month")
    owned.automate()
    assert not re.search(r'href="/console/renewals/"[^>]*>(?:(?!</a>).)*class="count"', show(owned, LIST), re.DOTALL)


@pytest.mark.parametrize("address", [LIST, "/console/apps/"])
def test_a_list_costs_the_same_for_one_row_and_for_a_hundred(address: str) -> None:
    product = changeable()
    owned = subscribed(at="2026-01-10", product=product)
    owned.at("2026-01-20").renew("1-month", target=sku_named(product, "pro"))
    one = count(owned, address)
    copied(owned.resource, 99)
    assert count(owned, f"{address}?size=100") == one <= 8


def test_a_stranger_meets_no_resource_and_a_denied_user_cannot_renew() -> None:
    owned = subscribed(at="2026-01-10")
    stranger = make_buyer()
    for address in (page_of(owned), f"{page_of(owned)}auto/", f"{page_of(owned)}cancel/"):
        show(owned, address, by=stranger, status=404)
    assert owned.resource.number not in show(owned, LIST, by=stranger)
    user = identity.UserFactory(account=owned.buyer.account, is_root=False, username="denied")
    identity.deny(user, "marketplace:order:renewOrder", name="no-renewals")
    denied = Persona(user, owned.buyer.role)
    text = show(owned, page_of(owned), by=denied)
    assert "no-renewals" in text and 'name="quote"' not in text


# Renewing one


def test_the_page_offers_both_cycles_the_last_bought_first_and_its_expiry_is_the_one_after() -> None:
    owned = subscribed(term="3-month", at="2026-01-31").at("2026-03-01")
    text = show(owned, page_of(owned))
    for label in ("1 month", "6 months", "1 year", "3 years", "USD 30.00", "How is this calculated?"):
        assert label in text
    assert re.search(r'value="3-month"[^>]*checked', text)
    assert "Jul 31, 2026 23:59:59 GMT+08:00" in text, "the anchor day of Jan 31 is kept"
    answer = post(owned, page_of(owned), {"quote": quote_in(text)})
    order = Order.objects.get(type=OrderType.RENEW)
    assert answer["Location"] == f"/console/orders/{order.number}/pay/"
    post(owned, answer["Location"], {"method": "balance"})
    owned.at("2026-03-01")
    assert owned.expires == "2026-07-31"
    assert owned.resource.expires_at == datetime.fromisoformat("2026-07-31T23:59:59+08:00")
    assert Trace.objects.filter(trace_name="renewOrder", trace_rating="normal").count() == 1
    assert not check_ledger(system_call()).findings


def test_a_unified_renewal_date_is_priced_by_the_day_and_becomes_the_anchor() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    text = show(owned, f"{page_of(owned)}?length=1-month&unified=20")
    assert "Mar 20, 2026 23:59:59" in text
    assert "USD 13.57" in text, "10.00 and ten of 28 days"
    answer = post(owned, page_of(owned), {"quote": quote_in(text)})
    post(owned, answer["Location"], {"method": "balance"})
    owned.resource.refresh_from_db()
    assert (owned.expires, owned.resource.anchor_day) == ("2026-03-20", 20)
    text = show(owned, f"{page_of(owned)}?length=1-month&unified=29")
    assert "from 1 to 28" in text and 'name="quote"' not in text


def test_what_cannot_be_renewed_says_why_and_leads_to_the_order_that_blocks_it() -> None:
    owned = subscribed(at="2026-01-10")
    order = owned.place("1-month")
    text = show(owned, page_of(owned))
    assert order.number in text and f"/console/orders/{order.number}/pay/" in text and 'name="quote"' not in text
    orders.bought(owned.buyer, catalog.content_product(), at=owned.now)
    other = Resource.objects.exclude(pk=owned.resource.pk).get()
    assert "Only yearly/monthly resources can be renewed." in show(owned, f"{LIST}{other.number}/")


def test_a_quote_older_than_thirty_minutes_with_another_price_shows_both() -> None:
    owned = subscribed(at="2026-01-10")
    text = show(owned, page_of(owned))
    with guard.opened("test"):
        for price in owned.resource.product.skus.get().plans.get(term_unit="month").prices.all():
            price.unit_price = Decimal("12.00")
            price.save()
    owned.now = moment("2026-01-10T10:31:00+08:00")
    answer = post(owned, page_of(owned), {"quote": quote_in(text)}, status=409)
    text = unescape(answer.content.decode())
    assert "The price has changed" in text and "USD 10.00" in text and "USD 12.00" in text
    assert not Order.objects.filter(type=OrderType.RENEW).exists()


# Change upon renewal


def test_a_change_upon_renewal_is_offered_from_thirty_days_before_and_says_why_not_before_that() -> None:
    product = changeable()
    owned = subscribed(term="3-month", at="2026-01-10", product=product)
    assert "A change upon renewal is possible from Mar 11, 2026 00:00:00" in show(owned, page_of(owned))
    owned.at("2026-03-11T00:00:00+08:00")
    text = show(owned, f"{page_of(owned)}?change=on&target={sku_named(product, 'pro')}&length=1-month")
    assert "USD 30.00" in text and "A change upon renewal has no unified renewal date." in text
    assert "id_unified" not in text


def test_a_change_upon_renewal_is_paid_shown_everywhere_and_cancelled_for_a_full_refund() -> None:
    product = changeable()
    owned = subscribed(at="2026-01-10", product=product).at("2026-01-20")
    before = balance(owned.buyer.account.pk)
    text = show(owned, f"{page_of(owned)}?change=on&target={sku_named(product, 'pro')}&length=1-month")
    answer = post(owned, page_of(owned), {"quote": quote_in(text)})
    post(owned, answer["Location"], {"method": "balance"})
    order = Order.objects.get(type=OrderType.RENEW)
    assert order.state == OrderState.PROCESSING
    for address in (
        owned.resource.get_absolute_url(),
        "/console/apps/",
        LIST,
        page_of(owned),
        f"{page_of(owned)}auto/",
    ):
        text = show(owned, address)
        assert "is renewed and changed soon" in text and "Feb 11, 2026 00:00:00 GMT+08:00" in text, address
        assert "Cancel the renewal" in text and order.number in text, address
    assert re.search(r"Takes effect.*?Feb 11, 2026 00:00:00", show(owned, order.get_absolute_url()), re.DOTALL)
    policy = f"/console/apps/{owned.resource.number}/expiration/"
    refused = post(owned, policy, {"policy": "none"}, status=422)
    assert order.number in refused.content.decode()
    assert 'name="policy"' not in show(owned, policy), "a choice that cannot be saved is not asked for"
    assert order.number in show(owned, f"{page_of(owned)}cancel/")
    post(owned, f"{page_of(owned)}cancel/")
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert balance(owned.buyer.account.pk) == before
    assert "is renewed and changed soon" not in show(owned, owned.resource.get_absolute_url())
    assert post(owned, f"{page_of(owned)}cancel/", status=409)
    assert Trace.objects.filter(trace_name="cancelRenewal", trace_rating="normal").count() == 1


def test_a_change_upon_renewal_that_is_kept_takes_effect_after_the_expiry() -> None:
    product = changeable()
    owned = subscribed(at="2026-01-10", product=product).at("2026-01-20")
    owned.renew("1-month", target=sku_named(product, "pro"))
    owned.at("2026-02-11T00:00:00+08:00")
    text = show(owned, owned.resource.get_absolute_url())
    assert "Pro" in text and owned.expires == "2026-03-10" and "is renewed and changed soon" not in text
    assert RenewalChange.objects.get().state == "effective"


# Several at once


def batch_fields(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"selected": re.findall(r'name="selected" value="([^"]+)"', text)}
    fields |= dict(re.findall(r'name="(seen-[^"]+)" value="([^"]+)"', text))
    return fields


def test_a_batch_orders_each_resource_by_itself_and_says_why_one_cannot_be_renewed() -> None:
    buyer = make_buyer()
    first, second, blocked = (subscribed(buyer=buyer, at="2026-01-10") for _ in range(3))
    unpaid = blocked.place("1-month")
    numbers = [each.resource.number for each in (first, second, blocked)]
    text = unescape(post(first, BATCH, {"selected": numbers}, status=200).content.decode())
    assert "1 resource cannot be renewed" in text and unpaid.number in text
    assert "Sum of 2 resources" in text and "USD 20.00" in text
    chosen = batch_fields(text) | {f"length-{numbers[1]}": "1-year", "do": "show"}
    text = unescape(post(first, BATCH, chosen, status=200).content.decode())
    assert "USD 110.00" in text and "Feb 10, 2027 23:59:59" in text
    key = pages.new_key()
    ordered = batch_fields(text) | {f"length-{numbers[1]}": "1-year", "do": "order", pages.KEY_FIELD: key}
    for _again in range(2):
        done = unescape(post(first, BATCH, ordered, status=200).content.decode())
        assert "1 resource was not renewed" in done
    placed = Order.objects.filter(type=OrderType.RENEW).exclude(pk=unpaid.pk).order_by("pk")
    assert sorted(order.amount for order in placed) == [Decimal(10), Decimal(100)], "a second sending orders nothing"
    paid = {"do": "pay", "orders": [order.number for order in placed], "method": "balance"}
    text = unescape(post(first, BATCH, paid, status=200).content.decode())
    assert "Feb 10, 2027 23:59:59" in text and "Completed" in text
    paid["orders"].reverse()
    rows = re.findall(r"CS\w{15}", post(first, BATCH, paid, status=200).content.decode())
    assert list(dict.fromkeys(rows)) == paid["orders"], "in the order of the page before"
    for owned, expires in ((first, "2026-03-10"), (second, "2027-02-10"), (blocked, "2026-02-10")):
        owned.resource.refresh_from_db()
        assert owned.expires == expires
    assert not check_ledger(system_call()).findings


def test_a_batch_refuses_a_row_whose_price_has_changed_since_it_was_shown() -> None:
    owned = subscribed(at="2026-01-10")
    text = unescape(post(owned, BATCH, {"selected": owned.resource.number}, status=200).content.decode())
    with guard.opened("test"):
        for price in owned.resource.product.skus.get().plans.get(term_unit="month").prices.all():
            price.unit_price = Decimal("12.00")
            price.save()
    answer = post(owned, BATCH, batch_fields(text) | {"do": "order"}, status=200)
    assert "USD 12.00" in answer.content.decode() and not Order.objects.filter(type=OrderType.RENEW).exists()


def test_more_than_two_hundred_or_nothing_selected_says_so() -> None:
    owned = subscribed(at="2026-01-10")
    many = [f"r-{number}" for number in range(201)]
    assert "At most 200 resources" in post(owned, BATCH, {"selected": many}, status=400).content.decode()
    assert post(owned, BATCH)["Location"] == LIST
    post(owned, BATCH, {"selected": ["no-such-resource"]}, status=404)


def test_a_batch_of_two_hundred_asks_as_much_as_one_of_two_and_stays_a_light_page() -> None:
    owned = subscribed(at="2026-01-10")
    subscribed(buyer=owned.buyer, at="2026-01-10", product=changeable())
    copied(owned.resource, 198)
    numbers = list(Resource.objects.order_by("pk").values_list("number", flat=True))

    def asked(numbers: list[str]) -> tuple[int, bytes]:
        post(owned, BATCH, {"selected": numbers}, status=200)
        with CaptureQueriesContext(connection) as caught:
            page = post(owned, BATCH, {"selected": numbers}, status=200).content
        return len(own_queries(caught)), page

    few, _page = asked(numbers[:2])
    many, page = asked(numbers)
    assert many == few <= 8
    assert "Sum of 200 resources" in page.decode()
    assert len(gzip.compress(page)) < 80_000


# Auto-renewal


def test_auto_renewal_is_enabled_modified_and_disabled_with_its_next_deduction_shown() -> None:
    owned = subscribed(at="2026-01-10")
    address = f"{page_of(owned)}auto/"
    text = show(owned, address)
    assert re.search(r'value="1-month"[^>]*selected', text) and re.search(r'value="balance"[^>]*checked', text)
    assert "Feb 03, 2026 03:00:00 GMT+08:00" in text and "USD 10.00" in text and "Mar 10, 2026 23:59:59" in text
    chosen = {"length": "3-month", "times": "2", "days_before": "0", "method": "balance"}
    text = post(owned, address, chosen | {"do": "show"}, status=200).content.decode()
    assert "Feb 10, 2026 03:00:00" in text and not AutoRenewal.objects.exists()
    post(owned, address, chosen)
    auto = AutoRenewal.objects.get()
    assert (auto.enabled, auto.term_count, auto.left, auto.days_before) == (True, 3, 2, 0)
    assert "next deduction Feb 10, 2026 03:00:00" in re.sub(
        "<[^>]+>", "", show(owned, owned.resource.get_absolute_url())
    )
    assert "Feb 10, 2026 03:00:00" in show(owned, f"{LIST}?tab=auto")
    post(owned, f"{address}disable/")
    owned.resource.refresh_from_db()
    assert owned.resource.expiration_policy == ExpirationPolicy.MANUAL
    assert post(owned, f"{address}disable/", status=409)
    assert post(owned, address, {"length": "", "method": ""}, status=422)


def test_a_failed_auto_renewal_says_loudly_why_what_helps_and_when_it_is_tried_again() -> None:
    owned = subscribed(at="2026-01-10", funds=10)
    owned.automate()
    owned.at("2026-02-03T03:00:00+08:00")
    for address in (owned.resource.get_absolute_url(), f"{page_of(owned)}auto/"):
        text = show(owned, address)
        assert "The last auto-renewal failed" in text and "USD 10.00 missing" in text and "Top up" in text
        assert "Feb 04, 2026 03:00:00" in text and "Nothing was deducted." in text
    assert "USD 10.00 missing" in show(owned, f"{LIST}?tab=auto")


def test_the_expiration_policy_switches_auto_renewal_on_with_what_is_usual_and_off() -> None:
    owned = subscribed(term="3-month", at="2026-01-10")
    address = f"/console/apps/{owned.resource.number}/expiration/"
    text = show(owned, address)
    assert "Auto-renew" in text and "grace and retention as usual" in text and "pay-per-use" not in text.lower()
    post(owned, address, {"policy": "auto"})
    auto = AutoRenewal.objects.get()
    assert (auto.enabled, auto.term_count, auto.left, auto.days_before, auto.method) == (True, 3, None, 7, "balance")
    post(owned, address, {"policy": "none"})
    auto.refresh_from_db()
    owned.resource.refresh_from_db()
    assert (auto.enabled, owned.resource.expiration_policy) == (False, ExpirationPolicy.NONE)
    assert Trace.objects.filter(trace_name="setResourceStrategy", trace_rating="normal").count() == 2


def test_change_to_pay_per_use_is_offered_where_the_product_sells_it_and_happens_after_the_expiry() -> None:
    product = period_product(
        plans=[
            catalog.plan(term_unit="month", unit_price="10.00", lengths=[1]),
            catalog.plan(mode="ON_DEMAND", unit_price="0.10", usage_unit="hour"),
        ]
    )
    owned = subscribed(at="2026-01-10", product=product)
    address = f"/console/apps/{owned.resource.number}/expiration/"
    assert "Change to pay-per-use" in show(owned, address)
    post(owned, address, {"policy": "pay_per_use"})
    assert "goes on by pay-per-use" in show(owned, owned.resource.get_absolute_url())
    assert page_of(owned) in show(owned, f"{LIST}?tab=pay_per_use")
    owned.at("2026-02-11T00:00:00+08:00")
    assert owned.resource.billing_mode == "ON_DEMAND" and owned.resource.expires_at is None


# The life bar


@pytest.mark.parametrize(
    ("at", "current", "works"),
    [
        ("2026-01-20", "Enabled", "Everything works until the expiry"),
        ("2026-02-12", "Grace period", "Everything still works until Feb 25, 2026 23:59:59"),
        ("2026-02-27", "Retention period", "Its data is kept until Mar 13, 2026 00:00:00"),
    ],
)
def test_the_bar_says_where_the_resource_stands_what_works_and_what_renewing_today_costs(
    at: str, current: str, works: str
) -> None:
    owned = subscribed(at="2026-01-10").at(at)
    text = show(owned, owned.resource.get_absolute_url())
    assert re.search(rf'data-state="current"[^>]*>.*?<strong>{current}</strong>', text)
    assert works in text
    plain = re.sub("<[^>]+>", "", text)
    assert "until Feb 10, 2026 23:59:59" in plain and "at Mar 13, 2026 00:00:00" in plain
    assert "Renewed today for 1 month: USD 10.00, until Mar 10, 2026 23:59:59 GMT+08:00." in plain


def test_pages_of_one_resource_stay_within_eight_queries() -> None:
    product = changeable()
    owned = subscribed(at="2026-01-10", product=product).at("2026-01-20")
    billing.card(owned.buyer.account)
    owned.automate()
    pro = sku_named(product, "pro")
    for address in (
        owned.resource.get_absolute_url(),
        page_of(owned),
        f"{page_of(owned)}?change=on&target={pro}&length=1-month",
        f"{page_of(owned)}auto/",
        f"/console/apps/{owned.resource.number}/expiration/",
    ):
        assert count(owned, address) <= 8, address
