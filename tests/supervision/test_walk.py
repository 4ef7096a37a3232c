"""Random walks of buyer, seller, operations and clock over every template and both packs; all stays consistent.

They are a few short ones each time. To find the shortest way to a failure: KOOGALLERY_WALK_SHRINK=1.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_walk

from billing import queries as billing
from billing.models import LedgerAccount, Milestone, MilestoneBill, Payment, Posting
from billing.models.payment import held_owner
from billing.operations.checking import check_ledger
from billing.queries import order_money
from billing.states import UNPAID_BILLS, BillState, CreditKind
from catalog.states import MILESTONE_METHODS
from koogallery import clock
from koogallery.kernel import pages, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.models import Resource
from orders.states import OrderState, ResourceStatus
from supervision.models import Appeal, Flow
from supervision.operations import deciding
from supervision.queries.flows import undecided_appeal
from supervision.states import OVER_STEPS, UNDECIDED, Actor, Decision, RecordKind, Step
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, one_time_product, repay
from tests.factories.supervision import Deal, supervised, supervised_product, upload
from tests.personas import Persona, make_buyer, make_operator

START = datetime.fromisoformat("2026-03-05T23:59:59+08:00")
METHODS = ("license", "saas", "professional_service", "hardware")
PACKS = {
    "2025": PolicySet(pack="2025"),
    "2024": PolicySet(pack="2024"),
    "2024 closing": PolicySet(pack="2024", overrides={"flow.auto_close_days": 365}),
}
SWEEPS = (
    "milestone-bills",
    "overdue-milestone-bills",
    "milestone-bill-reminders",
    "completing-flows",
    "closing-flows",
)
LIMIT = 1_000_000
MOVING = {
    RecordKind.SUBMIT_REQUEST,
    RecordKind.ACCEPT_REQUEST,
    RecordKind.REJECT_REQUEST,
    RecordKind.DELIVER,
    RecordKind.ACCEPT,
    RecordKind.ACCEPT_PART,
    RecordKind.REJECT,
    RecordKind.COMPLETE,
}

pytestmark = pytest.mark.django_db


class FlowWalk(RuleBasedStateMachine):
    """Whatever the parties try in whatever order: only moves of the table, one appeal, and money where it belongs."""

    buyer: Persona
    officers: tuple[Persona, Persona]
    products: dict[str, Any]
    deal: Deal

    def attempt(self, work: Any) -> None:
        """Do it, or see it refused without any change to the flow."""
        before = Flow.objects.filter(pk=self.deal.flow.pk).values().get()
        records = self.deal.flow.records.count()
        try:
            with clock.at(self.deal.at):
                work()
        except Refused as refused:
            assert refused.sentence
            assert Flow.objects.filter(pk=self.deal.flow.pk).values().get() == before
            assert self.deal.flow.records.count() == records
        self.deal.flow.refresh_from_db()

    @rule(name=st.sampled_from(["submit", "accept_request", "reject_request", "deliver", "accept", "reject", "remind"]))
    def move(self, name: str) -> None:
        self.attempt(getattr(self.deal, name))

    @rule(days=st.integers(0, 30))
    def deliver_enabled(self, days: int) -> None:
        """A delivery that was enabled some days ago, which may be before the payment."""
        self.attempt(lambda: self.deal.deliver(enabling_at=self.deal.at - timedelta(days=days)))

    @rule(count=st.integers(1, 6))
    def go_on(self, count: int) -> None:
        """The next good move, several times: walks that never get anywhere prove little."""
        for _ in range(count):
            step = self.deal.step
            if step in (*OVER_STEPS, Step.ACCEPTED) or self.deal.flow.is_frozen:
                return
            names = {
                Step.SUBMIT: "submit",
                Step.REVIEW: "accept_request",
                Step.ACCEPT: "accept",
                Step.CONFIRM: "accept",
            }
            self.attempt(getattr(self.deal, names.get(step, "deliver")))

    @rule(name=st.sampled_from(["reject", "reject_request"]), count=st.integers(1, 3))
    def insist(self, name: str, count: int) -> None:
        """Reject what comes, as often as gates of appeals ask for."""
        for _ in range(count):
            self.attempt(getattr(self.deal, name))
            self.attempt(self.deal.submit)
            self.attempt(self.deal.accept_request)
            self.attempt(self.deal.deliver)

    @rule(by_seller=st.booleans(), files=st.integers(0, 2))
    def appeal(self, by_seller: bool, files: int) -> None:
        who = self.deal.seller if by_seller else self.deal.buyer
        proof = [upload(f"{number}.pdf") for number in range(files)]
        self.attempt(lambda: self.deal.appeal(who, uploads=proof))

    @precondition(lambda self: self.deal.flow.is_frozen)
    @rule(by_seller=st.booleans())
    def withdraw(self, by_seller: bool) -> None:
        self.attempt(lambda: self.deal.withdraw(self.deal.seller if by_seller else self.deal.buyer))

    @precondition(lambda self: self.deal.flow.is_frozen)
    @rule(
        decision=st.sampled_from(list(Decision)), restart=st.sampled_from(list(Step)), share=st.sampled_from([1, 2, 3])
    )
    def decide(self, decision: Decision, restart: Step, share: int) -> None:
        arguments: dict[str, Any] = {}
        if decision is Decision.RESTART:
            arguments["restart"] = restart.value
        if decision.refunds_part:
            arguments["refund"] = usd("100.25") * share

        def work() -> None:
            appeal = undecided_appeal(self.deal.flow)
            if appeal is not None and appeal.state == "open":
                self.deal.decide(decision.value, by=self.officers[0], **arguments)

        self.attempt(work)

    @precondition(lambda self: self.deal.flow.is_frozen)
    @rule(second=st.booleans(), declines=st.booleans())
    def countersign(self, second: bool, declines: bool) -> None:
        appeal = undecided_appeal(self.deal.flow)
        if appeal is None:
            return
        call = self.officers[int(second)].call(at=self.deal.at, key=pages.new_key())
        if declines:
            self.attempt(lambda: deciding.decline(call, appeal=appeal.number, note="Not so."))
        else:
            self.attempt(lambda: deciding.countersign(call, appeal=appeal.number))

    @rule(decision=st.sampled_from(list(Decision)), restart=st.sampled_from(list(Step)), share=st.sampled_from([1, 4]))
    def dispute(self, decision: Decision, restart: Step, share: int) -> None:
        """An appeal with all that follows, so that walks get to its end."""
        self.appeal(by_seller=share == 1, files=0)
        if self.deal.flow.is_frozen:
            self.decide(decision, restart, share)
        if self.deal.flow.is_frozen:
            self.countersign(second=True, declines=False)

    @rule(hours=st.sampled_from([1, 2, 3, 24, 121, 24 * 360]), sweeps_run=st.booleans())
    def wait(self, hours: int, sweeps_run: bool) -> None:
        self.deal.wait(hours=hours)
        if sweeps_run:
            with clock.at(self.deal.at):
                for name in SWEEPS:
                    sweeps.sweeps[name].run(self.deal.at)
        self.deal.flow.refresh_from_db()

    @invariant()
    def the_order_follows_the_flow(self) -> None:
        flow, order = self.deal.flow, self.deal.order
        expected = {Step.COMPLETED: OrderState.COMPLETED, Step.CANCELED: OrderState.CANCELED}
        assert order.state == expected.get(flow.step_enum, OrderState.PROCESSING)
        resource = Resource.objects.get(line=flow.line_id)
        statuses = {Step.COMPLETED: ResourceStatus.ENABLED, Step.CANCELED: ResourceStatus.CLOSED}
        assert resource.status == statuses.get(flow.step_enum, ResourceStatus.IN_DELIVERY)

    @invariant()
    def nothing_is_over_when_it_is_delivered(self) -> None:
        resource = Resource.objects.get(line=self.deal.flow.line_id)
        if resource.status == ResourceStatus.ENABLED and resource.expires_at is not None:
            assert self.deal.flow.accepted_at is not None
            assert resource.expires_at > self.deal.flow.accepted_at

    @invariant()
    def the_money_is_where_the_flow_says(self) -> None:
        money = order_money(self.deal.flow.order_number)
        assert money.held + money.earned + money.settled + money.refunded == money.paid
        if self.deal.flow.step == Step.COMPLETED:
            assert money.held.amount == 0
        elif self.deal.flow.step == Step.CANCELED:
            assert money.refunded == money.paid
        elif not self.deal.flow.milestones:
            assert money.earned.amount == 0

    @invariant()
    def the_books_agree(self) -> None:
        assert check_ledger(system_call(at=START)).clean_run

    @invariant()
    def frozen_means_one_undecided_appeal(self) -> None:
        open_ones = Appeal.objects.filter(flow=self.deal.flow, state__in=UNDECIDED).count()
        assert open_ones == int(self.deal.flow.is_frozen)

    @invariant()
    def deadlines_are_consistent(self) -> None:
        flow = self.deal.flow
        if flow.step == Step.ACCEPTED:
            assert flow.accepted_at is not None and flow.completion_due_at is not None
            assert flow.completion_due_at >= flow.accepted_at + timedelta(hours=3)
        if flow.step == Step.COMPLETED:
            assert flow.ended_at is not None and flow.ended_at <= self.deal.at

    @invariant()
    def every_move_stands_in_the_table(self) -> None:
        table = self.deal.flow.table
        for record in self.deal.flow.records.all():
            if record.kind_enum in MOVING and record.kind != RecordKind.COMPLETE:
                move = table.moves[next(name for name in table.moves if name.value == record.kind)]
                assert (Actor(record.actor), Step(record.step)) == (move.actor, move.source)

    @invariant()
    def both_sides_see_the_same_records_in_their_order(self) -> None:
        moments = list(self.deal.flow.records.values_list("at", flat=True))
        assert moments == sorted(moments)


class OrdinaryWalk(FlowWalk):
    """Orders that were paid at once."""

    @initialize(method=st.sampled_from(METHODS), pack=st.sampled_from(sorted(PACKS)))
    def begin(self, method: str, pack: str) -> None:
        self.deal = supervised(
            method, at=START, buyer=self.buyer, policy=PACKS[pack].to_json(), product=self.products[method]
        )


class MilestoneWalk(FlowWalk):
    """Orders in milestones: every bill when it should be, its money where it belongs, the credit never lost."""

    @initialize(
        method=st.sampled_from(sorted(MILESTONE_METHODS)),
        pack=st.sampled_from(sorted(PACKS)),
        shares=st.sampled_from([("50", "50"), ("33.33", "33.33", "33.34"), ("0.01", "60", "39.99")]),
    )
    def begin(self, method: str, pack: str, shares: tuple[str, ...]) -> None:
        self.deal = in_milestones(
            method,
            at=START,
            buyer=self.buyer,
            shares=shares,
            policy=PACKS[pack].to_json(),
            product=self.products[method],
            milestone_credit=LIMIT,
        )

    @rule()
    def repay(self) -> None:
        """Whatever the flow does, what was billed may be repaid."""
        bill = next((bill for bill in bills_of(self.deal.order) if bill.is_unpaid), None)
        if bill is not None:
            with clock.at(self.deal.at):
                repay(bill, at=self.deal.at)

    def milestones(self) -> list[Milestone]:
        return list(
            Milestone.objects.filter(line_number=self.deal.flow.number).select_related("bill").order_by("position")
        )

    @invariant()
    def credit_used_and_free_are_the_limit(self) -> None:
        account_id = self.buyer.account.pk if self.buyer.account else 0
        credit = billing.credit(account_id, CreditKind.MILESTONE)
        owed = LedgerAccount.objects.filter(kind="receivable", owner=str(account_id)).first()
        unpaid = MilestoneBill.objects.filter(account_id=account_id, state__in=UNPAID_BILLS).values_list(
            "amount", flat=True
        )
        assert credit is not None and credit.limit.amount == LIMIT
        assert credit.owed.amount == (owed.balance if owed else 0) == sum(unpaid)

    @invariant()
    def a_bill_exists_exactly_where_the_part_before_is_accepted(self) -> None:
        milestones = self.milestones()
        accepted = [each for each in milestones if each.accepted_at is not None]
        billed = [each for each in milestones if hasattr(each, "bill")]
        assert [each.position for each in accepted] == [*range(1, len(accepted) + 1)]
        assert [each.position for each in billed] == [*range(1, min(len(accepted) + 1, len(milestones)) + 1)]
        moments = [START, *(each.accepted_at for each in accepted)]
        for each, at in zip(billed, moments, strict=False):
            assert each.bill.generated_at == at
            assert each.bill.due_at == clock.day_end(clock.platform_date(at) + timedelta(days=30))
        assert sum(each.amount for each in milestones) == Decimal(1200)
        step = self.deal.flow.step_enum
        assert {each.lapsed_at is not None for each in milestones[len(billed) :]} <= {step.is_over}
        assert not (step == Step.CANCELED and any(each.bill.is_unpaid for each in billed))

    @invariant()
    def earned_is_what_was_accepted_and_repaid(self) -> None:
        is_completed = self.deal.flow.step == Step.COMPLETED
        for each in self.milestones():
            owner = held_owner(each.line_number, each.part)
            held = LedgerAccount.objects.filter(kind="held", owner=owner).first()
            payment = Payment.objects.filter(line_number=each.line_number, part=each.part).first()
            is_earned = Posting.objects.filter(key=f"earn:{owner}").exists()
            left = payment.refundable.amount if payment else Decimal(0)
            may_be_earned = is_completed or (each.accepted_at is not None and each.position < each.count)
            assert not (is_earned and (payment is None or not may_be_earned))
            assert (held.balance if held else 0) == (0 if may_be_earned else left)
            assert not (left and may_be_earned and not is_earned)
            assert (payment is not None) == (hasattr(each, "bill") and each.bill.state == BillState.REPAID)


QUICK = settings(
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=list(Phase) if os.environ.get("KOOGALLERY_WALK_SHRINK") else [Phase.generate],
)


def test_no_walk_leaves_the_tables_or_loses_money(db: None) -> None:
    class Walk(OrdinaryWalk):
        buyer = make_buyer()
        officers = (make_operator(), make_operator())
        products = {method: supervised_product(method, indexed=False) for method in METHODS}

    run_walk(Walk, settings=settings(QUICK, max_examples=9))


def test_no_walk_over_milestones_loses_a_bill_or_money(db: None) -> None:
    class Walk(MilestoneWalk):
        buyer = make_buyer()
        officers = (make_operator(), make_operator())
        products = {
            method: one_time_product(method, price="1200.00", indexed=False) for method in sorted(MILESTONE_METHODS)
        }

    run_walk(Walk, settings=settings(QUICK, max_examples=9))
