"""The API of sellers' servers: order query and usage report, with their signatures (reference: 4.4 and 4.8)."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from audit.models import Trace
from catalog.models import Product
from koogallery import clock
from koogallery.identity.models import ContactConsent, User
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Role
from orders.example_seller import ExampleSeller
from orders.models import Resource, UsageRecord, UsedNonce
from orders.operations import debugging, interface_calls, nonces
from orders.saas import signing_v2
from orders.saas.order_information import MOCK_ORDERS
from orders.states import CloseReason, ResourceStatus
from orders.views import api
from tests.factories import catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
QUERY = "/api/mkp-openapi-public/global/v1/order/query"
USAGE = "/api/mkp-openapi-public/global/v1/isv/usage-data"

pytestmark = pytest.mark.django_db


def query(product: Product, *, key: str = "", at: datetime | None = None, nonce: str = "", **parameters: str) -> Any:
    signed = signing_v2.sign_query(
        key=key or product.interface_key, nonce=nonce or signing_v2.new_nonce(), at=at or clock.real_now(), body=b""
    )
    return Client().get(QUERY, {**parameters, **signed})


def report(product: Product, records: list[Any], *, key: str = "", at: datetime = AT, **changed: str) -> Any:
    body = {"usage_records": records}
    stamp, nonce = signing_v2.timestamp(clock.real_now()), signing_v2.new_nonce()
    signature = signing_v2.usage_signature(
        key=key or product.interface_key, timestamp=stamp, nonce=nonce, body=signing_v2.compact(body)
    )
    given = {"signature": signature, "ts": stamp, "nonce": nonce} | changed
    with clock.at(at):
        return Client().post(USAGE, json.dumps(body), content_type="application/json", query_params=given)


def record(resource: Resource, *, hours_ago: float = 2, length: float = 1, **changed: Any) -> dict[str, Any]:
    begin = AT - timedelta(hours=hours_ago)
    end = begin + timedelta(hours=length)

    def text(moment: datetime) -> str:
        return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    return {
        "instance_id": resource.instance_id,
        "begin_time": text(begin),
        "end_time": text(end),
        "record_time": text(end),
        "usage_value": "12.5",
        "metering_sn": f"sn-{hours_ago}",
    } | changed


@pytest.fixture
def metered(buyer: Persona, server: ExampleSeller) -> Resource:
    """A pay-per-use resource with an instance, bought thirty days ago."""
    product = catalog.saas_product(
        interface_url=server.url,
        interface_key=server.key,
        quantity=None,
        plans=[catalog.plan(mode="ON_DEMAND", unit_price="0.10", usage_unit="hour")],
    )
    before = AT - timedelta(days=30)
    orders.bought(buyer, product, at=before)
    interface_calls.run_due(before)
    return Resource.objects.get()


def test_a_seller_learns_the_details_of_its_order(buyer: Persona, app: Product) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="5", term="1-year")
    answer = query(app, orderId=order.number, orderLineId=f"{order.number}-000001").json()
    assert (answer["resultCode"], answer["resultMsg"]) == ("MKT.0000", "success")
    info = answer["orderInfo"]
    assert (info["orderId"], info["orderType"], info["createTime"]) == (order.number, "NEW", "20260310100000")
    line = info["orderLine"][0]
    assert line["orderLineId"] == f"{order.number}-000001"
    assert (line["chargingMode"], line["periodType"], line["periodNumber"]) == ("PERIOD", "year", "1")
    assert line["expireTime"] == "20270310235959"
    assert (line["currency"], line["currencyAfterDiscount"]) == ("500.00", "500.00")
    assert line["productInfo"] == [
        {"productId": app.code, "skuCode": "standard", "linearValue": "5", "productName": app.name}
    ]
    assert info["buyerInfo"] == {"customerId": buyer.account.number, "customerName": buyer.account.name}
    trace = Trace.objects.get(trace_name="queryOrderInformation")
    assert (trace.trace_type, trace.account_id) == ("ApiCall", app.seller.account_id)


def test_contact_data_is_in_the_answer_only_with_consent_and_masked_after_its_withdrawal(
    buyer: Persona, server: ExampleSeller
) -> None:
    product = catalog.saas_product(interface_url=server.url, interface_key=server.key, contact_data="email")
    order = orders.bought(buyer, product, at=AT, quantity="1", term="1-month", consent=True)
    first = query(product, orderId=order.number).json()["orderInfo"]["buyerInfo"]
    assert first["email"] == buyer.user.email
    assert "mobilePhone" not in first
    with guard.opened("test"):
        ContactConsent.objects.update(withdrawn_at=AT)
    later = query(product, orderId=order.number).json()["orderInfo"]["buyerInfo"]
    assert later["email"] != buyer.user.email and "****" in later["email"]


def test_a_wrong_signature_and_a_foreign_order_are_answered_alike(buyer: Persona, app: Product) -> None:
    other = catalog.saas_product(interface_key="f" * 32)
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    stale = clock.real_now() - timedelta(seconds=90)
    answers = [
        query(app, orderId=order.number, key="0" * 32),
        query(other, orderId=order.number),
        query(app, orderId="CS2603101000XXXXX"),
        query(app, orderId=order.number, at=stale),
        Client().get(QUERY, {"orderId": order.number}),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
    assert order.number not in answers[0].content.decode()


def test_a_query_is_answered_once_by_its_nonce(buyer: Persona, app: Product) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    at = clock.real_now()
    statuses = [query(app, orderId=order.number, nonce="ABC", at=at).status_code for _ in range(2)]
    assert statuses == [200, 401]


def test_a_nonce_is_remembered_for_every_process_and_forgotten_once_expired(app: Product) -> None:
    at = clock.real_now()
    assert nonces.remember(app, "N", at=at)
    assert not nonces.remember(app, "N", at=at + nonces.KEPT - timedelta(seconds=1))
    assert nonces.remember(app, "N", at=at + nonces.KEPT)
    assert nonces.remember(app, "M", at=at - nonces.KEPT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_usednonce")
        assert cursor.fetchone() == (2,)
    nonces.forget(AT)
    assert UsedNonce.objects.count() == 1
    assert not nonces.remember(app, "N", at=at + nonces.KEPT)


@pytest.mark.django_db(transaction=True)
def test_of_eight_processes_with_one_nonce_one_is_answered(app: Product) -> None:
    answers: list[bool] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        answers.append(nonces.remember(app, "N", at=AT))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_capitals_in_the_signature_are_taken(buyer: Persona, app: Product) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    signed = signing_v2.sign_query(key=app.interface_key, nonce="N1", at=clock.real_now(), body=b"")
    signed["signature"] = signed["signature"].upper()
    assert Client().get(QUERY, {"orderId": order.number, **signed}).status_code == 200


def test_a_parameter_that_is_missing_or_wrong_is_named_so(buyer: Persona, app: Product) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    assert query(app).json()["resultCode"] == "MKT.0101"
    assert query(app, orderId=order.number, orderLineId="other").json()["resultCode"] == "MKT.0101"
    assert Client().post(QUERY).status_code in (403, 405)


@pytest.mark.parametrize("number", MOCK_ORDERS)
def test_the_orders_of_a_debug_are_answered_to_debugged_products(app: Product, number: str) -> None:
    assert query(app, orderId=number).status_code == 401
    seller = Persona(User.objects.get(account=app.seller.account), Role.SELLER)
    debugging.debug(
        seller.call(key=pages.new_key()), product=app.code, activity="queryInstance", parameters={"instanceId": "i"}
    )
    info = query(app, orderId=number).json()["orderInfo"]
    assert info["orderId"] == number
    assert info["orderLine"][0]["orderLineId"] == f"{number}-000001"
    assert info["orderLine"][0]["chargingMode"] in ("PERIOD", "ONE_TIME", "ON_DEMAND", "ON_DEMAND_PKG")
    if number == "MOCKMONTYUNSUBSCRIBE":
        assert info["orderType"] == "UNSUBSCRIBE"
        assert "currency" not in info["orderLine"][0]
        assert info["orderLine"][0]["currencyAfterDiscount"].startswith("-")


def test_usage_of_a_pay_per_use_resource_is_kept_once(metered: Resource) -> None:
    answer = report(metered.product, [record(metered)])
    assert answer.json() == {"resultCode": "MKT.0000", "resultMsg": "success", "failed_records": []}
    kept = UsageRecord.objects.get()
    assert (kept.resource, kept.serial, kept.value) == (metered, "sn-2", Decimal("12.5"))
    assert kept.begin_at == AT - timedelta(hours=2)
    again = report(metered.product, [record(metered)]).json()
    assert (again["resultCode"], again["failed_records"][0]["code"]) == ("MKT.9004", "005")
    assert UsageRecord.objects.count() == 1
    trace = Trace.objects.filter(trace_name="reportUsage").latest("pk")
    assert (trace.trace_type, trace.response["taken"], trace.response["refused"]) == ("ApiCall", 0, 1)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"instance_id": "nobody"}, "001"),
        ({"instance_id": None}, "001"),
        ({"begin_time": "2026-03-10T00:00:00Z"}, "002"),
        ({"end_time": ""}, "002"),
        ({"record_time": 5}, "002"),
        ({"usage_value": "-1"}, "003"),
        ({"usage_value": "1.23456"}, "003"),
        ({"usage_value": "NaN"}, "003"),
        ({"metering_sn": ""}, "004"),
        ({"metering_sn": "x" * 65}, "004"),
        ({"hours_ago": 22 * 24}, "011"),
        ({"hours_ago": 1, "length": 2}, "011"),
        ({"length": -1}, "011"),
    ],
)
def test_a_record_that_is_wrong_is_answered_by_its_code(metered: Resource, changed: dict[str, Any], code: str) -> None:
    shape = {name: changed.pop(name) for name in ("hours_ago", "length") if name in changed}
    wrong = record(metered, **shape) | {"metering_sn": "wrong"} | changed
    answer = report(metered.product, [record(metered, hours_ago=9), wrong]).json()
    assert answer["resultCode"] == "MKT.9003"
    assert [(each["index"], each["code"]) for each in answer["failed_records"]] == [(1, code)]
    assert UsageRecord.objects.count() == 1, "the good record of the report is kept"


def test_the_same_time_under_another_serial_and_a_serial_twice_in_a_report_are_recognised(metered: Resource) -> None:
    records = [
        record(metered),
        record(metered, metering_sn="another"),
        record(metered, hours_ago=5, metering_sn="sn-2"),
    ]
    answer = report(metered.product, records).json()
    assert [(each["index"], each["code"]) for each in answer["failed_records"]] == [(1, "010"), (2, "005")]


def test_what_a_resource_is_decides_too(metered: Resource, buyer: Persona) -> None:
    def code() -> str:
        return str(report(metered.product, [record(metered)]).json()["failed_records"][0]["code"])

    def change(**columns: Any) -> None:
        with guard.opened("test"):
            Resource.objects.filter(pk=metered.pk).update(**columns)

    change(billing_mode="PERIOD")
    assert code() == "012"
    change(billing_mode="ON_DEMAND_PKG", expires_at=AT - timedelta(days=3))
    assert code() == "007"
    change(
        expires_at=None,
        status=ResourceStatus.CLOSED,
        closed_at=AT - timedelta(days=1),
        close_reason=CloseReason.DISABLED,
    )
    assert code() == "013"
    change(status=ResourceStatus.ENABLED, closed_at=None, close_reason="")
    with guard.opened("test"):
        Product.objects.filter(pk=metered.product_id).update(state="removed")
    assert code() == "006"


def test_an_instance_of_another_seller_is_refused_within_a_report(metered: Resource, buyer: Persona) -> None:
    foreign = catalog.pay_per_use_product(interface_key="f" * 32)
    orders.bought(buyer, foreign, at=AT)
    with guard.opened("test"):
        Resource.objects.filter(product=foreign).update(instance_id="ins-foreign")
    theirs = Resource.objects.get(product=foreign)
    answer = report(metered.product, [record(metered), record(theirs, metering_sn="x")]).json()
    assert [(each["index"], each["code"]) for each in answer["failed_records"]] == [(1, "009")]


def test_a_report_without_a_right_signature_keeps_nothing(metered: Resource) -> None:
    for answer in (
        report(metered.product, [record(metered)], key="0" * 32),
        report(metered.product, [record(metered)], signature=""),
        report(metered.product, [record(metered)], ts="1680508066618"),
        report(metered.product, [{"instance_id": "nobody"}]),
    ):
        assert answer.status_code == 401
    assert not UsageRecord.objects.exists()


def test_reports_of_the_wrong_shape_or_size_are_refused(metered: Resource) -> None:
    assert report(metered.product, []).json()["resultCode"] == "MKT.9001"
    assert report(metered.product, [record(metered)] * 1001).json()["resultCode"] == "MKT.9001"
    for body in ("", "[]", "{", '{"usage_records": 5}', "[" * 100_000):
        answer = Client().post(USAGE, body, content_type="application/json")
        assert answer.json()["resultCode"] == "MKT.9002"
    assert Client().get(USAGE).status_code == 405


def test_a_full_report_is_taken_in_a_handful_of_statements(
    metered: Resource, django_assert_max_num_queries: Any
) -> None:
    records = [record(metered, hours_ago=2 + number / 100, length=0.01) for number in range(1000)]
    for number, each in enumerate(records):
        each["metering_sn"] = f"sn-{number}"
    with django_assert_max_num_queries(15):
        answer = report(metered.product, records)
    assert answer.json()["resultCode"] == "MKT.0000"
    assert UsageRecord.objects.count() == 1000


def test_usage_of_a_package_counts_against_its_quota(buyer: Persona) -> None:
    product = catalog.package_product(interface_key="a" * 32)
    orders.bought(buyer, product, at=AT - timedelta(days=1))
    with guard.opened("test"):
        Resource.objects.update(instance_id="ins-package")
    resource = Resource.objects.get()
    report(product, [record(resource), record(resource, hours_ago=5)])
    resource.refresh_from_db()
    assert resource.quota_used == Decimal(25)


def test_an_address_that_asks_too_often_is_told_to_wait_but_never_in_a_rehearsal(
    app: Product, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(api, "PER_MINUTE", 3)
    codes = [Client().get(QUERY, {"orderId": "x"}).status_code for _ in range(8)]
    assert codes[:3] == [401, 401, 401] and codes[-1] == 429
    settings.REHEARSAL = True
    assert Client().get(QUERY, {"orderId": "x"}).status_code == 401


def test_without_redis_the_api_still_answers(buyer: Persona, app: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(cache, "add", broken)
    at = clock.real_now()
    statuses = [query(app, orderId=order.number, nonce="ONCE", at=at).status_code for _ in range(2)]
    assert statuses == [200, 401]
    assert UsedNonce.objects.count() == 1, "another process knows it, too"
