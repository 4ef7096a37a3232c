"""What payment starts (purchase.md), with a seller's server that is called over HTTP."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from audit.models import Trace
from billing import queries as billing_queries
from billing.models import Refund
from catalog.models import Product
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.models import Account, ContactConsent, User
from koogallery.identity.operations import agreements
from koogallery.kernel import guard, rehearsal
from koogallery.kernel.calls import Role
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Order, Resource, ResourceTerm
from orders.operations import interface_calls
from orders.saas.credentials import unseal
from orders.states import CallState, CancelReason, OrderState, OrderStep, ResourceStatus
from tests.factories import catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")

pytestmark = pytest.mark.django_db


def advance(**duration: float) -> None:
    """Let everything act that falls due within the duration after `AT`, in the order of time."""
    rehearsal.walk(AT + timedelta(**duration), start=AT)


def the_call(activity: str) -> InterfaceCall:
    return InterfaceCall.objects.get(activity=activity)


def test_a_paid_saas_order_becomes_a_resource_that_the_buyer_can_use(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="5", term="1-year")
    assert order.state == OrderState.PROCESSING
    assert not Resource.objects.exists()
    assert server.calls == []

    advance(minutes=1)

    created = server.calls_of("newInstance")
    assert [(call.verified, call.version) for call in created] == [(True, 2)]
    assert created[0].params["orderId"] == order.number
    assert created[0].params["orderLineId"] == f"{order.number}-000001"
    assert created[0].params["testFlag"] == "0"
    assert set(created[0].params) == {"activity", "orderId", "orderLineId", "businessId", "testFlag"}

    order.refresh_from_db()
    assert order.state == OrderState.COMPLETED
    assert order.completed_at == AT
    resource = Resource.objects.get()
    instance = server.instance_of(order.number)
    assert instance is not None
    assert resource.instance_id == instance.instance_id
    assert resource.status == ResourceStatus.ENABLED
    assert resource.frontend_url == f"https://app.example.com/{instance.instance_id}"
    assert resource.admin_url == f"https://app.example.com/{instance.instance_id}/admin"
    assert (resource.user_name, resource.password) == ("admin", instance.password)
    assert resource.expires_at == datetime.fromisoformat("2027-03-10T23:59:59+08:00")
    assert resource.anchor_day == 10
    term = ResourceTerm.objects.get()
    assert (term.start, term.end) == (date(2026, 3, 10), date(2027, 3, 10))
    assert (term.price, term.paid) == (Decimal("500.00"), Decimal("500.00"))
    money = billing_queries.order_money(order.number)
    assert (money.held.amount, money.earned.amount) == (Decimal(0), Decimal(500))
    assert {"resource_ready", "application_ready"} <= set(Message.objects.values_list("kind", flat=True))
    assert list(InterfaceCall.objects.values_list("state", flat=True)) == [CallState.DONE, CallState.DONE]


def test_version_1_is_spoken_to_old_servers_and_its_passwords_are_opened(buyer: Persona, server: ExampleSeller) -> None:
    old = catalog.saas_product(
        interface_version="1", interface_url=server.version_1_url, interface_key=server.key, contact_data="email"
    )
    order = orders.bought(buyer, old, at=AT, quantity="1", term="1-month", consent=True)
    advance(minutes=1)

    sent = server.calls_of("newInstance")[0]
    assert (sent.verified, sent.version) == (True, 1)
    assert sent.params["customerId"] == buyer.account.number
    assert sent.params["productId"] == old.code
    assert sent.params["expireTime"] == "20260410235959"
    assert sent.params["amount"] == "10.00"
    assert sent.params["email"] != buyer.user.email, "contact data travels encrypted"
    instance = server.instance_of(order.number)
    assert instance is not None
    assert Resource.objects.get().password == instance.password


def test_each_try_passes_on_what_the_consent_lets_pass_then_and_nothing_of_it_is_kept(
    buyer: Persona, server: ExampleSeller
) -> None:
    old = catalog.saas_product(
        interface_version="1", interface_url=server.version_1_url, interface_key=server.key, contact_data="email"
    )
    server.fail("000005", times=1)
    order = orders.bought(buyer, old, at=AT, quantity="1", term="1-month", consent=True)
    advance(minutes=1)
    consent = ContactConsent.objects.get(order_number=order.number)
    agreements.withdraw_consent(buyer.call(at=AT), consent=consent.pk)
    advance(minutes=4)

    first, second = server.calls_of("newInstance")
    told = [unseal(sealed=sent.params["email"], access_key=server.key) for sent in (first, second)]
    assert told == [buyer.user.email, identity.masked_contact(buyer.user.email)]
    call = the_call("newInstance")
    assert not {"email", "mobilePhone", "userName", "userId"} & set(call.parameters)
    for attempt in call.attempts.all():
        assert "email=********&" in attempt.request_url


def test_a_user_name_passed_on_is_masked_in_what_is_kept(buyer: Persona, server: ExampleSeller) -> None:
    old = catalog.saas_product(
        interface_version="1",
        interface_url=server.version_1_url,
        interface_key=server.key,
        contact_data="iam_user_name",
    )
    orders.bought(buyer, old, at=AT, quantity="1", term="1-month", consent=True)
    advance(minutes=1)
    assert server.calls_of("newInstance")[0].params["userName"] == buyer.user.username
    assert "userName=********" in the_call("newInstance").attempts.get().request_url


def test_contact_data_is_passed_on_only_with_consent(buyer: Persona, app: Product) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    parameters = the_call("newInstance").parameters
    assert not {"email", "mobilePhone", "userName", "userId"} & set(parameters)


def test_creation_is_tried_every_three_minutes_for_three_hours_then_the_money_goes_back_once(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000005")
    order = orders.bought(buyer, app, at=AT, funds=50, quantity="5", term="1-month")
    advance(minutes=179)

    call = the_call("newInstance")
    assert [int((attempt.at - AT).total_seconds() // 60) for attempt in call.attempts.all()] == list(range(0, 180, 3))
    assert len(server.calls_of("newInstance")) == 60
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING

    advance(hours=8)

    assert len(server.calls_of("newInstance")) == 60
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, CancelReason.UNDELIVERABLE)
    assert order.canceled_at == AT + timedelta(minutes=180)
    assert Refund.objects.count() == 1
    assert billing_queries.balance(buyer.account.pk).amount == Decimal(50)
    call.refresh_from_db()
    assert (call.state, call.tries, call.next_try_at) == (CallState.GIVEN_UP, 60, None)
    assert not Resource.objects.exists()
    assert OrderStep.REFUNDED in [event.step for event in order.events.all()]
    told = Message.objects.get(kind="order_undeliverable", user=buyer.user)
    assert order.number in str(told.params)
    assert Message.objects.filter(kind="interface_call_failed", user__account=app.seller.account).exists()

    page = buyer.client.get(order.get_absolute_url()).content.decode()
    assert "internal error" in page
    assert "50.00" in page
    assert "Order the same again" in page or "Try again with the same configuration" in page


@pytest.mark.parametrize("code", ["000100", "000101", "000106", "000107"])
def test_a_business_refusal_ends_the_creation_at_once(
    buyer: Persona, app: Product, server: ExampleSeller, code: str
) -> None:
    server.fail(code)
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=1)

    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert the_call("newInstance").state == CallState.REFUSED
    assert len(server.calls) == 1
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("kind", ["000001", "000002", "000003", "000004", "000005", "drop", "garbage", "500"])
def test_everything_else_is_tried_again_until_it_works(
    buyer: Persona, app: Product, server: ExampleSeller, kind: str
) -> None:
    server.fail(kind, times=2)
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=4)
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    assert the_call("newInstance").tries == 2

    advance(minutes=7)
    order.refresh_from_db()
    assert order.state == OrderState.COMPLETED
    assert Resource.objects.count() == 1
    assert len(server.instances) == 1, "a seller whose answers were lost made one instance"


def test_a_server_that_hangs_is_left_after_five_seconds_and_tried_again(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("timeout", times=1)
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=4)
    first, second = the_call("newInstance").attempts.all()
    assert (first.code, second.code) == ("timeout", "000000")
    assert 4_900 <= first.elapsed_ms <= 7_000
    order.refresh_from_db()
    assert order.state == OrderState.COMPLETED


def test_a_success_after_the_end_is_released_and_the_order_stays_canceled(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000004")
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    for minutes in (0, 177, 180):
        interface_calls.run_due(AT + timedelta(minutes=minutes))
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert the_call("newInstance").state == CallState.WAITING, "the seller may still be working on it"

    server.recover()
    rehearsal.walk(AT + timedelta(minutes=190), start=AT + timedelta(minutes=180))
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    instance = server.instance_of(order.number)
    assert instance is not None
    assert instance.status == "RELEASED"
    assert Refund.objects.count() == 1
    assert not Resource.objects.exists()


def test_a_seller_who_replays_the_call_of_a_canceled_order_has_the_instance_released(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000100")
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=1)
    server.recover()
    seller = Persona(User.objects.get(account=app.seller.account), Role.SELLER)
    interface_calls.replay(seller.call(at=AT + timedelta(minutes=2)), interface_call=the_call("newInstance").number)
    advance(minutes=3)
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    instance = server.instance_of(order.number)
    assert instance is not None and instance.status == "RELEASED"
    assert Refund.objects.count() == 1


def test_information_is_asked_for_until_it_arrives(buyer: Persona, app: Product, server: ExampleSeller) -> None:
    server.fail("000004", times=3, activity="queryInstance")
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=1, seconds=30)
    resource = Resource.objects.get()
    assert resource.awaits_information
    with clock.at(AT + timedelta(minutes=2)):
        assert "being prepared" in buyer.client.get(resource.get_absolute_url()).content.decode().lower()
    advance(minutes=10)
    resource.refresh_from_db()
    assert not resource.awaits_information
    assert the_call("queryInstance").tries == 4


def test_information_that_never_comes_is_parked_after_a_day(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000003", activity="queryInstance")
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    for minutes in (0, 1, 30, 23 * 60, 24 * 60, 25 * 60):
        interface_calls.run_due(AT + timedelta(minutes=minutes))
    call = the_call("queryInstance")
    assert (call.state, call.tries) == (CallState.PARKED, 4)
    assert call.finished_at == AT + timedelta(hours=24)
    assert Resource.objects.get().status == ResourceStatus.ENABLED


def test_products_with_a_hand_over_text_are_there_at_once(buyer: Persona) -> None:
    order = orders.bought(buyer, catalog.content_product(), at=AT)
    assert order.state == OrderState.COMPLETED
    resource = Resource.objects.get()
    assert resource.handover_text == "We write to you within a day."
    assert (resource.status, resource.expires_at) == (ResourceStatus.ENABLED, None)
    assert not InterfaceCall.objects.exists()


def test_pay_per_use_is_there_at_once_and_nothing_is_due(buyer: Persona) -> None:
    order = orders.bought(buyer, catalog.pay_per_use_product(), at=AT)
    assert (order.state, order.amount) == (OrderState.COMPLETED, Decimal(0))
    assert Resource.objects.get().status == ResourceStatus.ENABLED
    assert not ResourceTerm.objects.exists()


def test_a_package_books_its_quota(buyer: Persona) -> None:
    order = orders.bought(buyer, catalog.package_product(), at=AT)
    assert order.state == OrderState.COMPLETED
    resource = Resource.objects.get()
    assert (resource.quota, resource.quota_used) == (Decimal(1000), Decimal(0))
    assert resource.expires_at == datetime.fromisoformat("2027-03-10T23:59:59+08:00")


def test_a_supervised_order_waits_in_delivery_and_no_server_is_called(buyer: Persona, server: ExampleSeller) -> None:
    product = catalog.saas_product(supervised=True, interface_url=server.url, interface_key=server.key)
    order = orders.bought(buyer, product, at=AT, quantity="1", term="1-month")
    advance(hours=4)
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    assert Resource.objects.get().status == ResourceStatus.IN_DELIVERY
    assert not InterfaceCall.objects.exists()
    assert server.calls == []


def test_a_trial_ends_after_its_days(buyer: Persona, server: ExampleSeller) -> None:
    product = catalog.saas_product(interface_url=server.url, interface_key=server.key, trial_days=14)
    order = orders.bought(buyer, product, at=AT, trial="1")
    assert the_call("newInstance").parameters["trialFlag"] == "1"
    advance(minutes=1)
    order.refresh_from_db()
    assert (order.state, order.type) == (OrderState.COMPLETED, "TRIAL")
    resource = Resource.objects.get()
    assert resource.trial
    assert resource.expires_at == datetime.fromisoformat("2026-03-24T23:59:59+08:00")


def test_no_password_stands_in_traces_messages_attempts_or_parameters(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=1)
    instance = server.instance_of(order.number)
    assert instance is not None
    secret = instance.password
    assert Resource.objects.get().password == secret
    for model in (Trace, Message, InterfaceCall, Order):
        for row in model.objects.values():
            assert secret not in str(row)
    for call in InterfaceCall.objects.all():
        for attempt in call.attempts.all():
            assert secret not in attempt.request_body + attempt.request_url + attempt.response_body + attempt.message


def test_resources_change_only_through_operations(buyer: Persona) -> None:
    orders.bought(buyer, catalog.content_product(), at=AT)
    resource = Resource.objects.get()
    resource.status = ResourceStatus.CLOSED
    with pytest.raises(guard.Unguarded):
        resource.save()


def test_an_account_is_never_another_ones(buyer: Persona, stranger: Persona) -> None:
    orders.bought(buyer, catalog.content_product(), at=AT)
    assert Account.objects.get(pk=Resource.objects.get().account_id) == buyer.account
    assert stranger.client.get(Resource.objects.get().get_absolute_url()).status_code == 404


def test_information_about_another_instance_is_not_taken(
    buyer: Persona, app: Product, server: ExampleSeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = server._info
    monkeypatch.setattr(server, "_info", lambda version, each: told(version, each) | {"instanceId": "ins-other"})
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    advance(minutes=2)
    resource = Resource.objects.get()
    assert resource.awaits_information and resource.password == ""
    monkeypatch.undo()
    advance(minutes=5)
    resource.refresh_from_db()
    assert not resource.awaits_information


def test_an_address_of_any_length_can_be_kept(buyer: Persona, server: ExampleSeller) -> None:
    with guard.opened("test"):
        Account.objects.filter(pk=buyer.account.pk).update(name="很长的公司名称" * 9)
    old = catalog.saas_product(
        interface_version="1", interface_url=f"{server.version_1_url}?x={'y' * 440}", interface_key=server.key
    )
    orders.bought(buyer, old, at=AT, quantity="1", term="1-month")
    interface_calls.run_due(AT)
    assert len(the_call("newInstance").attempts.get().request_url) > 1000
