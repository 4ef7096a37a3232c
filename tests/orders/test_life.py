"""What becomes of resources after their term, to the second; what their owners and sellers are told (R3 to R8, R19)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from audit.models import Trace
from billing.operations.checking import check_ledger
from billing.queries import balance
from catalog.models import Product
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel import guard, policies, rehearsal, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import PolicyChoice, SweepFailure
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Order, RenewalChange, Resource
from orders.operations import life, resources
from orders.rules import life as rules
from orders.states import CallState, CancelReason, CloseReason, OrderState, RenewalChangeState, ResourceStatus
from tests.factories import catalog, orders
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.personas import make_buyer

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def choose_policies(**values: int) -> None:
    """Let these values be in force from the beginning."""
    with guard.opened("test"):
        PolicyChoice.objects.create(since=moment("2020-01-01"), pack="2025", overrides=values)


def kinds(owned: Owned) -> list[str]:
    """What the buyer was told of the resource's end, oldest first."""
    about = Message.objects.filter(account_id=owned.resource.account_id, kind__startswith="resource_")
    about = about.exclude(kind__in=["resource_ready", "resource_renewed"])
    return list(about.order_by("created_at", "pk").values_list("kind", flat=True))


@contextmanager
def outage(owned: Owned, text: str) -> Iterator[None]:
    """Nothing runs until a moment; then one tick does what is left to do."""
    at = moment(text)
    yield
    for _round in range(20):
        if not sweeps.tick(at):
            break
    owned.now = at
    owned.resource.refresh_from_db()


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2026-02-10T23:59:59+08:00", ResourceStatus.ENABLED),
        ("2026-02-11T00:00:00+08:00", ResourceStatus.GRACE),
        ("2026-02-11T00:00:01+08:00", ResourceStatus.GRACE),
        ("2026-02-25T23:59:59+08:00", ResourceStatus.GRACE),
        ("2026-02-26T00:00:00+08:00", ResourceStatus.RETENTION),
        ("2026-02-26T00:00:01+08:00", ResourceStatus.RETENTION),
        ("2026-03-12T23:59:59+08:00", ResourceStatus.RETENTION),
        ("2026-03-13T00:00:00+08:00", ResourceStatus.CLOSED),
        ("2026-03-13T00:00:01+08:00", ResourceStatus.CLOSED),
    ],
)
def test_each_step_comes_at_its_second_whether_or_not_the_sweep_has_run(at: str, status: ResourceStatus) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    assert owned.resource.status_at(moment(at), policies.in_force(moment(at))) == status
    assert owned.at(at).resource.status == status


@pytest.mark.parametrize("grace", [0, 7, 15, 30])
@pytest.mark.parametrize("retention", [0, 7, 15, 30])
def test_grace_and_retention_last_as_the_policies_say_and_nothing_is_left_out(grace: int, retention: int) -> None:
    choose_policies(grace_days=grace, retention_days=retention)
    owned = subscribed(term="1-month", at="2026-01-10")
    over = moment("2026-02-11T00:00:00+08:00")
    told = []
    for days, status, kind in (
        (grace, ResourceStatus.GRACE, "resource_in_grace"),
        (retention, ResourceStatus.RETENTION, "resource_in_retention"),
    ):
        if days:
            assert owned.at(over.isoformat()).resource.status == status
            over += timedelta(days=days)
            assert owned.resource.life_due_at == over
            assert owned.at((over - SECOND).isoformat()).resource.status == status
            told.append(kind)
    owned.at(over.isoformat())
    assert (owned.resource.status, owned.resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.RELEASED)
    assert owned.resource.closed_at == over
    assert [kind for kind in kinds(owned) if kind != "resource_expiring"] == [*told, "resource_closed"]
    assert not SweepFailure.objects.exists()


def test_milder_policies_lengthen_a_stage_and_never_bring_one_back() -> None:
    expiry = moment("2026-02-10").date()
    late = {"expiry": expiry, "grace_days": 30, "retention_days": 15}
    at = moment("2026-02-26T00:00:00+08:00")
    assert rules.stage(**late, at=at, reached=ResourceStatus.GRACE) == rules.Stage(
        ResourceStatus.GRACE, clock.day_start(moment("2026-03-13").date())
    )
    assert rules.stage(**late, at=at, reached=ResourceStatus.RETENTION) == rules.Stage(
        ResourceStatus.RETENTION, clock.day_start(moment("2026-03-28").date())
    )


