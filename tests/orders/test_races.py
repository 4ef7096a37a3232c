"""Twenty at once: one order, one payment, one last piece, no limit passed, no deadlock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction

from audit.models import Trace
from billing.models import Charge, Payment
from billing.operations import paying as billing_paying
from billing.operations import settling_cards
from billing.operations.checking import check_ledger
from billing.queries import balance
from catalog.models import Product
from catalog.operations import stock
from catalog.operations.popularity import set_popularity
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from orders.models import Order
from orders.operations import cancelling, card_paying
from orders.queries.orders import order_locked
from orders.states import OrderState
from tests.factories import billing, catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
MANY = 20

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[int], object], count: int = MANY) -> list[object]:
    """Let `count` threads begin together; what each answered: a result, or the code of its refusal."""
    barrier = threading.Barrier(count)
    answers: list[object] = [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = work(number)
        except Refused as refused:
            answers[number] = refused.code
        except Exception as fault:
            answers[number] = fault
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    faults = [answer for answer in answers if isinstance(answer, Exception) or answer is None]
    assert not faults, faults
    return answers


@pytest.mark.parametrize("same_form", [True, False])
def test_twenty_submissions_of_one_quote_make_one_order(rich: Persona, same_form: bool) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    answers = at_once(
        lambda number: (
            orders.place(
                rich, product, at=AT, signed=signed, key="form-key-0001" if same_form else pages.new_key()
            ).number
        )
    )
    assert len(set(answers)) == 1
    assert Order.objects.count() == 1


@pytest.mark.parametrize("same_form", [True, False])
def test_twenty_payments_of_one_order_pay_once(rich: Persona, same_form: bool) -> None:
    order = orders.place(rich, catalog.saas_product(), at=AT)
    answers = at_once(
        lambda number: orders.pay(rich, order, at=AT, key="form-key-0001" if same_form else pages.new_key()).number
    )
    expected = {order.number} if same_form else {order.number, "order_already_paid"}
    assert set(answers) == expected
    assert Payment.objects.count() == Charge.objects.count() == 1
    assert balance(rich.account.pk).amount == Decimal("9990.00")


def test_the_last_piece_is_sold_once(db: None) -> None:
    product = catalog.hardware_product(stock=3)
    buyers = [make_rich(number) for number in range(8)]
    answers = at_once(lambda number: orders.place(buyers[number], product, at=AT).number, count=8)
    product.refresh_from_db()
    assert product.stock == 0
    assert answers.count("sold_out") == 5
    assert Order.objects.count() == 3


def make_rich(number: int) -> Persona:
    from tests.personas import make_buyer

    persona = make_buyer(name=f"rich{number}")
    billing.fund(persona.account, 1000)
    return persona


def test_a_limit_is_never_passed(rich: Persona) -> None:
    product = catalog.content_product(limit_per_account=3)
    answers = at_once(lambda number: orders.place(rich, product, at=AT).number, count=10)
    assert answers.count("limit_per_account") == 7
    assert Order.objects.count() == 3


def test_one_trial_and_one_at_a_time(rich: Persona) -> None:
    product = catalog.saas_product(trial_days=7)
    answers = at_once(lambda number: orders.place(rich, product, at=AT, trial="1").number, count=10)
    assert answers.count("trial_used") == 9
    single = catalog.saas_product(one_at_a_time=True)
    answers = at_once(lambda number: orders.place(rich, single, at=AT).number, count=10)
    assert answers.count("one_at_a_time") == 9


def test_paying_canceling_and_expiring_at_once_leave_one_end(rich: Persona) -> None:
    product = catalog.hardware_product(stock=10)
    placed = [orders.place(rich, product, at=AT) for _ in range(4)]

    def act(number: int) -> object:
        order = placed[number % 4]
        if number < 4:
            return orders.pay(rich, order, at=AT).state
        call = rich.call(at=AT, key=pages.new_key())
        return cancelling.cancel_order(call, order=order.number).state

    at_once(act, count=8)
    states = [Order.objects.get(pk=order.pk).state for order in placed]
    assert OrderState.PENDING_PAYMENT not in states
    paid = [order for order in Order.objects.all() if order.paid_at]
    assert Payment.objects.count() == len(paid)
    product.refresh_from_db()
    assert product.stock == 10 - len(paid)
    assert check_ledger(system_call(at=AT)).clean_run


def test_two_sweeps_expire_each_order_once(rich: Persona) -> None:
    from datetime import timedelta

    from koogallery.kernel import sweeps

    product = catalog.content_product()
    for _ in range(6):
        orders.place(rich, product, at=AT)
    done = at_once(lambda number: sweeps.sweeps["unpaid-orders"].run(AT + timedelta(days=1)), count=4)
    assert sum(done) == 6  # type: ignore[arg-type]
    assert Trace.objects.filter(trace_name="expireOrder").count() == 6


def holding(lock: Callable[[], object], work: Callable[[], object], then: Callable[[], object]) -> None:
    """Hold `lock` while `work` runs into it elsewhere; `then` must find its own lock free, and `work` must finish."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        lock()
        thread.start()
        wait_for_a_waiter()
        then()
    thread.join(60)
    assert not faults, faults


def wait_for_a_waiter() -> None:
    """Until another connection to this database waits for a lock."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waited")


def test_popularity_locks_products_in_the_order_in_which_stock_is_given_back(db: None) -> None:
    first, second = catalog.hardware_product(), catalog.hardware_product()
    with guard.opened("test"):
        Product.objects.filter(pk=first.pk).update(summary="moved behind the second row")
    holding(
        lambda: stock.left_locked(product_code=first.code),
        lambda: set_popularity(system_call(at=AT), orders={first.code: 3, second.code: 4}),
        lambda: stock.left_locked(product_code=second.code),
    )
    assert dict(Product.objects.values_list("code", "popularity")) == {first.code: 3, second.code: 4}


@pytest.mark.parametrize("by_sweep", [False, True])
def test_a_card_payment_is_locked_after_its_order(rich: Persona, by_sweep: bool) -> None:
    order = orders.place(rich, catalog.saas_product(), at=AT)
    card = billing.card(rich.account)
    payment = card_paying.start_card_payment(rich.call(at=AT, key=pages.new_key()), order=order.number, card=card.code)
    billing_paying.ask_gateway(payment, at=AT)
    call = system_call(at=AT)
    settle = settling_cards.settle_payment if by_sweep else card_paying.confirm_card_payment
    holding(
        lambda: order_locked(call, order.number),
        lambda: settle(call, payment=payment.number),
        lambda: billing_paying.payment_locked(call, payment.number),
    )
    order.refresh_from_db()
    assert order.state == OrderState.PROCESSING
    assert Charge.objects.count() == 1


def test_a_payment_that_has_ended_is_told_without_a_lock(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product(), at=AT)
    card = billing.card(rich.account)
    payment = card_paying.pay_by_card(rich.call(at=AT, key=pages.new_key()), order_number=order.number, card=card.code)
    call = system_call(at=AT)
    told: list[str] = []
    with transaction.atomic():
        order_locked(call, order.number)
        billing_paying.payment_locked(call, payment.number)
        thread = threading.Thread(
            target=lambda: (
                told.append(card_paying.confirm_card_payment(call, payment=payment.number).state),
                told.append(settling_cards.settle_payment(call, payment=payment.number).state),
                connection.close(),
            )
        )
        thread.start()
        thread.join(10)
        assert told == ["succeeded", "succeeded"]
