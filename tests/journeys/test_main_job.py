"""The main job (G25 1.1): a new user finds a product, configures, buys and pays it, and uses what was delivered."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.utils.translation import override
from playwright.sync_api import expect

from billing.queries import order_money
from catalog.models import Product
from catalog.queries.configuration import term_text
from koogallery.identity.models import User
from koogallery.kernel import sweeps
from koogallery.kernel.money import Money
from orders.example_seller import ExampleSeller
from orders.models import Order, Resource
from orders.states import OrderState
from tests.browsing import Opener
from tests.factories.identity import PASSWORD
from tests.journeys.visitor import Visitor, amounts_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WAYS = {
    "with JavaScript": {},
    "without JavaScript": {"javascript": False},
    "in Chinese on a telephone": {"language": "zh-hans", "width": 375},
    "by keyboard alone": {"keyboard": True},
}

DONE = (
    "signUp",
    "verifyEmail",
    "addFavorites",
    "addCard",
    "signAgreements",
    "createOrder",
    "startCardPayment",
    "confirmCardPayment",
    "completeOrder",
    "queryOrderDetail",
    "queryResourceDetail",
    "querySaasResourceInstance",
)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_new_user_finds_configures_buys_pays_and_uses(
    open_page: Opener, wiki: Product, server: ExampleSeller, way: dict[str, Any]
) -> None:
    seen = dict(way)
    keyboard = seen.pop("keyboard", False)
    page = open_page("/", **seen)
    visitor = Visitor(page, language=seen.get("language", "en"), keyboard=keyboard, narrow="width" in seen)
    live = seen.get("javascript", True)
    assert (visitor.word("Pay Now") == "Pay Now") is (visitor.language == "en")

    sign_up(visitor)
    verify_address(visitor)
    find(visitor, wiki)
    price = configure(visitor, live=live)
    assert price == "USD 700.00"

    visitor.press("button", "Save to List")
    expect(page.locator("main")).to_contain_text(visitor.word("Saved"))
    visitor.open_console("My Favorites")
    visitor.press("link", "Buy")
    visitor.arrive("Nimbus Wiki")
    assert configure(visitor, live=live) == price
    visitor.press("button", "Continue to Submit")
    visitor.arrive("Confirm order")
    assert visitor.sum_of("Total") == price

    visitor.press("button", "Add card")
    visitor.arrive("Add a test card")
    visitor.press("button", "Add card")
    visitor.arrive("Confirm order")
    assert visitor.sum_of("Total") == price
    expect(visitor.find("checkbox", "Terms and Conditions")).not_to_be_checked()
    visitor.tick("Terms and Conditions")
    visitor.press("button", "Pay Now")

    visitor.arrive("Pay order")
    order = Order.objects.get()
    assert order.state == OrderState.PENDING_PAYMENT
    assert visitor.sum_of("Total") == price
    visitor.choose(page.get_by_role("radio", name=re.compile("Visa")))
    visitor.press("button", "Confirm")
    visitor.arrive("The order is placed")
    expect(page.locator("main")).to_contain_text(order.number)
    assert amounts_in(visitor.read()) == [price]

    sweeps.tick()
    [created] = server.calls_of("newInstance")
    assert created.verified
    assert created.params["orderId"] == order.number
    paid = mail_with(order.number)
    assert amounts_in(str(paid.body)) == [price]
    assert order_money(order.number).paid == order_money(order.number).earned == Money(Decimal("700.00"), "USD")

    visitor.press("link", "Order details")
    visitor.arrive(wiki.name)
    assert visitor.sum_of("Paid") == visitor.sum_of("Earned by the seller") == price
    use(visitor, order, live=live)

    visitor.open_console("Trace List")
    for name in DONE:
        expect(page.locator("tbody").get_by_role("link", name=name, exact=True).first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", visitor.language)
    assert page.complaints == []  # type: ignore[attr-defined]


def sign_up(visitor: Visitor) -> None:
    """Open an account."""
    visitor.press("link", "Sign in")
    visitor.arrive("Sign in")
    visitor.press("link", "Sign up", within=visitor.page.locator("main"))
    visitor.arrive("Sign up")
    visitor.write(visitor.field("Account name"), "riverbank")
    visitor.write(visitor.field("E-mail address"), "root@riverbank.example")
    visitor.write(visitor.field("Mobile number"), "+8613800001111")
    visitor.write(visitor.field("Password"), PASSWORD)
    visitor.press("button", "Sign up", within=visitor.page.locator("main"))
    expect(visitor.page.locator("[popovertarget=menu-user]")).to_be_visible()


def verify_address(visitor: Visitor) -> None:
    """Follow the link in the mail."""
    sweeps.tick()
    [message] = mail.outbox
    assert message.to == ["root@riverbank.example"]
    link = re.search(r"https?://\S+/accounts/verify/\S+", str(message.body))
    assert link is not None
    visitor.page.goto(urlsplit(link.group()).path)
    visitor.arrive("Verify e-mail address")
    visitor.press("button", "Verify e-mail address")
    visitor.press("link", "Continue")
    expect(visitor.page.get_by_role("searchbox", name=visitor.word("Search products"))).to_be_visible()
    assert User.objects.get(username="riverbank").email_verified_at is not None


def find(visitor: Visitor, product: Product) -> None:
    """Search by a word, narrow by a facet, open the product."""
    visitor.write(visitor.find("searchbox", "Search products"), "wiki")
    visitor.press("button", "Search")
    visitor.arrive("Results for “%(query)s”", query="wiki")
    cards = visitor.page.get_by_role("article")
    expect(cards).to_have_count(2)
    if visitor.narrow:
        visitor.page.locator("summary", has_text=visitor.word("Filters")).click()
    facet = visitor.page.get_by_role("navigation", name=visitor.word("Delivery method"))
    choice = facet.get_by_role("link").filter(has_text="SaaS")
    if visitor.keyboard:
        visitor.reach(choice)
        visitor.page.keyboard.press("Enter")
    else:
        choice.click()
    expect(cards).to_have_count(1)
    visitor.press("link", product.name, within=cards)
    visitor.arrive(product.name)
    visitor.press("link", "Pricing")
    expect(visitor.find("link", "Pricing")).to_have_attribute("aria-current", "page")
    visitor.settle()


def configure(visitor: Visitor, *, live: bool) -> str:
    """Choose a year for seven users; the price as the page then says it."""
    status = visitor.page.get_by_role("complementary", name=visitor.word("Price")).get_by_role("status")
    expect(status).to_contain_text(re.compile(r"USD\s10\.00"))
    with override(visitor.language):
        year = term_text(unit="year", count=1)
    visitor.choose(visitor.page.get_by_role("radio", name=year, exact=True))
    if live:
        expect(status).to_contain_text(re.compile(r"USD\s100\.00"))
    visitor.write(visitor.page.get_by_role("spinbutton", name="Users"), "7")
    if not live:
        visitor.press("button", "Update price")
    price = visitor.page.locator(".price-big")
    expect(price).to_have_text(re.compile(r"USD\s700\.00"))
    visitor.settle()
    return amounts_in(price.inner_text())[0]


def use(visitor: Visitor, order: Order, *, live: bool) -> None:
    """Open the application's details and see its password."""
    resource = Resource.objects.get(order_number=order.number)
    page = visitor.page
    visitor.open_console("Purchased Apps")
    expect(page.locator("main tbody tr")).to_have_count(1)
    visitor.press("link", "Resource Details")
    for title in ("Application Information", "Basic Information", "Seller Information"):
        expect(visitor.find("heading", title)).to_be_visible()
    visitor.settle()
    for part in (resource.user_name, resource.frontend_url, order.number, resource.seller.email):
        assert part
        expect(page.locator("main")).to_contain_text(part)
    assert resource.password and resource.password not in page.content()
    visitor.press("button", "Show %(label)s", label=visitor.word("Password"))
    expect(page.locator("main")).to_contain_text(resource.password)
    if not live:
        visitor.press("link", "Back")
        expect(page.locator("main")).not_to_contain_text(resource.password)


def mail_with(number: str) -> EmailMessage:
    """The one mail to the buyer that names an order."""
    found = [each for each in mail.outbox if number in f"{each.subject} {each.body}" and "riverbank" in each.to[0]]
    assert len(found) == 1, [each.subject for each in mail.outbox]
    return found[0]