def test_after_an_outage_steps_are_dated_as_they_fell_due_and_only_what_is_still_true_is_told() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    with outage(owned, "2026-03-05T12:00:00+08:00"):
        pass
    assert owned.resource.status == ResourceStatus.RETENTION
    assert kinds(owned) == ["resource_in_retention"]
    assert Message.objects.get(kind="resource_in_retention").created_at == moment("2026-02-26T00:00:00+08:00")
    steps = Trace.objects.filter(trace_name="advanceResource").order_by("time")
    assert [(trace.time, trace.response["status"]) for trace in steps] == [
        (moment("2026-02-11T00:00:00+08:00"), "grace"),
        (moment("2026-02-26T00:00:00+08:00"), "retention"),
    ]


def test_what_leads_to_a_released_resource_is_deleted() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    kept = {
        "password": "secret", "license_key": "KEY-1", "frontend_url": "https://app.example",
        "admin_url": "https://admin.example", "user_name": "admin", "memo": "first steps",
    }  # fmt: skip
    with guard.opened("test"):
        for name, value in kept.items():
            setattr(owned.resource, name, value)
        owned.resource.save()
    assert owned.at("2026-03-12T23:59:59+08:00").resource.password == "secret"
    owned.at("2026-03-13T00:00:00+08:00")
    assert {name: getattr(owned.resource, name) for name in kept} == dict.fromkeys(kept, "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT password, license_key FROM orders_resource WHERE id = %s", [owned.resource.pk])
        assert cursor.fetchone() == ("", "")


# Notices


def test_an_expiry_is_told_of_at_ten_on_its_days_and_once() -> None:
    owned = subscribed(term="2-month", at="2026-01-10")
    owned.at("2026-03-10T23:59:59+08:00")
    told = Message.objects.filter(kind="resource_expiring").order_by("created_at")
    assert [(message.created_at, message.params["days"]) for message in told] == [
        (moment(f"{day}T10:00:00+08:00"), left)
        for day, left in [
            ("2026-02-08", "30"), ("2026-02-23", "15"), ("2026-03-03", "7"), ("2026-03-07", "3"), ("2026-03-09", "1"),
        ]
    ]  # fmt: skip
    assert Trace.objects.filter(trace_name="tellExpiry").count() == 5
    subjects = [rendering.subject(message.kind, message.params) for message in told]
    assert [subject.split(" expires ")[1] for subject in subjects] == [
        "in 30 days", "in 15 days", "in 7 days", "in 3 days", "in 1 day",
    ]  # fmt: skip


def test_after_an_outage_an_expiry_is_told_of_once_and_as_it_stands() -> None:
    owned = subscribed(term="2-month", at="2026-01-10")
    with outage(owned, "2026-03-05T12:00:00+08:00"):
        pass
    message = Message.objects.get(kind="resource_expiring")
    assert (message.created_at, message.params["days"]) == (moment("2026-03-05T12:00:00+08:00"), "5")
    assert owned.resource.notice_due_at == moment("2026-03-07T10:00:00+08:00")


def test_an_outage_of_hours_changes_nothing_in_the_date_of_a_notice() -> None:
    owned = subscribed(term="2-month", at="2026-01-10")
    with outage(owned, "2026-02-08T18:00:00+08:00"):
        pass
    assert Message.objects.get(kind="resource_expiring").created_at == moment("2026-02-08T10:00:00+08:00")


def test_a_trial_and_a_package_end_at_their_expiry_without_grace() -> None:
    buyer = make_buyer()
    trial = orders.bought(buyer, period_product(trial_days=7), at=moment("2026-01-10"), trial="1")
    resource = Resource.objects.get(line__order=trial)
    owned = Owned(resource=resource, buyer=buyer, now=moment("2026-01-10"))
    assert owned.at("2026-01-17T23:59:59+08:00").resource.status == ResourceStatus.ENABLED
    assert resource.status_at(moment("2026-01-18T00:00:00+08:00"), policies.in_force(owned.now)) == "closed"
    owned.at("2026-01-18T00:00:00+08:00")
    assert (owned.resource.status, owned.resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.EXPIRED)
    assert kinds(owned) == ["resource_ending", "resource_ending", "resource_closed"]


# Pay-per-use after the expiry


def usable_product() -> Product:
    return period_product(
        plans=[
            catalog.plan(term_unit="month", unit_price="10.00", lengths=[1, 2, 3]),
            catalog.plan(mode="ON_DEMAND", term_unit="", unit_price="0.10", usage_unit="hour"),
        ]
    )


