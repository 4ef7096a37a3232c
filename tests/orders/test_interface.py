"""Calls to sellers' servers: one worker at a time, replay, debug, and products whose server fails for days."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from catalog.models import Product
from catalog.states import ProductState
from koogallery.identity.models import User
from koogallery.identity.states import SellerRole
from koogallery.kernel import guard, pages, rehearsal
from koogallery.kernel.calls import Role
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import InterfaceAttempt, InterfaceCall, Order, Resource
from orders.operations import debugging, interface_calls, provisioning, resources
from orders.rules.trying import CREATION, INFORMATION, LATER, schedule_of
from orders.states import CallState, OrderState
from tests.factories import catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")


def seller_of(product: Product) -> Persona:
    return Persona(User.objects.get(account=product.seller.account), Role.SELLER)


def in_threads(count: int, work: Callable[[], Any]) -> None:
    faults: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        try:
            barrier.wait()
            work()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


class Watch:
    """Slows a server down and counts how many requests of one order it works on at once."""

    def __init__(self, server: ExampleSeller, seconds: float) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.most_of_all = 0
        self.lock = threading.Lock()
        self.receive, self.seconds = server.receive, seconds
        server.receive = self.slowly  # type: ignore[method-assign]

    def slowly(self, **request: Any) -> Any:
        order = str(request["params"].get("orderId") or request["params"].get("instanceId"))
        with self.lock:
            self.now[order] += 1
            self.most[order] = max(self.most[order], self.now[order])
            self.most_of_all = max(self.most_of_all, self.now.total())
        time.sleep(self.seconds)
        try:
            return self.receive(**request)
        finally:
            with self.lock:
                self.now[order] -= 1


@pytest.mark.django_db(transaction=True)
def test_four_workers_ask_each_server_once_and_make_each_resource_once(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    bought = [orders.bought(buyer, app, at=AT, quantity="1", term="1-month") for _ in range(6)]
    watch = Watch(server, 0.2)
    in_threads(4, lambda: interface_calls.run_due(AT))

    assert Counter(call.params["orderId"] for call in server.calls_of("newInstance")) == {
        order.number: 1 for order in bought
    }
    assert set(watch.most.values()) == {1}
    assert Resource.objects.count() == 6
    assert set(Order.objects.values_list("state", flat=True)) == {OrderState.COMPLETED}


@pytest.mark.django_db(transaction=True)
def test_a_clock_advanced_past_the_lease_still_lets_nobody_ask_twice_at_once(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    order = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    watch = Watch(server, 0.6)
    worker = threading.Thread(target=lambda: (interface_calls.run_due(AT), connection.close()))
    worker.start()
    while not watch.now[order.number]:
        time.sleep(0.01)
    rehearsal.walk(AT + timedelta(minutes=10), start=AT)
    worker.join()

    assert watch.most[order.number] == 1
    assert len(server.calls_of("newInstance")) == 1
    order.refresh_from_db()
    assert order.state == OrderState.COMPLETED
    assert Resource.objects.count() == 1


@pytest.mark.django_db
def test_many_calls_are_made_side_by_side(buyer: Persona, app: Product, server: ExampleSeller) -> None:
    for _ in range(8):
        orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    watch = Watch(server, 0.5)
    interface_calls.run_due(AT)
    assert watch.most_of_all >= 4
    assert Resource.objects.count() == 8


@pytest.mark.django_db
def test_one_call_that_cannot_be_recorded_does_not_stop_the_others(
    buyer: Persona, app: Product, server: ExampleSeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    good = orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    made = provisioning.make_ready

    def fail(call: Any, order: Order, *args: Any, **kwargs: Any) -> Any:
        if order.number == broken.number:
            raise RuntimeError("a fault")
        return made(call, order, *args, **kwargs)

    monkeypatch.setattr(provisioning, "make_ready", fail)
    rehearsal.walk(AT, start=AT)
    assert Order.objects.get(number=good.number).state == OrderState.COMPLETED
    assert Order.objects.get(number=broken.number).state == OrderState.PROCESSING
    monkeypatch.undo()
    rehearsal.walk(AT + timedelta(minutes=2), start=AT)
    assert Order.objects.get(number=broken.number).state == OrderState.COMPLETED
    assert len(server.instances) == 2


@pytest.mark.django_db
def test_one_call_that_cannot_even_be_parked_does_not_stop_the_others(
    buyer: Persona, app: Product, server: ExampleSeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fail("000100")
    for _ in range(3):
        orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    broken = InterfaceCall.objects.earliest("pk")
    do = {"give_up": interface_calls.give_up, "park": interface_calls.park}

    def failing(name: str) -> Callable[..., Any]:
        def work(call: Any, *, interface_call: str) -> Any:
            if interface_call == broken.number:
                raise RuntimeError("a fault")
            return do[name](call, interface_call=interface_call)

        return work

    for name in do:
        monkeypatch.setattr(interface_calls, name, failing(name))
    with guard.opened("test"):
        InterfaceCall.objects.update(tries=1)
    late = AT + CREATION.window
    assert interface_calls.run_due(late) == 3
    ended = InterfaceCall.objects.filter(state=CallState.GIVEN_UP)
    assert ended.count() == 2
    broken.refresh_from_db()
    assert (broken.state, broken.next_try_at) == (CallState.WAITING, late + interface_calls.LEASE)


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["", "500"])
def test_a_call_that_no_worker_made_in_time_is_still_made_once(
    buyer: Persona, app: Product, server: ExampleSeller, fault: str
) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    server.fail(fault) if fault else server.recover()
    late = AT + timedelta(days=1)
    for _ in range(3):
        interface_calls.run_due(late)
    call = InterfaceCall.objects.get(activity="newInstance")
    state = CallState.GIVEN_UP if fault else CallState.DONE
    assert (call.state, call.tries, call.finished_at, len(server.instances)) == (state, 1, late, 0 if fault else 1)


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["build_request", "call_seller"])
def test_one_call_that_cannot_be_made_does_not_stop_the_others(
    buyer: Persona, app: Product, server: ExampleSeller, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    for _ in range(2):
        orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    real, turns = getattr(interface_calls, part), iter([True])

    def fail_once(**fields: Any) -> Any:
        if next(turns, False):
            raise RuntimeError("a fault")
        return real(**fields)

    monkeypatch.setattr(interface_calls, part, fail_once)
    interface_calls.run_due(AT)
    assert sorted(Order.objects.values_list("state", flat=True)) == [OrderState.COMPLETED, OrderState.PROCESSING]


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_not_got_leaves_none_behind(db: None) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('interface-call:2', 0))")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(OperationalError), interface_calls._alone([1, 2]):
            pass
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            assert cursor.fetchone() == (0,)
    finally:
        other.close()
        connection.close()


@pytest.mark.django_db
def test_a_release_that_fails_for_an_hour_is_parked_and_can_be_replayed(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    rehearsal.walk(AT + timedelta(minutes=1), start=AT)
    server.fail("500")
    resource = Resource.objects.get()
    at = AT + timedelta(minutes=5)
    resources.close_resource(buyer.call(at=at, key=pages.new_key()), resource=resource.number)
    rehearsal.walk(at + timedelta(hours=3), start=at)
    call = InterfaceCall.objects.get(activity="releaseInstance")
    assert (call.state, call.tries, call.finished_at) == (CallState.PARKED, 20, at + timedelta(hours=1))
    assert Message.objects.filter(kind="interface_call_failed").exists()

    server.recover()
    later = at + timedelta(hours=4)
    interface_calls.replay(seller_of(app).call(at=later, key=pages.new_key()), interface_call=call.number)
    rehearsal.walk(later, start=later)
    call.refresh_from_db()
    assert (call.state, call.replays) == (CallState.DONE, 1)
    assert server.instances[resource.instance_id].status == "RELEASED"


@pytest.mark.django_db
def test_a_call_that_succeeded_or_waits_cannot_be_replayed(buyer: Persona, app: Product) -> None:
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    number = InterfaceCall.objects.get().number
    seller = seller_of(app)
    with pytest.raises(Refused) as waiting:
        interface_calls.replay(seller.call(at=AT), interface_call=number)
    rehearsal.walk(AT, start=AT)
    with pytest.raises(Refused) as done:
        interface_calls.replay(seller.call(at=AT), interface_call=number)
    assert {waiting.value.code, done.value.code} == {"call_not_replayable"}


@pytest.mark.django_db
def test_another_seller_and_a_reading_colleague_cannot_replay(
    buyer: Persona, seller: Persona, app: Product, server: ExampleSeller
) -> None:
    server.fail("000100")
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    rehearsal.walk(AT, start=AT)
    call = InterfaceCall.objects.get()
    with pytest.raises(Missing):
        interface_calls.replay(seller.call(at=AT), interface_call=call.number)
    reader = seller_of(app)
    with guard.opened("test"):
        User.objects.filter(pk=reader.user.pk).update(is_root=False, seller_role=SellerRole.READ_ONLY)
    with pytest.raises(Refused) as refused:
        interface_calls.replay(reader.call(at=AT), interface_call=call.number)
    assert refused.value.code == "role_not_allowed"
    call.refresh_from_db()
    assert call.state == CallState.REFUSED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("activity", "parameters"),
    [
        ("newInstance", {"orderId": "MOCKPERIODYEARNEW", "orderLineId": "MOCKPERIODYEARNEW-000001"}),
        ("queryInstance", {"instanceId": "i"}),
        (
            "refreshInstance",
            {"instanceId": "i", "scene": "RENEWAL", "orderId": "o", "orderLineId": "l", "expireTime": "20991231235959"},
        ),
        ("updateInstanceStatus", {"instanceId": "i", "status": "FREEZE"}),
        ("releaseInstance", {"instanceId": "i"}),
        ("upgradeInstance", {"instanceId": "i", "orderId": "o", "orderLineId": "l"}),
        ("changeInstanceCheck", {"instanceId": "i"}),
    ],
)
def test_every_activity_can_be_debugged_once_with_the_test_flag(
    app: Product, server: ExampleSeller, activity: str, parameters: dict[str, str]
) -> None:
    call = debugging.debug(
        seller_of(app).call(at=AT, key=pages.new_key()), product=app.code, activity=activity, parameters=parameters
    )
    rehearsal.walk(AT + timedelta(hours=2), start=AT)
    assert [sent.params["testFlag"] for sent in server.calls] == ["1"]
    assert server.calls[0].verified and server.calls[0].activity == activity
    call.refresh_from_db()
    assert call.tries == 1
    assert call.state == (CallState.DONE if activity == "newInstance" else CallState.GIVEN_UP)
    assert not Resource.objects.exists()


@pytest.mark.django_db
def test_a_debug_that_cannot_be_asked_is_refused(app: Product) -> None:
    call = seller_of(app).call(at=AT)
    for activity, parameters, code in (
        ("makeCoffee", {}, "activity_unknown"),
        ("queryInstance", {}, "debug_parameters"),
        ("queryInstance", {"instanceId": "i", "colour": "red"}, "debug_parameters"),
    ):
        with pytest.raises(Refused) as refused:
            debugging.debug(call, product=app.code, activity=activity, parameters=parameters)
        assert refused.value.code == code
    assert not InterfaceCall.objects.exists()


@pytest.mark.django_db
def test_only_the_seller_of_a_product_debugs_it(app: Product, seller: Persona) -> None:
    with pytest.raises(Missing):
        debugging.debug(seller.call(at=AT), product=app.code, activity="queryInstance", parameters={"instanceId": "i"})


def fail_daily(buyer: Persona, app: Product, server: ExampleSeller, days: int) -> datetime:
    """Let a purchase fail on each of so many days; the midnight after them."""
    server.fail("500")
    midnight = datetime.fromisoformat("2026-03-10T00:00:00+08:00")
    for day in range(days):
        at = midnight + timedelta(days=day, hours=10)
        orders.bought(buyer, app, at=at, quantity="1", term="1-month")
        interface_calls.run_due(at)
    return midnight + timedelta(days=days)


@pytest.mark.django_db
def test_five_failing_days_take_a_product_off_sale_until_a_debug_passes(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    end = fail_daily(buyer, app, server, 5)
    assert debugging.suspend_failing(end + timedelta(minutes=5)) == 1
    app.refresh_from_db()
    assert app.state == ProductState.SUSPENDED
    assert Message.objects.filter(kind="product_suspended", user__account=app.seller.account).exists()
    with pytest.raises(Refused):
        orders.place(buyer, app, at=end)

    seller = seller_of(app)
    debugging.debug(seller.call(at=end), product=app.code, activity="releaseInstance", parameters={"instanceId": "i"})
    interface_calls.run_due(end)
    app.refresh_from_db()
    assert app.state == ProductState.SUSPENDED, "a debug that fails changes nothing"

    server.recover()
    debugging.debug(
        seller.call(at=end),
        product=app.code,
        activity="newInstance",
        parameters={"orderId": "MOCKONETIMENEW", "orderLineId": "MOCKONETIMENEW-000001"},
    )
    interface_calls.run_due(end)
    app.refresh_from_db()
    assert app.state == ProductState.ON_SALE
    assert debugging.suspend_failing(end + timedelta(days=1, minutes=5)) == 0


@pytest.mark.django_db
def test_four_failing_days_or_one_answer_between_keep_a_product_on_sale(
    buyer: Persona, app: Product, server: ExampleSeller
) -> None:
    end = fail_daily(buyer, app, server, 4)
    assert debugging.suspend_failing(end + timedelta(minutes=5)) == 0
    server.fail("000100")
    orders.bought(buyer, app, at=end + timedelta(hours=10), quantity="1", term="1-month")
    interface_calls.run_due(end + timedelta(hours=10))
    assert debugging.suspend_failing(end + timedelta(days=1, minutes=5)) == 0
    app.refresh_from_db()
    assert app.state == ProductState.ON_SALE


@pytest.mark.django_db
def test_loopback_servers_are_not_called_where_the_settings_do_not_allow_it(
    buyer: Persona, app: Product, server: ExampleSeller, settings: Any
) -> None:
    settings.ALLOW_LOOPBACK_SELLERS = False
    orders.bought(buyer, app, at=AT, quantity="1", term="1-month")
    interface_calls.run_due(AT)
    assert InterfaceAttempt.objects.get().code == "address_refused"
    assert server.calls == []


@pytest.mark.django_db
def test_an_unreachable_server_is_an_answer_like_any_other(buyer: Persona, server: ExampleSeller) -> None:
    product = catalog.saas_product(interface_url="http://127.0.0.1:9/", interface_key=server.key)
    orders.bought(buyer, product, at=AT, quantity="1", term="1-month")
    interface_calls.run_due(AT)
    assert InterfaceAttempt.objects.get().code == "connection_failed"
    assert InterfaceCall.objects.get().next_try_at == AT + timedelta(minutes=3)


def test_creation_is_due_sixty_times() -> None:
    tries, at = [AT], AT
    while (at := CREATION.next_try(first=AT, after=at)) < AT + CREATION.window:
        tries.append(at)
    assert [(each - AT) // timedelta(minutes=1) for each in tries] == list(range(0, 180, 3))


def test_a_late_worker_comes_back_to_the_schedule() -> None:
    late = AT + timedelta(minutes=7, seconds=20)
    assert CREATION.next_try(first=AT, after=late) == AT + timedelta(minutes=9)
    assert LATER.next_try(first=AT, after=AT + timedelta(hours=5)) == AT + timedelta(hours=1)


def test_information_is_asked_for_often_at_first() -> None:
    assert INFORMATION.next_try(first=AT, after=AT + timedelta(minutes=5)) == AT + timedelta(minutes=6)
    assert INFORMATION.next_try(first=AT, after=AT + timedelta(minutes=61)) == AT + timedelta(minutes=75)


@pytest.mark.parametrize(
    ("activity", "test", "schedule"),
    [("newInstance", False, CREATION), ("releaseInstance", False, LATER), ("queryInstance", False, INFORMATION)],
)
def test_each_activity_has_its_schedule(activity: str, test: bool, schedule: Any) -> None:
    assert schedule_of(activity, test=test) is schedule
