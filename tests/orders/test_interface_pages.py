"""Seller Console > Interface Calls: each call with request, answer, signature check and next try; replay; debug."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from catalog.models import Product
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel import guard, pages, rehearsal
from koogallery.kernel.calls import Role
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Resource
from orders.operations import interface_calls
from orders.states import CallState
from tests.factories import catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
LIST = "/seller/interface/"
DEBUG = "/seller/interface/debug/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor(app: Product) -> Persona:
    """The owner of the seller of `app`."""
    return Persona(User.objects.get(account=app.seller.account), Role.SELLER)


def show(persona: Persona, address: str) -> str:
    with clock.at(AT + timedelta(minutes=1)):
        response = persona.client.get(address)
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_list_shows_each_call_with_its_last_answer_and_next_try(
    buyer: Persona, vendor: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000005")
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    interface_calls.run_due(AT)
    text = show(vendor, LIST)
    for expected in ("newInstance", order.number, app.name, "Waiting", "000005", "internal error", "10:03:00"):
        assert expected in text, expected
    assert order.number in show(vendor, f"{LIST}?q={order.number}")
    assert order.number not in show(vendor, f"{LIST}?tab=failed")
    assert order.number not in show(vendor, f"{LIST}?activity=releaseInstance")
    assert order.number not in show(vendor, f"{LIST}?kind=debug")


def test_a_call_shows_request_answer_and_signature_check_of_every_try_without_secrets(
    buyer: Persona, vendor: Persona, server: ExampleSeller
) -> None:
    old = catalog.saas_product(
        seller=vendor.account.seller,
        interface_version="1",
        interface_url=server.version_1_url,
        interface_key=server.key,
    )
    server.fail("unsigned", times=1)
    orders.bought(buyer, old, at=AT, quantity="1", term="1-month")
    rehearsal.walk(AT + timedelta(minutes=5), start=AT)
    created = InterfaceCall.objects.get(activity="newInstance")
    text = show(vendor, created.get_absolute_url())
    assert "Wrong" in text and "Right" in text
    assert "signature_wrong" in text
    assert "instanceId" in text and "authToken" in text
    asked = InterfaceCall.objects.get(activity="queryInstance")
    assert Resource.objects.get().password not in show(vendor, asked.get_absolute_url())
    assert server.key not in text


def test_a_waiting_call_refreshes_itself_as_a_fragment(buyer: Persona, vendor: Persona, app: Product) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    call = InterfaceCall.objects.get()
    page = show(vendor, call.get_absolute_url())
    assert 'hx-trigger="load delay:3s"' in page and "<html" in page
    fragment = vendor.client.get(call.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment and 'id="outcome"' in fragment
    interface_calls.run_due(AT)
    assert (
        "hx-trigger" not in vendor.client.get(call.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
    )


def test_a_failed_call_is_replayed_from_its_page(
    buyer: Persona, vendor: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000106")
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    interface_calls.run_due(AT)
    call = InterfaceCall.objects.get()
    assert "Replay" in show(vendor, call.get_absolute_url())
    server.recover()
    with clock.at(AT + timedelta(minutes=1)):
        answer = vendor.client.post(
            f"{call.get_absolute_url()}replay/", {"idempotency_key": pages.new_key()}, follow=True
        )
    assert "is called again" in answer.content.decode()
    call.refresh_from_db()
    assert (call.state, call.replays) == (CallState.WAITING, 1)


def test_a_debug_is_chosen_filled_and_run_from_its_page(vendor: Persona, app: Product, server: ExampleSeller) -> None:
    assert app.name in show(vendor, DEBUG)
    form = show(vendor, f"{DEBUG}?product={app.code}&activity=newInstance")
    assert 'value="MOCKPERIODYEARNEW"' in form and "businessId" not in form
    wrong = vendor.client.post(DEBUG, {"product": app.code, "activity": "newInstance", "orderId": ""})
    assert wrong.status_code == 422
    with clock.at(AT):
        answer = vendor.client.post(
            DEBUG,
            {
                "product": app.code,
                "activity": "newInstance",
                "orderId": "MOCKONETIMENEW",
                "orderLineId": "MOCKONETIMENEW-000001",
                "idempotency_key": pages.new_key(),
            },
        )
    call = InterfaceCall.objects.get()
    assert answer["Location"] == call.get_absolute_url()
    interface_calls.run_due(AT)
    text = show(vendor, call.get_absolute_url())
    assert "Debug" in text and "Succeeded" in text
    assert server.calls[0].params["testFlag"] == "1"


def test_an_activity_that_the_version_lacks_is_not_debugged(vendor: Persona, server: ExampleSeller) -> None:
    old = catalog.saas_product(seller=vendor.account.seller, interface_version="1", interface_url=server.version_1_url)
    text = show(vendor, f"{DEBUG}?product={old.code}&activity=changeInstanceCheck")
    assert "has no such activity" in text
    assert "Call the server" not in text


def test_a_product_off_sale_is_named_on_the_debug_page(vendor: Persona, app: Product) -> None:
    with guard.opened("test"):
        Product.objects.filter(pk=app.pk).update(state="suspended")
    assert "is off sale" in show(vendor, DEBUG)


def test_no_other_seller_sees_a_call_or_debugs_a_product(buyer: Persona, app: Product, seller: Persona) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    call = InterfaceCall.objects.get()
    assert order.number not in show(seller, LIST)
    assert seller.client.get(call.get_absolute_url()).status_code == 404
    assert seller.client.post(f"{call.get_absolute_url()}replay/").status_code == 404
    assert buyer.client.get(call.get_absolute_url()).status_code == 404
    assert app.name not in show(seller, f"{DEBUG}?product={app.code}&activity=newInstance")


def test_the_list_needs_the_same_queries_for_one_call_and_for_many(
    buyer: Persona, vendor: Persona, app: Product, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    show(vendor, LIST)
    with django_assert_max_num_queries(8):
        show(vendor, LIST)


def test_operations_managers_see_and_replay_calls_and_never_a_password(
    buyer: Persona, operator: Persona, app: Product, server: ExampleSeller
) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    rehearsal.walk(AT + timedelta(minutes=1), start=AT)
    resource = Resource.objects.get()
    for address in (
        "/admin/orders/interfacecall/",
        f"/admin/orders/interfacecall/{InterfaceCall.objects.first().pk}/change/",
        "/admin/orders/resource/",
        f"/admin/orders/resource/{resource.pk}/change/",
        "/admin/orders/usagerecord/",
    ):
        response = operator.client.get(address)
        assert response.status_code == 200, address
        assert resource.password not in response.content.decode()