def test_what_was_chosen_so_goes_on_by_use_from_midnight_after_the_expiry() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", product=usable_product())
    with guard.opened("test"):
        Resource.objects.update(expiration_policy="pay_per_use")
    unpaid = owned.place("1-month")
    assert owned.at("2026-02-10T23:59:59+08:00").resource.billing_mode == BillingMode.PERIOD
    owned.at("2026-02-11T00:00:00+08:00")
    assert owned.resource.billing_mode == owned.resource.configured.billing_mode == BillingMode.ON_DEMAND
    assert (owned.resource.status, owned.resource.expires_at, owned.resource.life_due_at) == ("enabled", None, None)
    unpaid.refresh_from_db()
    assert unpaid.state == OrderState.CANCELED
    assert kinds(owned)[-2:] == ["resource_turning", "resource_pay_per_use"]


def test_what_is_no_longer_sold_by_use_expires_as_usual() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    with guard.opened("test"):
        Resource.objects.update(expiration_policy="pay_per_use")
    assert owned.at("2026-02-11T00:00:00+08:00").resource.status == ResourceStatus.GRACE


# Sellers


@pytest.fixture
def served(db: None, server: ExampleSeller) -> Owned:
    """A resource with an instance on the seller's server, expiring on 2026-02-10."""
    product = period_product(interface_version="2", interface_url=server.url, interface_key=server.key)
    buyer = make_buyer()
    order = orders.bought(buyer, product, funds=1000, at=moment("2026-01-10"), term="1-month")
    rehearsal.walk(moment("2026-01-10T10:05:00+08:00"), start=moment("2026-01-10"))
    return Owned(resource=Resource.objects.get(line__order=order), buyer=buyer, now=moment("2026-01-10"))


def activities() -> list[tuple[str, str]]:
    calls = InterfaceCall.objects.exclude(activity__in=["newInstance", "queryInstance"]).order_by("created_at", "pk")
    return [(call.activity, call.parameters.get("status", "")) for call in calls]


def test_the_sellers_server_hears_the_new_expiry_of_an_automatic_renewal(served: Owned) -> None:
    served.automate(days_before=7)
    served.at("2026-02-03T12:00:00+08:00")
    assert served.expires == "2026-03-10"
    call = InterfaceCall.objects.get(activity="refreshInstance")
    line = Order.objects.get(type="RENEW").line
    assert (call.line, call.key) == (line, f"refreshInstance:{line.number}")
    assert call.parameters["orderLineId"] == line.number
    assert call.parameters["instanceId"] == served.resource.instance_id


def test_the_sellers_server_hears_of_freezing_unfreezing_and_release(served: Owned, server: ExampleSeller) -> None:
    served.at("2026-02-26T00:00:00+08:00")
    assert activities() == [("updateInstanceStatus", "FREEZE")]
    served.renew("1-month")
    served.at("2026-03-01")
    assert activities()[1:] == [("updateInstanceStatus", "UNFREEZE"), ("refreshInstance", "")]
    served.at("2026-04-10T01:00:00+08:00")
    assert served.resource.status == ResourceStatus.CLOSED
    assert activities()[3:] == [("updateInstanceStatus", "FREEZE"), ("releaseInstance", "")]
    assert set(InterfaceCall.objects.values_list("state", flat=True)) == {CallState.DONE}


def test_a_call_that_nobody_answers_is_tried_for_an_hour_and_parked(served: Owned, server: ExampleSeller) -> None:
    server.fail("000005")
    served.at("2026-02-26T00:59:59+08:00")
    call = InterfaceCall.objects.get(activity="updateInstanceStatus")
    assert (call.state, call.tries) == (CallState.WAITING, 20)
    served.at("2026-02-26T01:00:00+08:00")
    call.refresh_from_db()
    assert (call.state, call.finished_at) == (CallState.PARKED, moment("2026-02-26T01:00:00+08:00"))
    assert call.is_replayable


def test_after_an_outage_a_server_is_still_called_for_an_hour(served: Owned, server: ExampleSeller) -> None:
    at = moment("2026-02-27T12:00:00+08:00")
    with outage(served, at.isoformat()):
        pass
    assert InterfaceCall.objects.get(activity="updateInstanceStatus").state == CallState.DONE


def test_without_an_instance_each_step_is_a_work_item_of_the_seller() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.at("2026-02-26T00:00:00+08:00")
    owned.renew("1-month")
    owned.at("2026-04-10T00:00:00+08:00")
    items = Message.objects.filter(account_id=owned.resource.seller.account_id, kind__startswith="resource_to_")
    assert list(items.order_by("created_at", "pk").values_list("kind", flat=True)) == [
        "resource_to_freeze", "resource_to_unfreeze", "resource_to_freeze", "resource_to_release",
    ]  # fmt: skip
    assert {item.link for item in items} == {f"/seller/orders/{owned.resource.order_number}/"}
    assert not InterfaceCall.objects.exists()


