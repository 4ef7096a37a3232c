"""Random walks of buyer, card, seller, operator and clock: after every step the books and the states are right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.operations import settling_cards
from billing.operations.checking import check_ledger
from billing.queries import order_money
from koogallery import clock
from koogallery.kernel import pages, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from orders.models import Order
from orders.operations import cancelling, card_paying, completing
from orders.states import ORDER_MOVES, OrderState
from tests.factories import billing, catalog, orders
from tests.personas import Persona

START = datetime.fromisoformat("2026-03-10T23:59:59+08:00")

pytestmark = pytest.mark.django_db


class OrderWalk(RuleBasedStateMachine):
    """Whatever is done in whatever order, an order moves only as its table allows and no money is lost or doubled."""

    placed = Bundle("placed")
    buyer: Persona

    @initialize()
    def begin(self) -> None:
        self.at = START
        self.product = catalog.hardware_product(stock=3, indexed=False)
        self.saas = catalog.saas_product(indexed=False)
        self.seen: dict[str, str] = {}

    def do(self, work: Any) -> Any:
        """The answer, or None when it was refused; a refusal changes nothing."""
        before = list(Order.objects.order_by("pk").values_list("number", "state"))
        try:
            with clock.at(self.at):
                return work()
        except Refused:
            assert list(Order.objects.order_by("pk").values_list("number", "state")) == before
            return None

    @rule(target=placed, hardware=st.booleans(), items=st.integers(1, 2))
    def place(self, hardware: bool, items: int) -> Any:
        product = self.product if hardware else self.saas
        data = {"items": str(items)} if hardware else {}
        return self.do(lambda: orders.place(self.buyer, product, at=self.at, **data))

    @rule(order=placed, method=st.sampled_from(["balance", "credit"]))
    def pay(self, order: Order | None, method: str) -> None:
        if order is not None:
            self.do(lambda: orders.pay(self.buyer, order, at=self.at, method=method))

    @rule(order=placed, token=st.sampled_from(["sandbox-approved", "sandbox-declined", "sandbox-timeout"]))
    def pay_by_card(self, order: Order | None, token: str) -> None:
        if order is None:
            return
        card = billing.card(self.buyer.account, token=token)
        call = self.buyer.call(at=self.at, key=pages.new_key())
        self.do(lambda: card_paying.pay_by_card(call, order_number=order.number, card=card.code))

    @rule(order=placed)
    def cancel(self, order: Order | None) -> None:
        if order is not None:
            call = self.buyer.call(at=self.at, key=pages.new_key())
            self.do(lambda: cancelling.cancel_order(call, order=order.number))

    @rule(order=placed)
    def deliver(self, order: Order | None) -> None:
        if order is not None:
            self.do(lambda: completing.complete(system_call(at=self.at), order=order.number))

    @rule(order=placed)
    def fail_to_deliver(self, order: Order | None) -> None:
        fresh = Order.objects.filter(pk=order.pk).first() if order else None
        if fresh is not None and fresh.state != OrderState.PENDING_PAYMENT:
            call = system_call(at=self.at)
            self.do(lambda: cancelling.cancel_undeliverable(call, order=fresh.number, reason="no answer"))

    @rule(hours=st.sampled_from([1, 12, 24]))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        with clock.at(self.at):
            settling_cards.settle_payments(self.at)
            sweeps.sweeps["unpaid-orders"].run(self.at)

    @invariant()
    def states_move_only_as_their_table_allows(self) -> None:
        for number, state in Order.objects.values_list("number", "state"):
            before = self.seen.get(number, OrderState.PENDING_PAYMENT)
            if before != state:
                steps = {OrderState(before)}
                for _ in range(3):
                    steps |= {after for step in steps for after in ORDER_MOVES.after(step)}
                assert OrderState(state) in steps
            self.seen[number] = state

    @invariant()
    def the_money_of_every_order_is_where_its_state_says(self) -> None:
        for order in Order.objects.all():
            money = order_money(order.number)
            if order.state == OrderState.PROCESSING:
                assert money.held == money.paid == order.total
            elif order.state == OrderState.COMPLETED:
                assert money.earned == money.paid == order.total
            else:
                assert money.held.amount == money.earned.amount == 0
                assert money.refunded == money.paid

    @invariant()
    def the_books_agree(self) -> None:
        assert check_ledger(system_call(at=START)).clean_run

    @invariant()
    def the_stock_is_what_live_orders_left(self) -> None:
        if not hasattr(self, "product"):
            return
        self.product.refresh_from_db()
        live = Order.objects.filter(product=self.product).exclude(state=OrderState.CANCELED)
        assert self.product.stock == 3 - sum(order.line.items for order in live)


def test_no_walk_breaks_the_books(rich: Persona) -> None:
    billing.grant(rich.account, 500)

    class Walk(OrderWalk):
        buyer = rich

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=8, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
