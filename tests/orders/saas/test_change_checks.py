"""`changeInstanceCheck` and `upgradeInstance`: what the seller's server says decides before anything is charged."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from audit.models import Trace
from billing.queries import order_money, payments_of
from catalog.models import ChangePath, PlanPrice, Product, Sku
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Order, Resource
from orders.operations import change_checks, interface_calls, renewing
from orders.rules.quote import sign
from orders.states import CallState, OrderState, OrderType
from tests.factories import catalog, orders
from tests.factories.changes import change_on_page, page, posted
from tests.factories.subscriptions import Owned, moment, subscribed
from tests.personas import Persona, make_buyer

CHECK, UPGRADE = "changeInstanceCheck", "upgradeInstance"

pytestmark = pytest.mark.django_db


@pytest.fixture
def owned(db: None, server: ExampleSeller) -> Owned:
    """Five seats for a year, with an instance on the seller's server."""
    product = catalog.saas_product(
        interface_url=server.url,
        interface_key=server.key,
        plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00")],
    )
    bought = subscribed_with_instance(product)
    server.calls.clear()
    return bought


def subscribed_with_instance(product: Product, **data: str) -> Owned:
    buyer, at = make_buyer(), moment("2026-01-10")
    order = orders.bought(buyer, product, funds=10_000, at=at, term="1-year", **({"quantity": "5"} | data))
    interface_calls.run_due(at)
    return Owned(resource=Resource.objects.get(order_number=order.number), buyer=buyer, now=at)


def nothing_happened(owned: Owned) -> bool:
    owned.resource.refresh_from_db()
    assert owned.resource.configured.quantity == 5
    assert not Order.objects.filter(type=OrderType.CHANGE).exists()
    return True


def test_the_server_is_asked_before_and_told_after(owned: Owned, server: ExampleSeller) -> None:
    order, _shown = change_on_page(owned, kind="expansion", quantity="8")
    asked = server.calls_of(CHECK)
    assert len(asked) == 2 and all(each.verified for each in asked)
    product = owned.resource.product
    assert asked[0].params["productInfo"] == [
        {"linearValue": "8", "productId": product.code, "productName": product.name, "skuCode": "standard"}
    ]
    assert asked[0].params["instanceId"] == owned.resource.instance_id
    interface_calls.run_due(owned.now)
    instance = server.instances[owned.resource.instance_id]
    assert (instance.upgrades, order.state) == ([order.number], OrderState.COMPLETED)


def test_each_question_is_an_interface_call_with_its_attempt(owned: Owned) -> None:
    change_on_page(owned, kind="expansion", quantity="8")
    calls = InterfaceCall.objects.filter(activity=CHECK)
    assert {(call.state, call.tries, call.attempts.count()) for call in calls} == {(CallState.DONE, 1, 1)}
    assert not any(call.is_replayable for call in calls)

    vendor = Persona(User.objects.get(account=owned.resource.seller.account), Role.SELLER)
    assert CHECK in vendor.client.get("/seller/interface/").content.decode()


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("000100", "change_check_refused", "no resources left"),
        ("000106", "change_check_refused", "failing on demand"),
        ("000005", "change_check_unanswered", "internal error"),
        ("000003", "change_check_unanswered", "does not know this instance"),
        ("000004", "change_check_unanswered", "still working"),
        ("garbage", "change_check_unanswered", "did not answer with a JSON object"),
        ("drop", "change_check_unanswered", "cannot be reached"),
        ("500", "change_check_unanswered", "HTTP error"),
    ],
)
def test_a_server_that_does_not_agree_lets_nothing_change(
    owned: Owned, server: ExampleSeller, kind: str, code: str, words: str
) -> None:
    html = page(owned, kind="expansion", quantity="8")
    server.fail(kind)
    answer = posted(owned, html)
    told = answer.content.decode()
    assert answer.status_code == 409
    assert words in told and "Nothing was changed or charged." in told
    assert nothing_happened(owned)
    call = InterfaceCall.objects.get(activity=CHECK)
    assert call.state == (CallState.REFUSED if code == "change_check_refused" else CallState.GIVEN_UP)

    refused = Trace.objects.get(trace_name="changeOrder")
    assert (refused.code, refused.trace_rating) == (code, "warning")
    server.recover()
    assert posted(owned, page(owned, kind="expansion", quantity="8")).status_code == 302


def test_a_slow_server_is_waited_for_five_seconds_at_most(owned: Owned, server: ExampleSeller) -> None:
    html = page(owned, kind="expansion", quantity="8")
    server.fail("timeout")
    started = time.monotonic()
    answer = posted(owned, html)
    assert 4.5 < time.monotonic() - started < 7.5
    assert "did not answer within 5 seconds" in answer.content.decode()
    assert nothing_happened(owned)


def test_a_server_that_is_not_there_lets_nothing_change(owned: Owned, server: ExampleSeller) -> None:
    html = page(owned, kind="expansion", quantity="8")
    server.stop()
    assert "cannot be reached" in posted(owned, html).content.decode()
    assert nothing_happened(owned)
    told = Message.objects.filter(account_id=owned.resource.seller.account_id, kind="interface_call_failed")
    assert told.count() == 1