# Orders that lose their resource


def test_grace_ends_unpaid_changes_but_not_a_plain_renewal() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.at("2026-02-10T12:00:00+08:00")
    renewal = owned.place("1-month")
    owned.at("2026-02-11T00:00:00+08:00")
    renewal.refresh_from_db()
    assert renewal.state == OrderState.PENDING_PAYMENT
    changing = subscribed(
        term="1-year",
        at="2025-02-10",
        product=period_product(
            quantity=("1", "9", "1"),
            plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
        ),
        quantity="2",
    )
    changing.at("2026-02-10T12:00:00+08:00")
    change = changing.place(kind="expansion", quantity="3")
    changing.at("2026-02-11T00:00:00+08:00")
    change.refresh_from_db()
    assert (change.state, change.cancel_reason) == (OrderState.CANCELED, CancelReason.RESOURCE)


def test_disabling_a_resource_cancels_its_unpaid_renewal() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    unpaid = owned.place("1-month")
    resources.close_resource(owned.buyer.call(at=owned.now, key="close-0001"), resource=owned.resource.number)
    unpaid.refresh_from_db()
    assert (unpaid.state, unpaid.cancel_reason) == (OrderState.CANCELED, CancelReason.RESOURCE)


def test_disabling_a_resource_refunds_a_change_that_waits_for_its_renewal() -> None:
    owned = subscribed(
        term="1-year",
        at="2025-02-10",
        funds=1000,
        product=period_product(
            quantity=("1", "9", "1"),
            plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
        ),
        quantity="2",
    )
    owned.at("2026-02-01")
    order = owned.renew("1-year", quantity="1")
    assert (order.state, balance(owned.resource.account_id).amount) == (OrderState.PROCESSING, Decimal(940))
    resources.close_resource(owned.buyer.call(at=owned.now, key="close-0002"), resource=owned.resource.number)
    order.refresh_from_db()
    assert (order.state, balance(owned.resource.account_id).amount) == (OrderState.CANCELED, Decimal(960))
    assert RenewalChange.objects.get().state == RenewalChangeState.CANCELED
    assert Message.objects.filter(account_id=owned.resource.account_id, kind="renewal_change_refunded").count() == 1
    owned.at("2026-02-11T00:00:00+08:00")
    assert owned.resource.status == ResourceStatus.CLOSED
    assert check_ledger(system_call()).findings == []


# Many at once, and rows that were there before


def test_a_chunk_takes_as_many_statements_as_one_resource(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    product, buyer = period_product(), make_buyer()
    first = subscribed(term="1-month", at="2026-01-10", product=product, buyer=buyer)
    found = [subscribed(term="1-month", at="2026-01-10", product=product, buyer=buyer).resource.pk for _ in range(25)]
    at = moment("2026-02-11T00:00:00+08:00")

    def statements(ids: list[int]) -> int:
        with guard.opened("test"), django_assert_max_num_queries(40) as asked:
            life.advance_due(ids, at)
        return len(asked)

    assert statements(found) <= statements([first.resource.pk]) + 4
    assert set(Resource.objects.values_list("status", flat=True)) == {ResourceStatus.GRACE}
    assert Message.objects.filter(kind="resource_in_grace").count() == 26


@pytest.mark.parametrize(
    ("status", "due"),
    [("enabled", "2026-02-11"), ("grace", "2026-02-26"), ("retention", "2026-03-13")],
)
def test_the_migration_gives_resources_that_were_there_before_their_due_columns(status: str, due: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    wanted = owned.resource.notice_due_at
    with guard.opened("test"):
        Resource.objects.update(status=status, life_due_at=None, notice_due_at=None)
        with clock.at(owned.now), connection.schema_editor(atomic=False) as editor:
            import_module("orders.migrations.0008_due_columns").fill(apps, editor)
    owned.resource.refresh_from_db()
    assert owned.resource.life_due_at == moment(f"{due}T00:00:00+08:00")
    assert owned.resource.notice_due_at == (wanted if status == "enabled" else None)


def test_orders_of_nobody_are_touched() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    before = Order.objects.count()
    owned.at("2026-04-01")
    assert Order.objects.count() == before
    assert datetime.fromisoformat("2026-03-13T00:00:00+08:00") == owned.resource.closed_at
