"""Random walks of buyer, seller, operations and clock that also ask to give back and answer; all stays consistent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_walk

from billing.models import Milestone
from billing.queries import order_money, returnable
from catalog.states import MILESTONE_METHODS
from koogallery.kernel.policies import PolicySet
from orders.models import Order, Resource
from orders.states import OrderState, OrderType, ResourceStatus
from supervision.states import Step
from tests.factories import returns
from tests.factories.billing import usd
from tests.factories.offers import in_milestones, one_time_product
from tests.factories.supervision import supervised, supervised_product
from tests.personas import make_buyer, make_operator
from tests.supervision.test_walk import LIMIT, METHODS, QUICK, START, FlowWalk, MilestoneWalk
from unsubscriptions.models import Payout, Request
from unsubscriptions.states import PayoutState, RequestState

PACKS = {"2025": PolicySet(), "2025 closing": PolicySet(overrides={"flow.auto_close_days": 365})}
AMOUNTS = ("0.01", "100.25", "400.00", "599.99", "1200.00")

pytestmark = pytest.mark.django_db


class ReturningWalk(FlowWalk):
    """Flows whose orders may be given back at any moment."""

    def open_request(self) -> Request | None:
        return Request.objects.filter(line=self.deal.flow.line_id, state=RequestState.REQUESTED).first()

    @rule(amount=st.sampled_from(AMOUNTS))
    def ask(self, amount: str) -> None:
        self.attempt(lambda: returns.ask(self.deal, amount))

    @rule(name=st.sampled_from(["agree", "reject", "reject", "withdraw", "remind"]))
    def answer(self, name: str) -> None:
        asked = Request.objects.filter(line=self.deal.flow.line_id).order_by("pk").last()
        if asked is not None:
            self.attempt(lambda: getattr(returns, name)(self.deal, asked))

    @rule(amount=st.sampled_from(AMOUNTS), hours=st.sampled_from([1, 4]), agrees=st.booleans())
    def negotiate(self, amount: str, hours: int, agrees: bool) -> None:
        """A request with its answer some time later, so that walks get to its end."""
        self.ask(amount)
        self.wait(hours, sweeps_run=True)
        self.answer("agree" if agrees else "reject")

    @invariant()
    def the_order_follows_the_flow(self) -> None:
        flow, order = self.deal.flow, self.deal.order
        expected = {
            Step.COMPLETED: OrderState.COMPLETED,
            Step.UNSUBSCRIBED: OrderState.COMPLETED,
            Step.CANCELED: OrderState.CANCELED,
        }
        assert order.state == expected.get(flow.step_enum, OrderState.PROCESSING)
        assert (order.unsubscribed_at is not None) is (flow.step == Step.UNSUBSCRIBED)
        resource = Resource.objects.get(line=flow.line_id)
        statuses = {
            Step.COMPLETED: ResourceStatus.ENABLED,
            Step.CANCELED: ResourceStatus.CLOSED,
            Step.UNSUBSCRIBED: ResourceStatus.CLOSED,
        }
        assert resource.status == statuses.get(flow.step_enum, ResourceStatus.IN_DELIVERY)

    @invariant()
    def the_money_is_where_the_flow_says(self) -> None:
        money = order_money(self.deal.flow.order_number)
        assert money.held + money.earned + money.settled + money.refunded == money.paid
        if self.deal.flow.step in (Step.COMPLETED, Step.UNSUBSCRIBED):
            assert money.held.amount == 0
        elif self.deal.flow.step == Step.CANCELED:
            assert money.refunded == money.paid
        elif not self.deal.flow.milestones:
            assert money.earned.amount == 0

    @invariant()
    def open_and_given_back_never_exceed_the_actual_payment(self) -> None:
        asked = self.open_request()
        left = returnable(self.deal.flow.number, currency="USD").actual_payment
        assert left.amount >= 0
        assert asked is None or asked.money <= left

    @invariant()
    def the_flow_is_held_exactly_while_a_request_is_open(self) -> None:
        assert self.deal.flow.is_held is (self.open_request() is not None)
        held = Milestone.objects.filter(line_number=self.deal.flow.number, held_at__isnull=False)
        assert not held.exists() or self.deal.flow.is_held

    @invariant()
    def what_was_agreed_was_carried_out_once(self) -> None:
        agreed = Request.objects.filter(line=self.deal.flow.line_id, state=RequestState.AGREED)
        assert agreed.count() == int(self.deal.flow.step == Step.UNSUBSCRIBED)
        for asked in agreed:
            payout = Payout.objects.select_related("order").get(request=asked)
            assert payout.amount + payout.lowered == asked.amount
            assert (payout.state, payout.order.state) == (PayoutState.DONE, OrderState.COMPLETED)
            assert payout.order.total == -asked.money
        count = Order.objects.filter(type=OrderType.UNSUBSCRIBE, lines__reverses=self.deal.flow.line_id).count()
        assert count == agreed.count()


class OrdinaryReturns(ReturningWalk):
    """Orders that were paid at once."""

    @initialize(method=st.sampled_from(METHODS), pack=st.sampled_from(sorted(PACKS)))
    def begin(self, method: str, pack: str) -> None:
        policy = PACKS[pack].to_json()
        self.deal = supervised(method, at=START, buyer=self.buyer, policy=policy, product=self.products[method])


class MilestoneReturns(ReturningWalk, MilestoneWalk):
    """Orders in milestones: bills wait while something is asked for, and what was not paid is lowered."""

    @initialize(
        method=st.sampled_from(sorted(MILESTONE_METHODS)),
        shares=st.sampled_from([("50", "50"), ("33.33", "33.33", "33.34"), ("0.01", "60", "39.99")]),
    )
    def begin(self, method: str, shares: tuple[str, ...]) -> None:
        self.deal = in_milestones(
            method,
            at=START,
            buyer=self.buyer,
            shares=shares,
            product=self.products[method],
            milestone_credit=LIMIT,
        )

    @rule(amount=st.sampled_from(AMOUNTS), agrees=st.booleans())
    def repay_and_negotiate(self, amount: str, agrees: bool) -> None:
        """Deliveries, acceptances and repayments, then a request: walks in which money goes back, not only bills."""
        self.go_on(4)
        self.repay()
        self.negotiate(amount, 1, agrees)

    @invariant()
    def a_bill_exists_exactly_where_the_part_before_is_accepted(self) -> None:
        milestones = self.milestones()
        accepted = [each for each in milestones if each.accepted_at is not None]
        should = milestones[: min(len(accepted) + 1, len(milestones))]
        for each in milestones:
            assert hasattr(each, "bill") is (each in should and each.bill_due_at is None and each.lapsed_at is None)
            assert each.bill_due_at is None or (each.held_at is not None and each in should)
            if hasattr(each, "bill"):
                before = milestones[each.position - 2].accepted_at if each.position > 1 else START
                assert each.bill.generated_at == before
                assert each.bill.amount + each.bill.lowered == each.amount
                assert not each.bill.lowered or self.deal.flow.step == Step.UNSUBSCRIBED
        if self.deal.flow.step == Step.CANCELED:
            assert not any(each.bill.is_unpaid for each in milestones if hasattr(each, "bill"))

    @invariant()
    def earned_is_what_was_accepted_and_repaid(self) -> None:
        money = order_money(self.deal.flow.order_number)
        earning = [
            each
            for each in self.milestones()
            if self.deal.flow.step in (Step.COMPLETED, Step.UNSUBSCRIBED)
            or (each.accepted_at is not None and each.position < each.count)
        ]
        if self.deal.flow.step == Step.UNSUBSCRIBED:
            assert money.earned == money.paid - money.refunded
        elif not earning:
            assert money.earned == usd(0) or money.refunded


def test_no_walk_gives_back_more_than_was_paid(db: None) -> None:
    class Walk(OrdinaryReturns):
        buyer = make_buyer()
        officers = (make_operator(), make_operator())
        products: dict[str, Any] = {method: supervised_product(method, indexed=False) for method in METHODS}

    run_walk(Walk, settings=settings(QUICK, max_examples=9))


def test_no_walk_over_milestones_gives_back_what_was_not_paid(db: None) -> None:
    class Walk(MilestoneReturns):
        buyer = make_buyer()
        officers = (make_operator(), make_operator())
        products: dict[str, Any] = {
            method: one_time_product(method, price="1200.00", indexed=False) for method in sorted(MILESTONE_METHODS)
        }

    run_walk(Walk, settings=settings(QUICK, max_examples=9))
