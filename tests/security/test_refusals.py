"""Every address × everyone who must not: generated from the URL table and the registry of operations (quality.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from koogallery import clock
from koogallery.kernel import guard, operations
from koogallery.kernel.admin import GuardedModelAdmin
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import Rating, TraceEntry
from koogallery.kernel.reasons import Refused
from orders.models import Resource
from tests.factories import catalog, orders
from tests.security.addresses import Address, all_addresses
from tests.security.samples import SAMPLES
from tests.security.world import World

pytestmark = pytest.mark.django_db

ADDRESSES = all_addresses()
CLOSED = [address for address in ADDRESSES if address.audience not in ("public", "api")]
CONSOLE = [address for address in CLOSED if address.audience == "buyer"]
SELLER = [address for address in CLOSED if address.audience == "seller"]
OBJECTS = [
    address
    for address in CLOSED
    if address.names_an_object and not (address.route in SAMPLES and SAMPLES[address.route].public)
]

OPEN_TO_ANONYMOUS = {"signUp", "signIn", "verifyEmail", "askPasswordReset", "resetPassword", "submitDemand"}


def named(addresses: list[Address]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("address", addresses, ids=[address.route or "/" for address in addresses])


@pytest.fixture
def world(db: None) -> World:
    return World()


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TraceEntry]]:
    """What was done, beside what a user does with its own sign-in."""
    entries: list[TraceEntry] = []
    record = operations.ports.record

    def recording(said: Sequence[TraceEntry]) -> None:
        for entry in said:
            if entry.rating is Rating.NORMAL and not entry.operation.action.startswith("iam:self:"):
                entries.append(entry)
        record(said)

    monkeypatch.setattr(operations.ports, "record", recording)
    yield entries


def path_of(address: Address, world: World) -> str:
    return address.at(SAMPLES[address.route].make(world)) if address.names_an_object else address.at({})


def code_of(refused: Refused | None) -> str:
    return refused.code if refused is not None else ""


def answer_of(response: HttpResponse) -> tuple[int, str]:
    return response.status_code, response.get("Location", "")


# The table itself


def test_every_address_that_names_an_object_has_a_sample():
    missing = [address.route for address in ADDRESSES if address.names_an_object and address.route not in SAMPLES]
    assert not missing, f"Add samples to tests/security/samples.py for {missing}."


def test_every_sample_has_its_address():
    routes = {address.route for address in ADDRESSES}
    assert set(SAMPLES) <= routes


def test_only_named_operations_are_open_to_anonymous_callers():
    found = {name for name, spec in operations.registry.items() if Role.ANONYMOUS in spec.roles}
    assert found - OPEN_TO_ANONYMOUS == {
        name for name in found - OPEN_TO_ANONYMOUS if operations.registry[name].read
    }, "A new operation for anonymous callers must be listed here on purpose."


def test_an_operation_asks_the_anonymous_to_sign_in():
    anonymous = Call(role=Role.ANONYMOUS, at=clock.now())
    closed = [name for name, spec in operations.registry.items() if Role.ANONYMOUS not in spec.roles]
    assert {code_of(operations.may(anonymous, name)) for name in closed} == {"sign_in_required"}


# Anonymous


@named(CLOSED)
def test_a_visitor_is_asked_to_sign_in(address, client):
    for method in (client.get, client.post):
        response = method(address.anywhere)
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/?next=")


def test_a_post_from_another_site_is_refused(world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.buyer.user)
    passed = [
        address.route
        for address in ADDRESSES
        if address.audience != "api" and strict.post(address.anywhere, {}).status_code != 403
    ]
    assert passed == []


# The owner, so that the refusals below refuse something


@named(OBJECTS)
def test_the_owner_s_object_is_there(address, world):
    path = path_of(address, world)
    owner = world.seller if address.audience == "seller" else world.buyer
    response = owner.client.get(path)
    assert response.status_code in (200, 302)


# Another account


@named(OBJECTS)
def test_another_account_cannot_tell_an_object_from_none(address, world, done):
    parameters = SAMPLES[address.route].make(world)
    client = world.other_seller.client if address.audience == "seller" else world.stranger.client
    done.clear()
    for method in ("get", "post"):
        there = getattr(client, method)(address.at(parameters), {"wish": "delete"})
        nowhere = getattr(client, method)(address.at_nothing(parameters), {"wish": "delete"})
        assert answer_of(there) == answer_of(nowhere)
        assert there.status_code == 404 or (method == "get" and there.status_code == 302)
    assert not [entry for entry in done if entry.resource_id in map(str, parameters.values())]


def test_who_does_not_sell_has_no_seller_console(world):
    client = world.stranger.client
    passed = [
        address.route
        for address in SELLER
        if {client.get(address.anywhere).status_code, client.post(address.anywhere).status_code} != {404}
    ]
    assert passed == []


# An IAM user with a deny


@named([address for address in CONSOLE if address.operations])
def test_who_is_denied_everything_does_nothing_and_sees_the_reason(address, world, done):
    path = path_of(address, world)
    done.clear()
    for method in ("get", "post"):
        response = getattr(world.denied.client, method)(path, {"wish": "delete"})
        assert response.status_code in (200, 302, 403, 404, 409, 422)
        assert [entry.operation.name for entry in done] == []
        if response.status_code == 403:
            assert b"nothing-at-all" in response.content


def test_a_deny_reaches_every_operation_of_a_buyer(world):
    call = world.denied.call()
    passed = [
        name
        for name, spec in operations.registry.items()
        if Role.BUYER in spec.roles
        and not spec.action.startswith("iam:self:")
        and code_of(operations.may(call, name)) != "iam_denied"
    ]
    assert passed == []


# An IAM user with a deny of a read

READS = {
    "marketplace:order:view": ("console/orders/", "seller/orders/"),
    "marketplace:saasResourceInstance:view": ("console/apps/",),
    "marketplace:interfaceCall:view": ("seller/interface/",),
    "marketplace:subscription:view": ("seller/unsubscriptions/",),
}
"""The addresses that show what an action lets one see."""

OFFERS_DEBUGGING = "seller/interface/debug/"


@pytest.mark.parametrize(
    ("action", "address"),
    [
        pytest.param(action, address, id=f"{action}-{address.route}")
        for action, prefixes in READS.items()
        for address in CLOSED
        if address.route.startswith(prefixes) and address.route != OFFERS_DEBUGGING
    ],
)
def test_who_may_not_see_an_object_sees_it_on_no_page(action, address, world):
    path = path_of(address, world)
    owner = world.seller if address.audience == "seller" else world.buyer
    assert owner.client.get(path, follow=True).status_code == 200
    response = world.colleague_of(owner, without=action).client.get(path, follow=True)
    assert response.status_code == 403
    assert action.encode() in response.content


@pytest.mark.parametrize("action", ["marketplace:order:view", "marketplace:saasResourceInstance:view"])
def test_an_overview_shows_nothing_that_its_reader_may_not_see(action, world):
    order = orders.bought(world.buyer, catalog.content_product())
    with guard.opened("test"):
        Resource.objects.update(expires_at=clock.now(), status="grace")
    resource = Resource.objects.get(order_number=order.number)
    hidden, shown = order.number, f"/console/apps/{resource.number}/"
    if action == "marketplace:saasResourceInstance:view":
        hidden, shown = shown, hidden
    content = world.colleague_of(world.buyer, without=action).client.get("/console/").content.decode()
    assert hidden not in content
    assert shown in content
    assert action in content


def test_a_seller_s_overview_shows_no_order_to_who_may_not_see_orders(world):
    number = world.order.number
    assert number in world.seller.client.get("/seller/").content.decode()
    reader = world.colleague_of(world.seller, without="marketplace:order:view")
    assert number not in reader.client.get("/seller/").content.decode()


def test_an_order_leads_to_no_resource_that_its_reader_may_not_see(world):
    order = orders.bought(world.buyer, catalog.content_product())
    number = Resource.objects.get(order_number=order.number).number
    address = order.get_absolute_url()
    assert number in world.buyer.client.get(address).content.decode()
    reader = world.colleague_of(world.buyer, without="marketplace:saasResourceInstance:view")
    assert number not in reader.client.get(address).content.decode()


# Operations managers


def test_an_operations_manager_has_no_buyer_s_or_seller_s_pages(world):
    client = world.support.client
    passed = [
        address.route
        for address in CONSOLE + SELLER
        if {client.get(address.anywhere).status_code, client.post(address.anywhere).status_code} != {404}
    ]
    assert passed == []


def test_a_support_reader_changes_nothing(world):
    call = world.support.call()
    passed = [
        name
        for name, spec in operations.registry.items()
        if Role.OPERATOR in spec.roles
        and not spec.read
        and not spec.action.startswith("iam:self:")
        and code_of(operations.may(call, name)) != "operator_role_not_allowed"
    ]
    assert passed == []


ADMINS = [model_admin for model_admin in admin.site._registry.values() if isinstance(model_admin, GuardedModelAdmin)]


@pytest.mark.parametrize("model_admin", ADMINS, ids=[each.opts.label for each in ADMINS])
def test_the_admin_lets_in_operations_managers_alone_and_only_shows(model_admin, world):
    name = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    address = reverse(f"{name}_changelist")
    assert Client().get(address)["Location"].startswith("/admin/login/")
    assert world.buyer.client.get(address).status_code in (302, 403, 404)
    assert world.support.client.get(address).status_code in (200, 403)
    assert world.support.client.get(reverse(f"{name}_add")).status_code == 403
    for button in model_admin.list_buttons:
        path = reverse(f"{name}_list_operation", args=[button.name])
        response = world.support.client.post(path, {})
        assert response.status_code in (200, 403)
