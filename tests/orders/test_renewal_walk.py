"""Random walks of owner, money and clock over a resource that renews itself: terms, books and deadlines stay right.

They are a few short ones each time. To find the shortest way to a failure: KOOGALLERY_WALK_SHRINK=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.operations.checking import check_ledger
from billing.queries import order_money
from koogallery import clock
from koogallery.kernel import pages, policies, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import SweepFailure
from koogallery.kernel.reasons import Refused
from orders.models import AutoRenewal, Order, RenewalChange, Resource, ResourceTerm
from orders.operations import auto_renewing, paying, resources
from orders.states import ExpirationPolicy, OrderState, ResourceStatus
from tests.factories import billing, catalog
from tests.factories.subscriptions import Owned, funds_of, moment, period_product, subscribed

pytestmark = pytest.mark.django_db

SWEEPS = ("unpaid-orders", "renewal-changes", "auto-renewals", "resource-life", "expiry-notices")
SWEEPS += ("auto-renewal-preflights", "card-payments")


class RenewalWalk(RuleBasedStateMachine):
    """Whatever is done in whatever order: terms follow each other, each is paid once, deadlines are columns."""

    @initialize()
    def begin(self) -> None:
        self.before = transaction.savepoint()
        product = period_product(
            quantity=("1", "9", "1"),
            plans=[
                catalog.plan(term_unit="month", model="linear", unit_price="10.00", lengths=[1, 2, 3]),
                catalog.plan(term_unit="year", model="linear", unit_price="100.00", lengths=[1]),
            ],
        )
        self.owned: Owned = subscribed(term="1-month", at="2026-01-31", product=product, quantity="2", funds=60)
        self.card = billing.card(self.owned.resource.account)
        self.bad_card = billing.card(self.owned.resource.account, token="sandbox-declined", last_digits="0002")

    def teardown(self) -> None:
        """Each walk starts from the same rows."""
        if hasattr(self, "before"):
            transaction.savepoint_rollback(self.before)

    def do(self, work: Callable[[], object]) -> None:
        """Do it, or be refused; a refusal changes neither terms nor orders, but for one that waits for its payment."""
        before = self.state()
        try:
            with clock.at(self.owned.now):
                work()
        except Refused:
            assert self.state() == before
        self.owned.resource.refresh_from_db()

    def state(self) -> tuple[object, ...]:
        orders = Order.objects.exclude(state=OrderState.PENDING_PAYMENT).order_by("pk").values_list("number", "state")
        return list(orders), list(ResourceTerm.objects.values_list("start", "end")), self.owned.resource.status

    @rule(length=st.sampled_from(["1-month", "3-month", "1-year"]), pays=st.booleans())
    def renew(self, length: str, pays: bool) -> None:
        self.do(lambda: self.owned.renew(length) if pays else self.owned.place(length))

    @rule(quantity=st.sampled_from(["1", "3", "5"]), upon_renewal=st.booleans(), pays=st.booleans())
    def change(self, quantity: str, upon_renewal: bool, pays: bool) -> None:
        form = {"quantity": quantity} if upon_renewal else {"kind": "expansion", "quantity": quantity}
        length = "1-month" if upon_renewal else ""
        act = self.owned.renew if upon_renewal else lambda _length, **form: self.owned.change(**form)
        self.do(lambda: act(length, **form) if pays else self.owned.place(length, **form))

    @rule()
    def cancel_renewal(self) -> None:
        self.do(self.owned.cancel_renewal)

    @rule()
    def pay_what_waits(self) -> None:
        order = Order.objects.filter(state=OrderState.PENDING_PAYMENT).first()
        if order is not None:
            call = self.owned.buyer.call(at=self.owned.now, key=pages.new_key())
            self.do(lambda: paying.pay_order(call, order=order.number, method="balance"))

    @rule(
        method=st.sampled_from(["balance", "card", "declined"]),
        times=st.sampled_from([None, 1, 2]),
        days_before=st.sampled_from([0, 3, 7]),
    )
    def automate(self, method: str, times: int | None, days_before: int) -> None:
        named = {"card": f"card:{self.card.code}", "declined": f"card:{self.bad_card.code}"}.get(method, method)
        self.do(lambda: self.owned.automate(method=named, times=times, days_before=days_before))

    @rule()
    def stop(self) -> None:
        call = self.owned.buyer.call(at=self.owned.now, key=pages.new_key())
        self.do(lambda: auto_renewing.disable(call, resource=self.owned.resource.number))

    @rule(amount=st.sampled_from([20, 45]))
    def top_up(self, amount: int) -> None:
        funds_of(self.owned.buyer, amount)

    @rule(share=st.integers(0, 9))
    def close(self, share: int) -> None:
        if share == 0:
            call = self.owned.buyer.call(at=self.owned.now, key=pages.new_key())
            self.do(lambda: resources.close_resource(call, resource=self.owned.resource.number))

    @rule(hours=st.sampled_from([1, 30, 24 * 6, 24 * 17]), outage=st.booleans())
    def wait(self, hours: int, outage: bool) -> None:
        until = self.owned.now + timedelta(hours=hours)
        for _round in range(500):
            dues = [due for name in SWEEPS if (due := sweeps.sweeps[name].next_due()) and due <= until]
            if not dues:
                break
            now = until if outage else min(dues)
            with clock.at(now):
                for name in SWEEPS:
                    due = sweeps.sweeps[name].next_due()
                    if due is not None and due <= now:
                        sweeps.sweeps[name].run(now)
        self.owned.now = until
        self.owned.resource.refresh_from_db()

    @invariant()
    def nothing_is_parked_or_backed_off(self) -> None:
        assert not SweepFailure.objects.exists()

    @invariant()
    def terms_neither_overlap_nor_leave_a_gap(self) -> None:
        terms = list(ResourceTerm.objects.order_by("start"))
        assert all(earlier.end == later.start for earlier, later in pairwise(terms))
        resource = Resource.objects.first()
        if resource is not None and resource.expires_at is not None:
            assert clock.platform_date(resource.expires_at) == terms[-1].end

    @invariant()
    def each_term_is_of_one_order_that_was_paid_once(self) -> None:
        for term in ResourceTerm.objects.select_related("line__order"):
            order = term.line.order
            assert order.state in (OrderState.COMPLETED, OrderState.PROCESSING)
            assert order_money(order.number).paid == order.total
        lines = ResourceTerm.objects.values_list("line", flat=True)
        assert len(set(lines)) == len(lines)

    @invariant()
    def a_canceled_order_keeps_no_money(self) -> None:
        for order in Order.objects.filter(state=OrderState.CANCELED):
            money = order_money(order.number)
            assert money.held.amount == money.earned.amount == 0 and money.paid == money.refunded

    @invariant()
    def deadlines_are_columns(self) -> None:
        for resource in Resource.objects.all():
            waits = RenewalChange.objects.filter(resource=resource, state="waiting").exists()
            is_running = resource.status_enum.is_in_use and not waits
            assert (resource.life_due_at is not None) == is_running
            if is_running and self.owned.now >= moment("2026-01-31"):
                assert resource.life_due_at is not None and resource.life_due_at > self.owned.now
                in_force = policies.in_force(self.owned.now)
                assert resource.status_at(self.owned.now, in_force) == resource.status
        for auto in AutoRenewal.objects.select_related("resource"):
            resource = auto.resource
            is_auto = resource.expiration_policy == ExpirationPolicy.AUTO and resource.status != ResourceStatus.CLOSED
            assert auto.enabled == is_auto
            assert auto.next_attempt_at is None or auto.next_attempt_at >= self.owned.now

    @invariant()
    def the_books_agree(self) -> None:
        assert check_ledger(system_call(at=moment("2026-01-31"))).findings == []


def test_no_walk_leaves_a_gap_or_charges_twice() -> None:
    shrinking = (Phase.shrink,) if os.environ.get("KOOGALLERY_WALK_SHRINK") else ()
    run_state_machine_as_test(
        RenewalWalk,
        settings=settings(
            max_examples=9,
            stateful_step_count=18,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, *shrinking),
            suppress_health_check=list(HealthCheck),
        ),
    )
