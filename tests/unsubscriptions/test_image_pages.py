"""The pages on which images, and renewals that have not started, are unsubscribed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from koogallery import clock
from koogallery.identity.states import OperatorRole
from orders.models import Order
from orders.states import OrderType
from tests.factories.identity import UserFactory, deny
from tests.factories.subscriptions import Owned, image, subscribed
from tests.factories.supervision import seller_of
from tests.personas import Persona, make_buyer, make_operator
from unsubscriptions.models import Request
from unsubscriptions.operations.images import ACTION

pytestmark = pytest.mark.django_db

LIST = "/console/unsubscriptions/?tab=images"


@pytest.fixture
def owned() -> Iterator[Owned]:
    """The image of the published example, at the moment of its unsubscription."""
    found = image(at="2024-01-01T10:30:00+08:00").at("2024-01-15T18:40:00+08:00")
    with clock.at(found.now):
        yield found


def address(owned: Owned, name: str = "image") -> str:
    return reverse(f"unsubscriptions:{name}", args=[owned.resource.number])


def get(owned: Owned, name: str = "image", by: Persona | None = None) -> Any:
    return (by or owned.buyer).client.get(address(owned, name))


def post(owned: Owned, name: str = "image", **data: str) -> Any:
    return owned.buyer.client.post(address(owned, name), data)


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_page_shows_paid_consumed_fee_refund_and_how_it_is_calculated(owned: Owned) -> None:
    response = get(owned)
    text = text_of(response)
    for amount in ("USD 100.00", "USD 45.38", "USD 10.00", "USD 44.62"):
        assert amount in text
    for words in ("How is this calculated?", "Ordered hours", "758", "344", "Consumed", "Handling fee"):
        assert words in text
    assert "Large refund" not in text and "Everything is refunded" not in text
    assert response["Cache-Control"].startswith("max-age=0")


def test_it_is_confirmed_in_a_dialog_that_repeats_product_resource_and_refund(owned: Owned) -> None:
    asked = post(owned, expected="44.62")
    html = asked.content.decode()
    dialog = html[html.index('<dialog class="dialog" id="sure"') :]
    for words in (owned.resource.product.label, owned.resource.number, "USD 44.62", 'name="sure"', "Refund"):
        assert words in dialog
    assert asked.status_code == 200 and not Request.objects.exists()
    again = post(owned, expected="44.62", back="1")
    assert 'id="sure"' not in again.content.decode() and not Request.objects.exists()
    done = post(owned, expected="44.62", sure="1")
    request = Request.objects.get()
    assert (done.status_code, done["Location"]) == (302, request.get_absolute_url())
    detail = owned.buyer.client.get(done["Location"])
    assert "USD 44.62" in text_of(detail) and "Refunded" in text_of(detail)


@pytest.mark.parametrize("expected", ["44.63", "", "NaN", "Infinity", "1e9999999", "x", "-1", "4" * 60])
def test_another_refund_than_the_shown_one_is_shown_anew_and_nothing_happens(owned: Owned, expected: str) -> None:
    response = post(owned, expected=expected, sure="1")
    text = text_of(response)
    assert response.status_code == 409 and "Check it and confirm again" in text and "USD 44.62" in text
    assert 'name="expected" value="44.62"' in response.content.decode()
    assert not Request.objects.exists()


def test_a_form_that_is_sent_again_gets_its_first_answer(owned: Owned) -> None:
    first = post(owned, expected="44.62", sure="1", idempotency_key="key-of-one-form")
    again = post(owned, expected="44.62", sure="1", idempotency_key="key-of-one-form")
    assert (first["Location"], again["Location"]) == (first["Location"], first["Location"])
    assert Request.objects.count() == 1


def test_within_the_free_days_it_says_which_of_the_ten_it_is() -> None:
    owned = image(at="2024-01-01T10:30:00+08:00")
    with clock.at(owned.now):
        text = text_of(get(owned))
        assert "Everything is refunded" in text and "This is number 1 of 10 in 2024" in text
        assert "Jan 06, 2024 10:30:00 GMT+08:00" in text


def test_above_7000_the_page_and_the_dialog_warn() -> None:
    owned = image(at="2024-01-01", monthly="8000.00")
    with clock.at(owned.now):
        assert "USD 7,000.00" in text_of(get(owned))
        assert text_of(post(owned, expected="8000.00")).count("Large refund") == 2


def test_a_renewal_that_has_not_started_has_a_page_of_its_own() -> None:
    owned = image(at="2024-01-01")
    owned.at("2024-01-20").renew("1-month")
    with clock.at(owned.now):
        assert "Unsubscribe renewal" in text_of(get(owned))
        text = text_of(get(owned, "renewal"))
        assert "Expires afterwards" in text and "Feb 01, 2024 23:59:59 GMT+08:00" in text
        assert "has not started" in text and "USD 100.00" in text
        assert "expires at Feb 01, 2024" in text_of(post(owned, "renewal", expected="100.00"))
        done = post(owned, "renewal", expected="100.00", sure="1")
        asked = Request.objects.get()
        assert (done["Location"], asked.order.type) == (asked.get_absolute_url(), OrderType.RENEW)
        gone = get(owned, "renewal")
        assert "No renewal of the resource waits to start." in text_of(gone)


def test_what_nobody_was_asked_for_is_told_as_unsubscribed(owned: Owned) -> None:
    post(owned, expected="44.62", sure="1")
    asked = Request.objects.get()
    seller, officer = seller_of(owned.resource.product), make_operator(OperatorRole.APPEAL_OFFICER)
    change = [f"admin:unsubscriptions_{name}_change" for name in ("request", "payout")]
    for who, url in (
        (owned.buyer, asked.get_absolute_url()),
        (owned.buyer, asked.order.get_absolute_url()),
        (seller, asked.get_seller_url()),
        (officer, reverse(change[0], args=[asked.pk])),
        (officer, reverse(change[1], args=[asked.payout.pk])),
    ):
        text = text_of(who.client.get(url)).lower()
        assert "44.62" in text and (who is officer or "unsubscribed" in text), url
        for word in ("asked for", "agreed", "answered", "negotiated refund amount"):
            assert word not in text, f"{word} on {url}"


def test_the_refund_of_each_term_stands_on_the_pages_of_the_request_and_of_its_orders() -> None:
    owned = image(at="2024-01-01")
    renewal = owned.at("2024-01-20").renew("1-month")
    with clock.at(owned.now):
        post(owned, expected="129.84", sure="1")
        asked = Request.objects.get()
        detail = text_of(owned.buyer.client.get(asked.get_absolute_url()))
        assert "USD 129.84" in detail and "USD 29.84" in detail and "USD 100.00 refunded" in detail
        assert "Nothing was to be paid back" not in detail
        for order in (renewal, asked.order):
            assert asked.number in text_of(owned.buyer.client.get(order.get_absolute_url()))


def test_why_it_cannot_be_unsubscribed_is_said_with_the_way_out(owned: Owned) -> None:
    order = owned.place("1-month")
    text = text_of(get(owned))
    assert order.number in text and "See the order" in text
    response = post(owned, expected="44.62")
    assert response.status_code == 409 and 'id="sure"' not in response.content.decode()
    refused = post(owned, expected="44.62", sure="1")
    assert refused.status_code == 409 and order.number in text_of(refused)
    assert not Request.objects.exists()


def test_a_user_who_is_denied_it_reads_which_policy_says_so(owned: Owned) -> None:
    clerk = Persona(UserFactory(account=owned.buyer.account, is_root=False, username="clerk"), owned.buyer.role)
    deny(clerk.user, ACTION, name="no-unsubscription")
    assert "no-unsubscription" in text_of(get(owned, by=clerk))


def test_a_stranger_finds_nothing_and_others_than_images_are_refused(owned: Owned, stranger: Persona) -> None:
    assert get(owned, by=stranger).status_code == 404
    other = subscribed(at="2024-01-10", buyer=owned.buyer)
    assert "cannot be unsubscribed" in text_of(get(other))


def test_the_tab_lists_images_with_their_operations(owned: Owned) -> None:
    renewed = image(at="2024-01-10", buyer=owned.buyer)
    renewed.renew("1-month")
    unpaid = image(at="2024-01-10", buyer=owned.buyer)
    unpaid.now = owned.now
    order = unpaid.place("1-month")
    subscribed(at="2024-01-10", buyer=owned.buyer)
    image(at="2024-01-10")
    response = owned.buyer.client.get(LIST)
    html = response.content.decode()
    for found in (owned, renewed):
        assert address(found) in html
    assert (address(renewed, "renewal") in html, address(owned, "renewal") in html) == (True, False)
    assert address(unpaid) not in html and order.number in html
    exported = owned.buyer.client.get(f"{LIST}&export=csv")
    body = b"".join(exported.streaming_content) if exported.streaming else exported.content
    assert body.decode("utf-8-sig").count("\n") == 4


def test_the_tab_asks_as_much_for_ten_images_as_for_one(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    buyer = make_buyer()
    owned = image(at="2024-01-01", buyer=buyer)
    counts = []
    with clock.at(owned.now):
        buyer.client.get(LIST)
        for more in (0, 9):
            for _ in range(more):
                image(at="2024-01-01", buyer=buyer)
            with django_assert_max_num_queries(8) as captured:
                assert buyer.client.get(LIST).status_code == 200
            counts.append(len(captured))
    assert counts[0] == counts[1]


def test_order_and_resource_lead_to_it(owned: Owned) -> None:
    order = Order.objects.get(number=owned.resource.order_number)
    url = f"/console/unsubscriptions/?tab=images&amp;q={order.number}"
    assert url in owned.buyer.client.get(order.get_absolute_url()).content.decode()
    assert not Trace.objects.filter(trace_name="unsubscribeImage").exists()
