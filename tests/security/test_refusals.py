"""Every address × everyone who must not: generated from the URL table and the registry of operations (quality.md)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from koogallery import clock
from koogallery.kernel import operations
from koogallery.kernel.admin import GuardedModelAdmin
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import Rating, TraceEntry
from tests.security.addresses import Address, all_addresses
from tests.security.samples import SAMPLES
from tests.security.world import World

pytestmark = pytest.mark.django_db

ADDRESSES = all_addresses()
CLOSED = [address for address in ADDRESSES if address.audience not in ("public", "api")]
CONSOLE = [address for address in CLOSED if address.audience == "buyer"]
SELLER = [address for address in CLOSED if address.audience == "seller"]
OBJECTS = [address for address in CLOSED if address.names_an_object]

OPEN_TO_ANONYMOUS = {"signUp", "signIn", "verifyEmail", "askPasswordReset", "resetPassword"}


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

    def recording(entry: TraceEntry) -> None:
        if entry.rating is Rating.NORMAL and not entry.operation.action.startswith("iam:self:"):
            entries.append(entry)
        record(entry)

    monkeypatch.setattr(operations.ports, "record", recording)
    yield entries


def path_of(address: Address, world: World) -> str:
    return address.at(SAMPLES[address.route].make(world)) if address.names_an_object else address.at({})


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


@pytest.mark.parametrize("name", sorted(operations.registry))
def test_an_operation_asks_the_anonymous_to_sign_in(name):
    if Role.ANONYMOUS in operations.registry[name].roles:
        return
    refused = operations.may(Call(role=Role.ANONYMOUS, at=clock.now()), name)
    assert refused is not None
    assert refused.code == "sign_in_required"


# Anonymous


@named(CLOSED)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_visitor_is_asked_to_sign_in(address, method, world, done):
    response = getattr(Client(), method)(path_of(address, world))
    done_before = list(done)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/?next=")
    assert done == done_before


@named([address for address in ADDRESSES if address.audience != "api"])
def test_a_post_from_another_site_is_refused(address, world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.buyer.user)
    assert strict.post(path_of(address, world), {}).status_code == 403


# The owner, so that the refusals below refuse something


@named(OBJECTS)
def test_the_owner_s_object_is_there(address, world):
    path = path_of(address, world)
    owner = world.seller if address.audience == "seller" else world.buyer
    response = owner.client.get(path)
    assert response.status_code in (200, 302)


# Another account


@named(OBJECTS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_account_cannot_tell_an_object_from_none(address, method, world, done):
    parameters = SAMPLES[address.route].make(world)
    client = world.other_seller.client if address.audience == "seller" else world.stranger.client
    done.clear()
    there = getattr(client, method)(address.at(parameters))
    nowhere = getattr(client, method)(address.at_nothing(parameters))
    assert answer_of(there) == answer_of(nowhere)
    assert there.status_code in (404, 302)
    if there.status_code == 302:
        assert method == "get", "A POST on another account's object answers 404."
    assert not [entry for entry in done if entry.resource_id in map(str, parameters.values())]


@named(SELLER)
def test_who_does_not_sell_has_no_seller_console(address, world):
    path = path_of(address, world)
    assert world.stranger.client.get(path).status_code == 404
    assert world.stranger.client.post(path).status_code == 404


# An IAM user with a deny


@named([address for address in CONSOLE if address.operations])
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_denied_everything_does_nothing_and_sees_the_reason(address, method, world, done):
    path = path_of(address, world)
    done.clear()
    response = getattr(world.denied.client, method)(path, {"wish": "delete"})
    assert response.status_code in (200, 302, 403)
    assert not done, [entry.operation.name for entry in done]
    if response.status_code == 403:
        assert b"nothing-at-all" in response.content


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, spec in operations.registry.items()
        if Role.BUYER in spec.roles and not spec.action.startswith("iam:self:")
    ),
)
def test_a_deny_reaches_every_operation_of_a_buyer(name, world):
    refused = operations.may(world.denied.call(), name)
    assert refused is not None
    assert refused.code == "iam_denied"
    assert refused.params["policy"] == "nothing-at-all"


# Operations managers


@named(CONSOLE + SELLER)
def test_an_operations_manager_has_no_buyer_s_or_seller_s_pages(address, world):
    path = path_of(address, world)
    assert world.support.client.get(path).status_code == 404
    assert world.support.client.post(path).status_code == 404


WRITES = sorted(name for name, spec in operations.registry.items() if Role.OPERATOR in spec.roles and not spec.read)


@pytest.mark.parametrize("name", [name for name in WRITES if ":self:" not in operations.registry[name].action])
def test_a_support_reader_changes_nothing(name, world):
    refused = operations.may(world.support.call(), name)
    assert refused is not None
    assert refused.code == "operator_role_not_allowed"


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
