"""My Orders, Unpaid Orders, details, overviews: what is shown, to whom, and at what cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from koogallery import clock
from koogallery.identity.models import ContactConsent
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from orders.models import Order
from orders.operations import cancelling, paying, placing
from tests.factories import billing, catalog, orders
from tests.personas import Persona, make_seller
from tests.queries import own_queries

pytestmark = pytest.mark.django_db


def queries(persona: Persona, address: str) -> int:
    """How many a page needs, beside the menu of categories, which each process remembers until it changes."""
    persona.client.get(address)
    with CaptureQueriesContext(connection) as caught:
        response = persona.client.get(address)
    assert response.status_code == 200
    return len(own_queries(caught))


def test_the_tabs_count_and_an_overdue_order_already_counts_as_canceled(rich: Persona) -> None:
    orders.place(rich, catalog.saas_product())
    orders.bought(rich, catalog.saas_product())
    orders.bought(rich, catalog.content_product())
    with clock.at(clock.now() + timedelta(hours=25)):
        page = rich.client.get("/console/orders/").content.decode()
    for label, count in (("All", 3), ("Pending payment", 0), ("Processing", 1), ("Completed", 1), ("Canceled", 1)):
        assert f'{label} <span class="tab-count">{count}</span>' in page


def test_the_list_is_searched_by_number_and_product(rich: Persona) -> None:
    first = orders.place(rich, catalog.saas_product(name="Harbor ERP"))
    second = orders.place(rich, catalog.saas_product(name="Relata CRM"))
    page = rich.client.get("/console/orders/?q=harbor").content.decode()
    assert first.number in page and second.number not in page
    assert second.number in rich.client.get(f"/console/orders/?q={second.number}").content.decode()


def test_the_export_holds_the_filtered_rows(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    lines = b"".join(rich.client.get("/console/orders/?export=csv").streaming_content).decode().splitlines()
    assert len(lines) == 2 and order.number in lines[1] and "USD 10.00" in lines[1]


def test_unpaid_orders_offer_pay_and_cancel(rich: Persona, clerk: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    page = rich.client.get("/console/orders/unpaid/").content.decode()
    assert f"/console/orders/{order.number}/pay/" in page and f"/console/orders/{order.number}/cancel/" in page
    denied = clerk.client.get("/console/orders/unpaid/").content.decode()
    assert f"/console/orders/{order.number}/pay/" not in denied and "no-orders" in denied


def test_canceling_asks_first_and_works_without_javascript(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    address = f"/console/orders/{order.number}/cancel/"
    page = rich.client.get(address).content.decode()
    assert order.number in page and "Keep the order" in page
    assert rich.client.post(address)["Location"] == f"/console/orders/{order.number}/"
    order.refresh_from_db()
    assert order.state == "canceled"
    assert rich.client.post(address).status_code == 409


def test_the_details_show_every_part(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product(), quantity="7")
    address = f"/console/orders/{order.number}/"
    page = rich.client.get(address).content.decode()
    for part in (order.number, "How is this calculated?", "Money of this order", "USD 70.00", "Delivery started"):
        assert part in page
    assert "Account balance" in rich.client.get(f"{address}?tab=payments").content.decode()
    assert "Terms and Conditions" in rich.client.get(f"{address}?tab=agreements").content.decode()
    assert "createOrder" in rich.client.get(f"{address}?tab=traces").content.decode()


def test_a_failed_delivery_says_what_failed_when_money_comes_whom_to_ask_and_offers_another_try(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product(), quantity="7")
    cancelling.cancel_undeliverable(system_call(), order=order.number, reason="The seller's server did not answer.")
    page = rich.client.get(f"/console/orders/{order.number}/").content.decode()
    for part in (
        "server did not answer",
        "within 3 hours",
        order.seller.email,
        "Try again with the same configuration",
    ):
        assert part in page
    assert "attr_users=7" in page
    assert "USD 70.00" in rich.client.get(f"/console/orders/{order.number}/?tab=payments").content.decode()


def test_lists_and_details_are_traced_reads(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product())
    rich.client.get("/console/orders/")
    rich.client.get(f"/console/orders/{order.number}/")
    assert Trace.objects.filter(trace_name="queryOrderList", read_only=True).count() == 1
    assert Trace.objects.get(trace_name="queryOrderDetail").resource_id == order.number


@pytest.mark.parametrize("address", ["/console/orders/", "/console/orders/unpaid/"])
def test_a_list_costs_the_same_for_one_row_and_for_thirty(rich: Persona, address: str) -> None:
    product = catalog.saas_product()
    orders.place(rich, product)
    one = queries(rich, address)
    for _ in range(29):
        orders.place(rich, product)
    assert queries(rich, f"{address}?size=50") == one <= 8


def test_details_and_overview_stay_within_eight_queries(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product())
    assert queries(rich, f"/console/orders/{order.number}/") <= 8
    for tab in ("payments", "agreements", "traces"):
        assert queries(rich, f"/console/orders/{order.number}/?tab={tab}") <= 9
    assert queries(rich, "/console/") <= 8


def test_placing_and_paying_an_order_stay_within_25_statements(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product)
    calls = [rich.call(key=pages.new_key()) for _ in range(2)]
    with CaptureQueriesContext(connection) as caught:
        order = placing.place_order(calls[0], product=product.code, quote=signed, agreed=("terms",))
        paying.pay_order(calls[1], order=order.number, method="balance")
    statements = [query["sql"] for query in caught.captured_queries]
    assert len([sql for sql in statements if "SAVEPOINT" not in sql]) <= 25


# The seller's side


@pytest.fixture
def shop(db: None) -> Persona:
    return make_seller()


def test_a_seller_sees_its_orders_and_no_others(rich: Persona, shop: Persona) -> None:
    mine = orders.bought(rich, catalog.saas_product(seller=shop.account.seller))
    other = orders.bought(rich, catalog.saas_product())
    page = shop.client.get("/seller/orders/").content.decode()
    assert mine.number in page and other.number not in page
    assert shop.client.get(f"/seller/orders/{mine.number}/").status_code == 200
    assert shop.client.get(f"/seller/orders/{other.number}/").status_code == 404
    assert shop.client.get(f"/console/orders/{mine.number}/").status_code == 404
    assert rich.client.get("/seller/orders/").status_code == 404


def test_a_seller_sees_contact_data_only_with_consent_and_masked_once_withdrawn(rich: Persona, shop: Persona) -> None:
    seller = shop.account.seller
    silent = orders.bought(rich, catalog.saas_product(seller=seller))
    told = orders.bought(rich, catalog.saas_product(seller=seller, contact_data="email"), consent=True)
    email = rich.user.email
    assert email not in shop.client.get(f"/seller/orders/{silent.number}/").content.decode()
    assert email in shop.client.get(f"/seller/orders/{told.number}/").content.decode()
    with guard.opened("test"):
        ContactConsent.objects.update(withdrawn_at=clock.now())
    page = shop.client.get(f"/seller/orders/{told.number}/").content.decode()
    assert email not in page and "****@" in page


def test_the_sellers_overview_adds_up(rich: Persona, shop: Persona) -> None:
    seller = shop.account.seller
    orders.bought(rich, catalog.saas_product(seller=seller), quantity="7")
    orders.bought(rich, catalog.content_product(seller=seller))
    page = shop.client.get("/seller/").content.decode()
    for amount in ("USD 70.00", "USD 300.00", "USD 370.00"):
        assert amount in page
    assert queries(shop, "/seller/") <= 12
    assert queries(shop, "/seller/orders/") <= 8


def test_the_buyers_overview_shows_what_waits(rich: Persona) -> None:
    orders.place(rich, catalog.saas_product())
    orders.bought(rich, catalog.content_product())
    page = rich.client.get("/console/").content.decode()
    assert "1 order waits for your payment" in page
    assert "USD 300.00" in page
    assert Order.objects.count() == 2


def test_a_denied_read_says_so(rich: Persona) -> None:
    from tests.factories import identity

    user = identity.UserFactory(account=rich.account, is_root=False, username="blind")
    identity.deny(user, "marketplace:order:view", name="no-look")
    blind = Persona(user, rich.role)
    assert blind.client.get("/console/orders/").status_code == 403
    billing.fund(rich.account, 1)