def test_a_refusal_at_payment_charges_nothing_and_leaves_the_order_unpaid(owned: Owned, server: ExampleSeller) -> None:
    order = owned.place(kind="expansion", quantity="8")
    server.fail("000100", activity=CHECK)
    with clock.at(owned.now):
        answer = owned.buyer.client.post(f"/console/orders/{order.number}/pay/", {"method": "balance"})
    assert answer.status_code == 200 and "no resources left" in answer.content.decode()
    order.refresh_from_db()
    assert (order.state, list(payments_of(order.number))) == (OrderState.PENDING_PAYMENT, [])
    owned.resource.refresh_from_db()
    assert owned.resource.configured.quantity == 5


def test_a_fee_of_nothing_is_checked_before_it_takes_effect(owned: Owned, server: ExampleSeller) -> None:
    with guard.opened("test"):
        PlanPrice.objects.update(unit_price=Decimal("0.00"))
    server.fail("000100", activity=CHECK)
    with pytest.raises(Refused, match="change_check_refused"):
        owned.place(kind="expansion", quantity="8")
    assert nothing_happened(owned)
    server.recover()
    assert owned.place(kind="expansion", quantity="8").state == OrderState.COMPLETED


def test_an_order_placed_past_the_check_is_refused(owned: Owned) -> None:
    """Whoever calls the operation itself without having asked is refused."""
    quoted = owned.quote(kind="expansion", quantity="8")
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    with pytest.raises(Refused, match="change_check_unanswered"):
        renewing.place_change(call, resource=owned.resource.number, quote=sign(quoted))


def test_a_change_upon_renewal_is_checked_too(owned: Owned, server: ExampleSeller) -> None:
    owned.at("2026-12-20")
    server.fail("000106", activity=CHECK)
    with pytest.raises(Refused, match="change_check_refused"):
        owned.place("1-year", quantity="3")
    assert not Order.objects.filter(type=OrderType.RENEW).exists()
    server.recover()
    order = owned.renew("1-year", quantity="3")
    assert order.state == OrderState.PROCESSING
    assert [call.params["productInfo"][0]["linearValue"] for call in server.calls_of(CHECK)] == ["3", "3"]


def test_a_plain_renewal_asks_nobody(owned: Owned, server: ExampleSeller) -> None:
    owned.renew("1-year")
    assert not server.calls_of(CHECK)


def test_what_would_be_refused_anyway_asks_nobody(owned: Owned, server: ExampleSeller) -> None:
    quoted = owned.quote(kind="expansion", quantity="8")
    with guard.opened("test"):
        Product.objects.update(state="withdrawn")
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    with pytest.raises(Refused, match="renewal_withdrawn"):
        renewing.change(call, resource=owned.resource.number, quote=sign(quoted))
    assert not server.calls_of(CHECK)


def test_a_server_of_version_1_cannot_be_asked_and_is_told_afterwards(
    db: None, server: ExampleSeller, settings: Settings
) -> None:
    product = catalog.saas_product(
        interface_version="1",
        interface_url=server.version_1_url,
        interface_key=server.key,
        plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00")],
    )
    owned = subscribed_with_instance(product)
    order = owned.change(kind="expansion", quantity="8")
    interface_calls.run_due(owned.now)
    assert not server.calls_of(CHECK)
    assert server.instances[owned.resource.instance_id].upgrades == [order.number]


def test_an_upgrade_is_tried_for_an_hour_then_parked_and_the_paid_change_stays(
    owned: Owned, server: ExampleSeller
) -> None:
    server.fail("000005", activity=UPGRADE)
    order = owned.change(kind="expansion", quantity="8")
    owned.at("2026-01-10T10:59:00+08:00")
    call = InterfaceCall.objects.get(activity=UPGRADE)
    assert (call.state, call.tries) == (CallState.WAITING, 20)
    owned.at("2026-01-10T11:01:00+08:00")
    call.refresh_from_db()
    assert (call.state, call.finished_at) == (CallState.PARKED, call.created_at + timedelta(hours=1))
    order.refresh_from_db()
    assert (order.state, owned.resource.configured.quantity) == (OrderState.COMPLETED, 8)
    assert order_money(order.number).refunded == Money.zero("USD")
    assert call.is_replayable


def test_a_process_that_dies_while_it_asks_leaves_a_call_that_is_given_up(owned: Owned, server: ExampleSeller) -> None:

    quoted = owned.quote(kind="expansion", quantity="8")
    change_checks.start(
        system_call(at=owned.now),
        resource=owned.resource.number,
        quote_id=quoted.quote_id,
        configuration=owned.resource.configured,
    )
    interface_calls.run_due(owned.now + timedelta(minutes=2))
    assert InterfaceCall.objects.get(activity=CHECK).state == CallState.GIVEN_UP
    assert not server.calls_of(CHECK)


def test_upgrades_of_a_specification_name_the_new_sku(db: None, server: ExampleSeller) -> None:
    product = catalog.saas_product(
        interface_url=server.url,
        interface_key=server.key,
        quantity=None,
        specifications=("basic", "pro"),
        plans=[catalog.plan(term_unit="year", unit_price="600.00")],
    )
    with guard.opened("test"):
        lower, upper = (Sku.objects.get(product=product, code=code) for code in ("basic", "pro"))
        ChangePath.objects.create(product=product, source=lower, target=upper, is_upgrade=True)
    owned = subscribed_with_instance(product, quantity="")
    owned.place(kind="upgrade", target="pro")
    assert server.calls_of(CHECK)[0].params["productInfo"][0]["skuCode"] == "pro"


def test_without_a_server_nobody_is_asked(db: None) -> None:
    owned = subscribed(term="1-year", at="2026-01-10")
    assert not change_checks.is_needed(owned.resource)
