"""kill -9 in the middle of paying and of delivering loses nothing and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from billing import queries as billing_queries
from billing.models import Payment, Refund
from billing.operations.checking import check_ledger
from catalog.models import Product
from koogallery import clock
from koogallery.kernel import rehearsal
from koogallery.kernel.calls import system_call
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Order, Resource
from orders.states import CallState, OrderState
from tests.factories import billing, orders
from tests.orders.killed import AT
from tests.personas import Persona

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait at most a minute."""
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.02)


def kill_at(environment: dict[str, str], *arguments: str, asked: ExampleSeller | None = None) -> None:
    """Start the process, wait for its moment (or until `asked` has a request of it), and kill it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.orders.killed", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            if asked is None:
                assert process.stdout.readline() == "here\n"
            else:
                wait_until(lambda: bool(asked.calls))
        finally:
            os.kill(process.pid, signal.SIGKILL)


def assert_delivered_once(order: Order, server: ExampleSeller) -> None:
    order.refresh_from_db()
    assert order.state == OrderState.COMPLETED
    assert Resource.objects.filter(order_number=order.number).count() == 1
    assert Resource.objects.get().instance_id == server.instance_of(order.number).instance_id  # type: ignore[union-attr]
    assert len(server.instances) == 1
    assert Payment.objects.count() == 1
    money = billing_queries.order_money(order.number)
    assert (money.paid.amount, money.held.amount, money.earned.amount) == (Decimal(50), Decimal(0), Decimal(50))
    assert not Refund.objects.exists()
    assert InterfaceCall.objects.count() == 2
    assert sorted(order.events.values_list("step", flat=True)) == sorted(
        set(order.events.values_list("step", flat=True))
    )
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize("moment", ["claimed", "asking", "answered", "recording", "recorded"])
def test_a_worker_killed_while_delivering_is_made_good_by_the_next(
    buyer: Persona, app: Product, server: ExampleSeller, process_environment: dict[str, str], moment: str
) -> None:
    order = orders.bought(buyer, app, at=AT, funds=50, quantity="5", term="1-month")
    if moment == "asking":
        server.fail("timeout", times=1)
    kill_at(process_environment, "deliver", moment, "0", asked=server if moment == "asking" else None)
    if moment != "recorded":
        order.refresh_from_db()
        assert order.state == OrderState.PROCESSING

    rehearsal.walk(AT + timedelta(minutes=5), start=AT)

    assert_delivered_once(order, server)


def test_a_worker_killed_while_giving_up_refunds_once(
    buyer: Persona, app: Product, server: ExampleSeller, process_environment: dict[str, str]
) -> None:
    server.fail("000005")
    order = orders.bought(buyer, app, at=AT, funds=50, quantity="5", term="1-month")
    rehearsal.walk(AT + timedelta(minutes=179), start=AT)
    kill_at(process_environment, "deliver", "giving up", "180")
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    assert not Refund.objects.exists()

    rehearsal.walk(AT + timedelta(minutes=190), start=AT + timedelta(minutes=179))

    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert order.canceled_at == AT + timedelta(minutes=180)
    assert Refund.objects.count() == 1
    assert billing_queries.balance(buyer.account.pk).amount == Decimal(50)
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize("moment", ["posting", "paid"])
def test_a_process_killed_while_paying_has_paid_once_or_not_at_all(
    buyer: Persona, app: Product, server: ExampleSeller, process_environment: dict[str, str], moment: str
) -> None:
    billing.fund(buyer.account, 50)
    order = orders.place(buyer, app, at=AT, quantity="5", term="1-month")
    kill_at(process_environment, "pay", order.number, str(buyer.user.pk), moment)

    order.refresh_from_db()
    if moment == "posting":
        assert order.state == OrderState.PENDING_PAYMENT
        assert billing_queries.balance(buyer.account.pk).amount == Decimal(50)
        assert not InterfaceCall.objects.exists()
    else:
        assert order.state == OrderState.PROCESSING
    orders.pay(buyer, order, at=AT, key="killed-payment")
    rehearsal.walk(AT + timedelta(minutes=5), start=AT)

    assert_delivered_once(order, server)
    assert billing_queries.balance(buyer.account.pk).amount == Decimal(0)


def test_a_celery_worker_is_hinted_after_payment_and_its_death_in_a_call_loses_nothing(
    buyer: Persona, app: Product, server: ExampleSeller, process_environment: dict[str, str]
) -> None:
    server.fail("timeout", times=1)
    order = orders.bought(buyer, app, funds=50, quantity="5", term="1-month")
    command = [sys.executable, "-m", "celery", "-A", "koogallery", "worker", "--pool=threads", "-c", "2", "-l", "ERROR"]
    with subprocess.Popen(command, env=process_environment, start_new_session=True) as worker:
        try:
            wait_until(lambda: bool(server.calls))
        finally:
            os.kill(worker.pid, signal.SIGKILL)
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING

    now = clock.now()
    rehearsal.walk(now + timedelta(minutes=5), start=now)

    assert_delivered_once(order, server)


def test_a_celery_worker_delivers_what_was_paid(
    buyer: Persona, app: Product, server: ExampleSeller, process_environment: dict[str, str]
) -> None:
    order = orders.bought(buyer, app, funds=50, quantity="5", term="1-month")
    command = [sys.executable, "-m", "celery", "-A", "koogallery", "worker", "--pool=threads", "-c", "2", "-l", "ERROR"]
    with subprocess.Popen(command, env=process_environment, start_new_session=True) as worker:
        try:
            wait_until(lambda: InterfaceCall.objects.filter(activity="queryInstance", state=CallState.DONE).exists())
        finally:
            worker.terminate()
            worker.wait(30)
    assert_delivered_once(order, server)
    assert Resource.objects.get().info_at is not None
