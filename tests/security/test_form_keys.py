"""R18 at the edge: a form that creates something brings a key; without one nothing is done and nothing is lost."""

from __future__ import annotations

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from audit.models import Trace
from billing import queries
from koogallery.identity.models import Account, User
from koogallery.kernel import operations, pages
from koogallery.kernel.pages import KEY_FIELD, new_key
from koogallery.tickets.models import Ticket
from orders.states import OrderState
from tests.factories import billing, catalog, identity, orders
from tests.factories.billing import usd
from tests.personas import Persona
from tests.security.addresses import all_addresses

pytestmark = pytest.mark.django_db

WITHOUT = {KEY_FIELD: ""}
CREATING = {name for name, spec in operations.registry.items() if spec.once}


def key_of(response: HttpResponse) -> str:
    found = re.findall(rf'name="{KEY_FIELD}" value="([^"]+)"', response.content.decode())
    assert found
    return str(found[-1])


def test_every_console_form_is_asked_for_its_key_and_the_api_is_not():
    request: HttpRequest = RequestFactory().post("/", {})
    for audience in pages.AUDIENCES:
        assert pages.make_call(request, audience).from_form is (audience != "api")
    assert not any(set(each.operations) & CREATING for each in all_addresses() if each.audience == "api")
    assert not pages.make_call(RequestFactory().get("/"), "buyer").from_form


@pytest.mark.parametrize("key", ["", "short", "k" * 65, "with spaces in it", "<script>alert(1)</script>"])
def test_a_form_without_a_key_keeps_its_values_and_can_be_sent_again(buyer: Persona, key: str) -> None:
    posted = {"username": "wang", "description": "Buys", "password": identity.PASSWORD}
    refused = buyer.client.post("/console/iam/users/new/", {**posted, KEY_FIELD: key})
    assert "form_key_missing" in [error.code for error in refused.context["form"].non_field_errors().as_data()]
    assert not User.objects.filter(username="wang").exists()
    assert Trace.objects.get(trace_name="createUser").code == "form_key_missing"
    shown = refused.content.decode()
    assert 'value="wang"' in shown
    assert 'value="Buys"' in shown
    assert identity.PASSWORD not in shown
    assert buyer.client.post("/console/iam/users/new/", {**posted, KEY_FIELD: key_of(refused)}).status_code == 302
    assert User.objects.filter(username="wang").count() == 1


def test_a_replay_gets_the_first_answer_and_other_content_is_refused(buyer: Persona) -> None:
    posted = {"username": "wang", "password": identity.PASSWORD, KEY_FIELD: new_key()}
    first = buyer.client.post("/console/iam/users/new/", posted)
    again = buyer.client.post("/console/iam/users/new/", posted)
    assert first["Location"] == again["Location"]
    other = buyer.client.post("/console/iam/users/new/", {**posted, "username": "li"})
    assert "replayed_with_other_content" in [e.code for e in other.context["form"].non_field_errors().as_data()]
    assert User.objects.filter(account=buyer.account, is_root=False).count() == 1


def test_what_was_only_confirmed_is_sent_again_by_a_button(buyer: Persona) -> None:
    billing.grant(buyer.account, 500)
    order = orders.place(buyer, catalog.content_product())
    address = f"{order.get_absolute_url()}cancel/"
    refused = buyer.client.post(address, {**WITHOUT, "reason": "a & b"})
    assert refused.status_code == 400
    page = refused.content.decode()
    assert "form_key_missing" in page
    assert f'<form method="post" action="{address}">' in page
    assert '<input type="hidden" name="reason" value="a &amp; b">' in page
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT
    assert buyer.client.post(address, {KEY_FIELD: key_of(refused), "reason": "a & b"}).status_code == 302
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED


def test_an_order_is_neither_placed_nor_paid_without_a_key(buyer: Persona) -> None:
    billing.grant(buyer.account, 500)
    order = orders.place(buyer, catalog.content_product())
    page = buyer.client.post(f"{order.get_absolute_url()}pay/", {**WITHOUT, "method": "balance"})
    assert "form_key_missing" in [error.code for error in page.context["form"].non_field_errors().as_data()]
    assert page.context["chosen"] == "balance"
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT


def test_visitors_bring_keys_too(client: Client, db: None) -> None:
    posted = {"name": "northwind", "email": "a@b.example", "mobile": "+8613800000000", "password": identity.PASSWORD}
    refused = client.post("/sign-up/", posted)
    assert "form_key_missing" in [error.code for error in refused.context["form"].non_field_errors().as_data()]
    assert not Account.objects.exists()
    demand = client.post("/demand/", {"subject": "Crane", "description": "One", "email": "a@b.example"})
    assert demand.context["form"].errors
    assert not Ticket.objects.exists()


def test_operations_managers_bring_keys_too(operator: Persona, buyer: Persona) -> None:
    address = reverse("admin:identity_account_operation", args=[buyer.account.pk, "addFunds"])
    before = queries.balance(buyer.account.pk)
    refused = operator.client.post(address, {**WITHOUT, "amount": "12.50", "note": "gift"})
    assert "form_key_missing" in [error.code for error in refused.context["form"].non_field_errors().as_data()]
    assert 'value="12.50"' in refused.content.decode()
    assert queries.balance(buyer.account.pk) == before
    again = {KEY_FIELD: key_of(refused), "amount": "12.50", "note": "gift"}
    assert operator.client.post(address, again).status_code == 302
    assert queries.balance(buyer.account.pk) == before + usd("12.50")


def test_a_form_with_secrets_is_not_repeated_to_the_browser(rf: RequestFactory) -> None:
    request = rf.post("/", {"name": "a", "csrfmiddlewaretoken": "t", KEY_FIELD: "k"})
    assert pages.kept_values(request) == [("name", "a")]
    request.sensitive_post_parameters = ("name",)
    assert pages.kept_values(request) is None
