"""Orders that end without delivery: by the buyer, by the clock, because delivery failed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from audit.models import Trace
from billing.models import Refund
from billing.operations.checking import check_ledger
from billing.queries import balance, order_money
from koogallery import clock
from koogallery.kernel import pages, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from orders.models import Order
from orders.operations import cancelling, completing
from orders.states import CancelReason, OrderState
from tests.factories import billing, catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
DUE = AT + timedelta(hours=24)

pytestmark = pytest.mark.django_db


def books_are_right() -> bool:
    return check_ledger(system_call()).clean_run


def cancel(persona: Persona, order: Order, *, at: datetime = AT) -> Order:
    return cancelling.cancel_order(persona.call(at=at, key=pages.new_key()), order=order.number)


def expire(at: datetime) -> int:
    return sweeps.sweeps["unpaid-orders"].run(at)


def test_a_buyer_cancels_an_unpaid_order_and_gets_its_place_back(rich: Persona) -> None:
    product = catalog.hardware_product(stock=1)
    order = orders.place(rich, product, at=AT)
    cancel(rich, order, at=AT + timedelta(minutes=1))
    order.refresh_from_db()
    product.refresh_from_db()
    assert (order.state, order.cancel_reason, order.canceled_at) == (
        OrderState.CANCELED,
        CancelReason.BUYER,
        AT + timedelta(minutes=1),
    )
    assert product.stock == 1
    trace = Trace.objects.get(trace_name="cancelOrder")
    assert (trace.resource_id, trace.trace_rating) == (order.number, "normal")


def test_a_canceled_trial_may_be_tried_again(rich: Persona) -> None:
    product = catalog.saas_product(trial_days=14)
    order = orders.place(rich, product, at=AT, trial="1")
    cancelling.cancel_undeliverable(system_call(at=AT), order=order.number, reason="no answer")
    assert orders.place(rich, product, at=AT, trial="1").state == OrderState.PROCESSING


def test_only_unpaid_orders_are_canceled_by_their_buyer(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product(), at=AT)
    with pytest.raises(Refused) as caught:
        cancel(rich, order)
    assert caught.value.code == "order_not_cancelable"
    with pytest.raises(Refused):
        cancel(rich, orders.place(rich, catalog.saas_product(), at=AT), at=DUE)


def test_a_stranger_cannot_cancel_and_a_clerk_is_denied(rich: Persona, clerk: Persona, stranger: Persona) -> None:
    order = orders.place(rich, catalog.saas_product(), at=AT)
    with pytest.raises(Missing):
        cancel(stranger, order)
    with pytest.raises(Refused) as caught:
        cancel(clerk, order)
    assert caught.value.code == "iam_denied"
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT


def test_unpaid_orders_expire_once_dated_at_their_deadline(rich: Persona) -> None:
    product = catalog.hardware_product(stock=4)
    late = [orders.place(rich, product, at=AT) for _ in range(3)]
    young = orders.place(rich, product, at=AT + timedelta(seconds=1))
    assert sweeps.sweeps["unpaid-orders"].next_due() == DUE
    assert expire(DUE - timedelta(seconds=1)) == 0
    with clock.at(DUE):
        assert expire(DUE) == 3
        assert expire(DUE) == 0
    for order in late:
        order.refresh_from_db()
        assert (order.state, order.canceled_at, order.cancel_reason) == (
            OrderState.CANCELED,
            DUE,
            CancelReason.UNPAID,
        )
        assert orders.steps(order) == ["placed", "canceled"]
        trace = Trace.objects.get(trace_name="expireOrder", resource_id=order.number)
        assert (trace.trace_type, trace.account_id, trace.time) == ("SystemAction", rich.account.pk, DUE)
        assert Message.objects.filter(kind="order_expired", link__contains=order.number).count() == 1
    young.refresh_from_db()
    product.refresh_from_db()
    assert young.state == OrderState.PENDING_PAYMENT
    assert product.stock == 3


def test_an_overdue_order_holds_no_stock_before_the_sweep_has_run(rich: Persona, stranger: Persona) -> None:
    billing.fund(stranger.account, 1000)
    product = catalog.hardware_product(stock=1)
    late = orders.place(rich, product, at=AT)
    with pytest.raises(Refused) as caught:
        orders.place(stranger, product, at=DUE - timedelta(seconds=1))
    assert caught.value.code == "sold_out"
    orders.place(stranger, product, at=DUE)
    late.refresh_from_db()
    product.refresh_from_db()
    assert (late.state, late.canceled_at, product.stock) == (OrderState.CANCELED, DUE, 0)
    trace = Trace.objects.get(trace_name="expireOrder", resource_id=late.number)
    assert (trace.trace_type, trace.account_id) == ("SystemAction", rich.account.pk)
    assert expire(DUE) == 0


def test_expiring_costs_the_same_statements_for_one_and_for_thirty(
    rich: Persona, django_assert_max_num_queries: object
) -> None:
    product = catalog.content_product()
    for _ in range(30):
        orders.place(rich, product, at=AT)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        assert expire(DUE) == 30


def test_an_undeliverable_order_is_refunded_once_and_the_buyer_is_told(rich: Persona) -> None:
    before = balance(rich.account.pk)
    order = orders.bought(rich, catalog.saas_product(), at=AT, funds=10)
    call = system_call(at=AT + timedelta(hours=3))
    for _ in range(2):
        cancelling.cancel_undeliverable(call, order=order.number, reason="The seller's server did not answer.")
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, CancelReason.UNDELIVERABLE)
    assert order.cancel_note == "The seller's server did not answer."
    assert Refund.objects.count() == 1
    money = order_money(order.number)
    assert (str(money.held), str(money.refunded)) == ("USD 0.00", "USD 10.00")
    assert balance(rich.account.pk).amount == before.amount + 10
    told = Message.objects.get(kind="order_undeliverable")
    for part in ("did not answer", "USD 10.00", "3 hours", order.seller.email):
        assert part in told.body
    assert books_are_right()


def test_a_completed_order_is_never_canceled(rich: Persona) -> None:
    order = orders.bought(rich, catalog.content_product(), at=AT)
    with pytest.raises(Refused) as caught:
        cancelling.cancel_undeliverable(system_call(at=AT), order=order.number, reason="late")
    assert caught.value.code == "state_move"
    assert not Refund.objects.exists()


def test_completing_twice_is_refused_and_earns_once(rich: Persona) -> None:
    order = orders.bought(rich, catalog.saas_product(), at=AT)
    completing.complete(system_call(at=AT), order=order.number)
    with pytest.raises(Refused):
        completing.complete(system_call(at=AT), order=order.number)
    assert str(order_money(order.number).earned) == "USD 10.00"
