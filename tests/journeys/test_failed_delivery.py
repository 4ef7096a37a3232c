"""When a seller's server never answers well: the order is Canceled, the money refunded once, the buyer told."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from playwright.sync_api import expect

from billing.models import Refund
from billing.queries import balance, order_money
from catalog.models import Product
from koogallery import clock
from koogallery.kernel import sweeps
from koogallery.kernel.money import Money
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Resource
from orders.states import CallState, OrderState
from tests.browsing import Opener
from tests.factories import orders
from tests.factories.billing import usd
from tests.journeys.visitor import Visitor, amounts_in
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TRIES = 60
SPACING = timedelta(minutes=3)


def test_a_server_that_never_answers_well_ends_in_one_refund_and_an_order_that_can_be_tried_again(
    open_page: Opener, buyer: Persona, wiki: Product, server: ExampleSeller
) -> None:
    server.fail("000005")
    order = orders.bought(buyer, wiki, quantity="7", term="1-year")
    total = Money(order.amount, "USD")
    assert balance(buyer.account.pk) == usd(1000) - total
    start = order.paid_at

    for step in range(TRIES):
        with clock.at(start + step * SPACING + timedelta(seconds=1)):
            sweeps.tick()
        order.refresh_from_db()
        assert order.state == OrderState.PROCESSING
        assert len(server.calls_of("newInstance")) == step + 1

    for again in range(3):
        with clock.at(start + TRIES * SPACING + timedelta(minutes=again, seconds=1)):
            sweeps.tick()
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert all(call.verified for call in server.calls)
    assert len(server.calls) == TRIES
    assert InterfaceCall.objects.get(order=order).state == CallState.GIVEN_UP
    assert Refund.objects.get(order_number=order.number).money == total
    assert order_money(order.number).refunded == order_money(order.number).paid == total
    assert balance(buyer.account.pk) == usd(1000)
    assert not Resource.objects.filter(order_number=order.number).exists()
    [told] = [each for each in mail.outbox if "could not be delivered" in each.subject and buyer.user.email in each.to]
    assert amounts_in(str(told.body)) == ["USD 700.00"]
    assert wiki.seller.email in str(told.body)

    page = open_page("/console/orders/", user=buyer.user)
    visitor = Visitor(page)
    visitor.press("link", order.number)
    visitor.arrive(wiki.name)
    expect(page.locator("main").get_by_text("Canceled", exact=True).first).to_be_visible()
    main = page.locator("main")
    expect(main).to_contain_text(re.compile(r"USD\s700\.00 is refunded to where it came from and arrives within"))
    expect(main).to_contain_text(wiki.seller.email)
    assert visitor.sum_of("Refunded") == visitor.sum_of("Paid") == "USD 700.00"
    visitor.press("link", "Try again with the same configuration")
    visitor.arrive("Confirm order")
    assert visitor.sum_of("Total") == "USD 700.00"
    assert page.complaints == []  # type: ignore[attr-defined]
