"""Renewal jobs at once, owners beside them, workers killed in between: one charge per resource and term."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing.models import Charge, Payment
from billing.operations.checking import check_ledger
from billing.queries import balance
from koogallery.kernel import pages, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import SweepFailure
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.models import AutoRenewal, Order, RenewalChange, Resource, ResourceTerm
from orders.operations import auto_renewing, renewing_many, resources
from orders.queries.orders import order_locked
from orders.states import OrderState, ResourceStatus
from tests.factories import billing, catalog
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.orders.test_races import at_once
from tests.personas import make_buyer

DUE = moment("2026-02-03T03:00:00+08:00")

pytestmark = pytest.mark.django_db(transaction=True)


def owned_many(count: int, *, method: str = "balance", funds: int = 100) -> list[Owned]:
    """Resources of one account that renew themselves at `DUE`."""
    buyer, product = make_buyer(), period_product()
    found = [
        subscribed(term="1-month", at="2026-01-10", buyer=buyer, product=product, funds=funds) for _ in range(count)
    ]
    chosen = f"card:{billing.card(found[0].resource.account).code}" if method == "card" else method
    for owned in found:
        owned.automate(method=chosen)
    return found


def assert_renewed_once(found: list[Owned]) -> None:
    """Each has one further term, paid once; the books agree; nobody was told twice."""
    for owned in found:
        owned.resource.refresh_from_db()
        assert owned.expires == "2026-03-10"
        assert ResourceTerm.objects.filter(resource=owned.resource).count() == 2
        (order,) = Order.objects.filter(type="RENEW", lines__resource=owned.resource, state=OrderState.COMPLETED)
        assert Payment.objects.filter(order_number=order.number, state="succeeded").count() == 1
        assert Charge.objects.filter(order_number=order.number).count() == 1
        assert Message.objects.filter(kind="resource_renewed", params__resource=owned.resource.number).count() == 1
    assert check_ledger(system_call(at=DUE)).findings == []
    assert not SweepFailure.objects.exists()


def run(name: str) -> int:
    return sweeps.sweeps[name].run(DUE)


@pytest.mark.parametrize("method", ["balance", "card"])
def test_four_jobs_and_a_beat_that_ticks_twice_charge_each_once(method: str) -> None:
    found = owned_many(12, method=method)
    done = at_once(lambda number: run("auto-renewals") if number < 4 else sweeps.tick(DUE), count=6)
    assert len(done) == 6
    sweeps.tick(DUE + timedelta(minutes=1))
    assert_renewed_once(found)
    spent = 12 * 10 + (12 * 10 if method == "balance" else 0)
    assert balance(found[0].resource.account_id).amount == Decimal(12 * 100 - spent)


def test_four_processes_charge_each_once(process_environment: dict[str, str]) -> None:
    found = owned_many(20)
    command = [sys.executable, "-m", "tests.orders.killed", "renew", "nothing"]
    workers = [subprocess.Popen(command, env=process_environment) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0, 0]
    assert_renewed_once(found)


def refused_or(work: Callable[[], object]) -> object:
    try:
        return work()
    except Refused as refused:
        return refused.code


def test_an_owner_who_renews_while_it_is_tried_pays_for_a_term_once() -> None:
    (owned,) = owned_many(1, funds=1000)
    owned.now = DUE
    order = owned.place("1-month")

    def act(number: int) -> object:
        return run("auto-renewals") if number < 3 else refused_or(lambda: owned._pay(order, "balance"))

    at_once(act, count=4)
    for minutes in (1, 2, 3):
        sweeps.tick(DUE + timedelta(minutes=minutes))
    assert_renewed_once([owned])
    assert balance(owned.resource.account_id).amount == Decimal(980)


@pytest.mark.parametrize("action", ["disable", "close"])
def test_stopping_while_it_is_tried_leaves_a_whole_renewal_or_none(action: str) -> None:
    found = owned_many(6)

    def stop(owned: Owned) -> object:
        call = owned.buyer.call(at=DUE, key=pages.new_key())
        if action == "disable":
            return auto_renewing.disable(call, resource=owned.resource.number)
        return resources.close_resource(call, resource=owned.resource.number)

    at_once(lambda number: run("auto-renewals") if number >= 6 else refused_or(lambda: stop(found[number])), count=8)
    sweeps.tick(DUE + timedelta(minutes=1))
    for owned in found:
        owned.resource.refresh_from_db()
        renewed = Order.objects.filter(type="RENEW", lines__resource=owned.resource, state=OrderState.COMPLETED).count()
        assert ResourceTerm.objects.filter(resource=owned.resource).count() == 1 + renewed
        assert not AutoRenewal.objects.get(resource=owned.resource).enabled
        if action == "close":
            assert owned.resource.status == ResourceStatus.CLOSED
    assert check_ledger(system_call(at=DUE)).findings == []
    assert not SweepFailure.objects.exists()


def test_the_money_for_some_is_not_spent_twice() -> None:
    found = owned_many(8, funds=10)
    billing.fund(found[0].resource.account, 35)
    at_once(lambda number: run("auto-renewals"), count=4)
    assert Order.objects.filter(type="RENEW", state=OrderState.COMPLETED).count() == 3
    assert balance(found[0].resource.account_id).amount == Decimal(5)
    assert AutoRenewal.objects.filter(failure="autorenew_balance").count() == 5
    assert check_ledger(system_call(at=DUE)).findings == []


def test_two_life_sweeps_take_each_step_once() -> None:
    found = owned_many(8, funds=10)
    at = moment("2026-02-11T00:00:00+08:00")
    at_once(lambda number: sweeps.sweeps["resource-life"].run(at), count=4)
    assert set(Resource.objects.values_list("status", flat=True)) == {ResourceStatus.GRACE}
    assert Message.objects.filter(kind="resource_in_grace").count() == len(found)


def beside_its_holder(name: str, *, at: datetime, hold: Callable[[], object], act: Callable[[], object]) -> int:
    """Run a sweep while somebody holds a lock, then does what needs further ones; how many rows the sweep acted on."""
    swept = threading.Event()

    def holder() -> object:
        with transaction.atomic():
            hold()
            held.wait()
            swept.wait(1.5)
            return act()

    def sweeper() -> object:
        held.wait()
        try:
            return sweeps.sweeps[name].run(at)
        finally:
            swept.set()

    held = threading.Barrier(2)
    answers = at_once(lambda number: (holder, sweeper)[number](), count=2)
    return int(str(answers[1]))


def test_a_release_waits_for_nobody_who_pays_for_the_resource() -> None:
    owned = subscribed(term="1-month", at="2026-01-10").at("2026-03-12T12:00:00+08:00")
    order = owned.place("1-month")
    acted = beside_its_holder(
        "resource-life",
        at=moment("2026-03-13T00:00:00+08:00"),
        hold=lambda: order_locked(owned.buyer.call(at=owned.now), order.number),
        act=lambda: owned._pay(order, "balance"),
    )
    owned.resource.refresh_from_db()
    assert (acted, owned.resource.status, owned.expires) == (0, ResourceStatus.ENABLED, "2026-03-10")
    owned.at("2026-03-13")
    assert owned.resource.status == ResourceStatus.GRACE
    assert not SweepFailure.objects.exists()


def test_an_automatic_renewal_waits_for_nobody_who_pays_by_hand() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(days_before=0)
    owned.at("2026-02-10T02:00:00+08:00")
    order = owned.place("1-month")
    due = moment("2026-02-10T03:00:00+08:00")
    beside_its_holder(
        "auto-renewals",
        at=due,
        hold=lambda: order_locked(owned.buyer.call(at=due), order.number),
        act=lambda: owned._pay(order, "balance"),
    )
    owned.at("2026-02-10T04:00:00+08:00")
    assert owned.expires == "2026-03-10"
    assert [each.number for each in Order.objects.filter(type="RENEW", state="completed")] == [order.number]
    assert not SweepFailure.objects.exists()


def test_chunks_that_are_renewed_at_once_draw_their_numbers_under_different_letters() -> None:
    together = threading.Barrier(6)

    def numbers() -> list[str]:
        with transaction.atomic():
            drawn = renewing_many._free_numbers(DUE, 300)
            together.wait(20)
            return drawn

    chunks = [list(chunk) for chunk in at_once(lambda _number: numbers(), count=6)]  # type: ignore[call-overload]
    assert [len(set(chunk)) for chunk in chunks] == [300] * 6
    assert len({number[12] for chunk in chunks for number in chunk}) == 6
    assert {len(number) for number in chunks[0]} == {17}


def test_a_number_that_another_worker_draws_at_the_same_moment_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    found = owned_many(3)
    drawn, real = [], renewing_many._free_numbers

    def free_numbers(at: datetime, count: int) -> list[str]:
        drawn.append(count)
        taken = Order.objects.values_list("number", flat=True)[:1]
        return [*taken, *real(at, count - 1)] if len(drawn) == 1 else real(at, count)

    monkeypatch.setattr(renewing_many, "_free_numbers", free_numbers)
    run("auto-renewals")
    assert drawn == [3, 3]
    assert_renewed_once(found)


def test_a_change_that_takes_effect_waits_for_nobody_who_gives_it_up() -> None:
    product = period_product(
        quantity=("1", "9", "1"),
        plans=[catalog.plan(term_unit="month", model="linear", unit_price="10.00", lengths=[1])],
    )
    owned = subscribed(term="1-month", at="2026-01-10", product=product, quantity="2").at("2026-02-10T23:59:59+08:00")
    order = owned.renew("1-month", quantity="1")
    acted = beside_its_holder(
        "renewal-changes",
        at=moment("2026-02-11T00:00:00+08:00"),
        hold=lambda: order_locked(owned.buyer.call(at=owned.now), order.number),
        act=lambda: RenewalChange.objects.select_for_update().get(order=order),
    )
    assert acted == 0
    owned.at("2026-02-11T00:01:00+08:00")
    order.refresh_from_db()
    assert (order.state, owned.expires) == (OrderState.COMPLETED, "2026-03-10")
    assert not SweepFailure.objects.exists()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("method", "moment_of_death"),
    [
        ("balance", "decided"), ("balance", "written"), ("balance", "told"), ("balance", "paid"),
        ("balance", "committed"), ("card", "decided"), ("card", "paid"), ("card", "committed"),
    ],
)  # fmt: skip
def test_a_worker_killed_while_renewing_is_made_good_by_the_next(
    process_environment: dict[str, str], moment_of_death: str, method: str
) -> None:
    found = owned_many(5, method=method)
    kill_at(process_environment, "renew", moment_of_death if method == "balance" else f"card {moment_of_death}")
    if moment_of_death != "committed":
        assert not Order.objects.filter(type="RENEW").exists()
        assert balance(found[0].resource.account_id).amount == Decimal(5 * 90)
    sweeps.tick(DUE)
    sweeps.tick(DUE + timedelta(minutes=2))
    assert_renewed_once(found)


def kill_at(environment: dict[str, str], *arguments: str) -> None:
    """Start the process, wait for its moment, and kill it."""
    command = [sys.executable, "-m", "tests.orders.killed", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
        finally:
            os.kill(process.pid, signal.SIGKILL)
