"""Purchased Apps and resource details: what the buyer sees and does with a resource (subscriptions.md)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from billing.models import Refund
from catalog.models import Product
from koogallery import clock
from koogallery.kernel import guard, pages, rehearsal
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Resource
from orders.operations import expiration, resources
from orders.states import CloseReason, ExpirationPolicy, ResourceStatus
from tests.factories import billing, catalog, identity, orders
from tests.personas import Persona
from tests.queries import own_queries

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
LATER = AT + timedelta(minutes=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def resource(buyer: Persona, app: Product) -> Resource:
    """A SaaS resource of the buyer in use, its application information there."""
    orders.bought(buyer, app, at=AT, quantity="5", term="1-month")
    rehearsal.walk(AT + timedelta(minutes=2), start=AT)
    return Resource.objects.get()


def show(persona: Persona, address: str) -> str:
    with clock.at(LATER):
        response = persona.client.get(address)
    assert response.status_code == 200
    return str(response.content.decode())


def change(resource: Resource, **columns: object) -> None:
    with guard.opened("test"):
        Resource.objects.filter(pk=resource.pk).update(**columns)


def test_purchased_apps_shows_product_specification_status_and_expiry(buyer: Persona, resource: Resource) -> None:
    text = show(buyer, "/console/apps/")
    for expected in (resource.product.name, "5 users", "SaaS", "Enabled", "Apr 10, 2026 23:59:59", "31 days"):
        assert expected in text
    assert "Resource Details" in text and resource.get_absolute_url() in text


def test_each_tab_shows_its_resources(buyer: Persona, resource: Resource) -> None:
    name = resource.product.name
    assert name in show(buyer, "/console/apps/")
    assert name not in show(buyer, "/console/apps/?tab=in_delivery")
    assert name not in show(buyer, "/console/apps/?tab=expiring")
    change(resource, expires_at=datetime.fromisoformat("2026-04-09T23:59:59+08:00"))
    assert name in show(buyer, "/console/apps/?tab=expiring"), "30 days are expiring"
    change(resource, status=ResourceStatus.GRACE)
    assert name in show(buyer, "/console/apps/?tab=expiring")
    change(resource, status=ResourceStatus.CLOSED, closed_at=AT, close_reason=CloseReason.DISABLED)
    assert name in show(buyer, "/console/apps/?tab=closed")
    assert name not in show(buyer, "/console/apps/")


def test_a_supervised_order_stands_only_under_in_delivery(buyer: Persona) -> None:
    orders.bought(buyer, catalog.hardware_product(), at=AT)
    resource = Resource.objects.get()
    assert resource.product.name not in show(buyer, "/console/apps/")
    assert resource.product.name in show(buyer, "/console/apps/?tab=in_delivery")
    assert resource.seller.email in show(buyer, resource.get_absolute_url())


@pytest.mark.parametrize("words", ["Standard", "5 users", "order"])
def test_apps_are_found_by_product_specification_and_order(buyer: Persona, resource: Resource, words: str) -> None:
    words = resource.order_number if words == "order" else words
    assert resource.product.name in show(buyer, f"/console/apps/?q={words}")
    assert "No match" in show(buyer, "/console/apps/?q=nothing-like-it")


def test_the_list_needs_the_same_queries_for_one_row_and_for_many(buyer: Persona) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            show(buyer, "/console/apps/")
        return len(own_queries(caught))

    orders.bought(buyer, catalog.content_product(), at=AT)
    show(buyer, "/console/apps/")
    one = queries()
    for _ in range(5):
        orders.bought(buyer, catalog.content_product(), at=AT)
    assert queries() == one <= 8


def test_resource_details_show_application_basic_and_seller_information(
    buyer: Persona, resource: Resource, server: ExampleSeller
) -> None:
    text = show(buyer, resource.get_absolute_url())
    for title in ("Application Information", "Basic Information", "Seller Information"):
        assert title in text
    for value in (
        "admin",
        resource.admin_url,
        resource.frontend_url,
        resource.instance_id,
        resource.order_number,
        resource.seller.email,
        resource.seller.phone,
        "Apr 10, 2026 23:59:59 GMT+08:00",
        "Renew manually",
        "USD 50.00",
    ):
        assert value in text, value
    assert resource.password not in text
    trace = Trace.objects.get(trace_name="queryResourceDetail")
    assert (trace.resource_id, trace.account_id) == (resource.number, buyer.account.pk)


def test_details_need_few_queries(
    buyer: Persona, resource: Resource, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    buyer.client.get("/console/apps/")
    with django_assert_max_num_queries(8):
        show(buyer, resource.get_absolute_url())


def test_the_eye_fetches_the_password_by_a_traced_post_that_nothing_keeps(buyer: Persona, resource: Resource) -> None:
    address = f"{resource.get_absolute_url()}password/"
    with clock.at(LATER):
        assert buyer.client.get(address).status_code == 302
        fragment = buyer.client.post(address, headers={"HX-Request": "true"})
        page = buyer.client.post(address)
    for response in (fragment, page):
        assert resource.password in response.content.decode()
        assert "no-store" in response["Cache-Control"]
    assert 'data-hide-after="30"' in fragment.content.decode()
    traces = Trace.objects.filter(trace_name="querySaasResourceInstance", resource_id=resource.number)
    assert traces.count() == 2
    assert resource.password not in str(list(traces.values()))


def test_a_denied_user_sees_why_the_eye_is_closed(buyer: Persona, resource: Resource) -> None:
    user = identity.UserFactory(account=buyer.account, is_root=False, username="blind")
    identity.deny(user, "marketplace:saasResourceInstance:view", name="no-secrets")
    blind = Persona(user, buyer.role)
    response = blind.client.post(f"{resource.get_absolute_url()}password/")
    assert response.status_code == 403
    assert "no-secrets" in response.content.decode()
    assert resource.password not in response.content.decode()


def test_the_password_stands_in_no_mail_message_export_or_log(
    buyer: Persona, resource: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    buyer.client.post(f"{resource.get_absolute_url()}password/")
    export = buyer.client.get("/console/apps/?export=csv")
    texts = [
        b"".join(export.streaming_content if export.streaming else [export.content]).decode(),
        str(list(Message.objects.values())),
        str(list(Trace.objects.values())),
        "".join(str(sent.message()) for sent in mail.outbox),
        caplog.text,
    ]
    assert all(resource.password not in text for text in texts)
    stored = Resource.objects.filter(pk=resource.pk).values_list("password", flat=True)
    with_key = Resource.objects.raw("SELECT id, password AS sealed FROM orders_resource WHERE id = %s", [resource.pk])
    assert stored[0] == resource.password
    assert with_key[0].sealed != resource.password, "encrypted at rest"


def test_disabling_closes_at_once_releases_the_instance_and_refunds_nothing(
    buyer: Persona, resource: Resource, server: ExampleSeller
) -> None:
    page, password = show(buyer, f"{resource.get_absolute_url()}disable/"), resource.password
    assert resource.number in page and "cannot be undone" in page
    with clock.at(LATER):
        answer = buyer.client.post(
            f"{resource.get_absolute_url()}disable/", {"idempotency_key": pages.new_key()}, follow=True
        )
    assert "is disabled" in answer.content.decode()
    resource.refresh_from_db()
    assert (resource.status, resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.DISABLED)
    assert resource.closed_at == LATER
    rehearsal.walk(LATER + timedelta(minutes=1), start=LATER)
    assert server.instances[resource.instance_id].status == "RELEASED"
    sent = server.calls_of("releaseInstance")[0].params
    assert (sent["instanceId"], sent["orderId"]) == (resource.instance_id, resource.order_number)
    assert not Refund.objects.exists()
    assert resource.password == "" and password not in show(buyer, resource.get_absolute_url())
    with pytest.raises(Refused) as refused:
        resources.reveal_password(buyer.call(at=LATER), resource=resource.number)
    assert refused.value.code == "secret_missing"


def test_a_closed_resource_cannot_be_disabled_again(buyer: Persona, resource: Resource) -> None:
    resources.close_resource(buyer.call(at=LATER), resource=resource.number)
    with pytest.raises(Refused) as refused:
        resources.close_resource(buyer.call(at=LATER), resource=resource.number)
    assert refused.value.code == "resource_not_in_use"
    assert InterfaceCall.objects.filter(activity="releaseInstance").count() == 1


def test_a_pay_per_use_resource_closed_before_its_instance_came_has_it_released(
    buyer: Persona, server: ExampleSeller
) -> None:
    product = catalog.saas_product(
        interface_url=server.url,
        interface_key=server.key,
        quantity=None,
        plans=[catalog.plan(mode="ON_DEMAND", unit_price="0.10", usage_unit="hour")],
    )
    order = orders.bought(buyer, product, at=AT)
    resource = Resource.objects.get()
    assert resource.status == ResourceStatus.ENABLED
    resources.close_resource(buyer.call(at=AT), resource=resource.number)
    rehearsal.walk(AT + timedelta(minutes=1), start=AT)
    assert server.instance_of(order.number).status == "RELEASED"  # type: ignore[union-attr]
    assert not InterfaceCall.objects.filter(activity="queryInstance").exists()


def test_disabling_and_policies_need_an_allow(colleague: Persona, resource: Resource) -> None:
    text = show(colleague, resource.get_absolute_url())
    assert re.search(r'aria-disabled="true"[^>]*>\s*Disable', text)
    for address in ("disable", "expiration", "tags"):
        response = colleague.client.post(f"{resource.get_absolute_url()}{address}/", {"policy": "none"})
        assert response.status_code in (403, 409, 422)
    resource.refresh_from_db()
    assert (resource.status, resource.expiration_policy) == (ResourceStatus.ENABLED, ExpirationPolicy.MANUAL)
    identity.allow(colleague.user, "marketplace:resource:closeResource")
    resources.close_resource(colleague.call(at=LATER), resource=resource.number)
    resource.refresh_from_db()
    assert resource.status == ResourceStatus.CLOSED


def test_the_expiration_policy_is_chosen_from_what_the_product_supports(buyer: Persona, resource: Resource) -> None:
    address = f"{resource.get_absolute_url()}expiration/"
    assert "Auto-renew" in show(buyer, address)
    with clock.at(LATER):
        buyer.client.post(address, {"policy": "none"})
    resource.refresh_from_db()
    assert resource.expiration_policy == ExpirationPolicy.NONE
    trace = Trace.objects.get(trace_name="setResourceStrategy")
    assert (trace.response["before"], trace.response["after"]) == ("manual", "none")
    with guard.opened("test"):
        Product.objects.filter(pk=resource.product_id).update(supports_auto_renewal=False)
    assert "Auto-renew" not in show(buyer, address)
    with clock.at(LATER):
        response = buyer.client.post(address, {"policy": "auto"})
    assert response.status_code == 422
    with pytest.raises(Refused) as refused:
        expiration.set_expiration_policy(buyer.call(at=LATER), resource=resource.number, policy="auto")
    assert refused.value.code == "expiration_policy_unsupported"


def test_what_has_no_term_has_no_expiration_policy(buyer: Persona) -> None:
    orders.bought(buyer, catalog.content_product(), at=AT)
    with pytest.raises(Refused) as refused:
        expiration.set_expiration_policy(buyer.call(at=LATER), resource=Resource.objects.get().number, policy="none")
    assert refused.value.code == "resource_has_no_term"


def test_tags_of_a_pay_per_use_resource_are_edited_on_its_page(buyer: Persona) -> None:
    orders.bought(buyer, catalog.pay_per_use_product(), at=AT)
    resource = Resource.objects.get()
    address = f"{resource.get_absolute_url()}tags/"
    more = buyer.client.post(address, {"tag_key": ["team"], "tag_value": ["a"], "add_tag": "1"}).content.decode()
    assert more.count('name="tag_key"') == 2 and 'value="team"' in more
    buyer.client.post(address, {"tag_key": ["team", "", "env"], "tag_value": ["blue", "", "prod"]})
    resource.refresh_from_db()
    assert resource.tags == {"team": "blue", "env": "prod"}
    assert "team=blue" in show(buyer, resource.get_absolute_url())
    wrong = buyer.client.post(address, {"tag_key": ["bad key!"], "tag_value": ["x"]})
    assert wrong.status_code == 422 and 'value="bad key!"' in wrong.content.decode()
    resource.refresh_from_db()
    assert resource.tags == {"team": "blue", "env": "prod"}


def test_a_yearly_or_monthly_resource_has_no_tags_unless_the_policy_says_so(buyer: Persona, resource: Resource) -> None:
    with pytest.raises(Refused) as refused:
        resources.set_tags(buyer.call(at=LATER), resource=resource.number, tags={"team": "a"})
    assert (refused.value.code, refused.value.field) == ("tags_not_offered", "tags")


def test_a_package_shows_what_is_used_of_its_quota(buyer: Persona) -> None:
    orders.bought(buyer, catalog.package_product(), at=AT)
    resource = Resource.objects.get()
    change(resource, quota_used=Decimal("12.5"))
    assert "12.5 of 1000 used" in show(buyer, resource.get_absolute_url())


def test_a_stranger_finds_nothing(stranger: Persona, resource: Resource) -> None:
    assert resource.product.name not in show(stranger, "/console/apps/")
    for address in ("", "password/", "disable/", "expiration/", "tags/"):
        for method in (stranger.client.get, stranger.client.post):
            if address == "" and method is stranger.client.post:
                continue
            assert method(f"{resource.get_absolute_url()}{address}").status_code == 404
    for do in (resources.close_resource, resources.reveal_password, resources.read_details):
        with pytest.raises(Missing):
            do(stranger.call(at=LATER), resource=resource.number)


def test_without_javascript_the_dialog_of_disabling_is_on_the_page(buyer: Persona, resource: Resource) -> None:
    text = show(buyer, f"{resource.get_absolute_url()}?confirm=disable")
    assert re.search(r'<dialog class="dialog" id="disable"[^>]* open', text)
    assert f'action="{resource.get_absolute_url()}disable/"' in text


def test_the_page_reads_in_chinese(buyer: Persona, resource: Resource) -> None:
    buyer.client.cookies["django_language"] = "zh-hans"
    response = buyer.client.get(resource.get_absolute_url())
    assert response.status_code == 200
    assert 'lang="zh' in response.content.decode()


def test_owners_reach_the_page_of_a_product_that_left_the_catalogue_without_buying(
    buyer: Persona, stranger: Persona
) -> None:
    billing.fund(buyer.account, 1000)
    product = catalog.content_product()
    orders.bought(buyer, product)
    with guard.opened("test"):
        product.state = "removed"
        product.save(update_fields=["state"])
    page = buyer.client.get(f"/products/{product.slug}/")
    assert page.status_code == 200 and "Continue to Submit" not in page.content.decode()
    assert stranger.client.get(f"/products/{product.slug}/").status_code == 404
