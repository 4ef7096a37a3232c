"""Properties of milestones: shares sum to the total, credit used and free to the limit, money is nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from billing import queries
from billing.events import MilestoneRepaid
from billing.models import LedgerAccount, Milestone, MilestoneBill
from billing.operations import crediting, milestones, refunding
from billing.operations.checking import check_ledger
from billing.operations.milestones import Part
from billing.rules.bills import bill_due, next_reminder, overdue_from
from billing.rules.shares import split_by_shares
from billing.states import UNPAID_BILLS, CreditKind
from catalog.rules.offers import MilestoneTerms, milestone_amounts
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.kernel import events, guard
from koogallery.kernel.calls import Call, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from tests.factories import billing, offers
from tests.personas import make_buyer

START = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
LIMIT = Decimal(1000)
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
SHOWN = settings(deadline=None, max_examples=300)
BOOKED = settings(
    deadline=None, max_examples=15, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


def totals(currency: str) -> st.SearchStrategy[Money]:
    """Rounded amounts of a currency, from its smallest."""
    cents = st.integers(1, 10**9)
    return cents.map(lambda number: Money(Decimal(number).scaleb(-DIGITS[currency]), currency))


@st.composite
def percentages(draw: st.DrawFn) -> list[Decimal]:
    """Shares of 2 to 12 milestones with two decimals that sum to 100."""
    count = draw(st.integers(2, 12))
    cuts = sorted(draw(st.lists(st.integers(1, 9999), min_size=count - 1, max_size=count - 1, unique=True)))
    edges = [0, *cuts, 10000]
    return [Decimal(high - low) / 100 for low, high in pairwise(edges)]


# Shares


@SHOWN
@given(data=st.data(), currency=st.sampled_from(sorted(DIGITS)), shares=percentages())
def test_the_parts_of_a_price_sum_to_it_and_each_is_its_share_rounded(
    data: st.DataObject, currency: str, shares: list[Decimal]
) -> None:
    total = data.draw(totals(currency))
    parts = [part.amount for part in split_by_shares(whole=total, shares=shares)]
    assert sum((part.amount for part in parts), Decimal(0)) == total.amount
    assert all(part.is_whole() and part.amount >= 0 for part in parts)
    for part, share in zip(parts[:-1], shares, strict=False):
        fair = total.amount * share / 100
        assert part.amount <= fair + Decimal("0.5").scaleb(-DIGITS[currency])
    unit = Decimal(1).scaleb(-DIGITS[currency])
    assert abs(parts[-1].amount - total.amount * shares[-1] / 100) <= unit / 2 * (len(shares) - 1)


@SHOWN
@given(data=st.data(), currency=st.sampled_from(sorted(DIGITS)), shares=percentages())
def test_an_offer_has_milestones_that_all_come_to_something_or_is_refused(
    data: st.DataObject, currency: str, shares: list[Decimal]
) -> None:
    total = data.draw(totals(currency))
    agreed = [MilestoneTerms(name=f"Part {number}", delivery="It", share=share) for number, share in enumerate(shares)]
    parts = [part.amount for part in split_by_shares(whole=total, shares=shares)]
    try:
        amounts = milestone_amounts(agreed, total=total)
    except Refused as refused:
        assert refused.field
        assert any(not part.amount for part in parts)
    else:
        assert list(amounts) == parts
        assert all(part.amount > 0 for part in amounts)


@SHOWN
@given(shares=percentages(), number=st.integers(0, 11), off=st.sampled_from(["-1", "1", "-0.01", "0.01"]))
def test_shares_that_do_not_sum_to_a_hundred_are_refused(shares: list[Decimal], number: int, off: str) -> None:
    number %= len(shares)
    assume(0 < shares[number] + Decimal(off) < 100)
    shares = [share + Decimal(off) * (index == number) for index, share in enumerate(shares)]
    agreed = [MilestoneTerms(name=f"Part {index}", delivery="It", share=share) for index, share in enumerate(shares)]
    with pytest.raises(Refused) as refused:
        milestone_amounts(agreed, total=Money(Decimal(10**6), "USD"))
    assert refused.value.code == "milestone_shares_sum"


# Due dates


@SHOWN
@given(
    minutes=st.integers(0, 60 * 24 * 800),
    late=st.integers(0, 60 * 24 * 90),
    days=st.sampled_from([1, 30, 45]),
)
def test_a_bill_is_due_at_the_end_of_a_day_that_counts_from_a_late_writing(minutes: int, late: int, days: int) -> None:
    generated = START + timedelta(minutes=minutes)
    written = generated + timedelta(minutes=late)
    due = bill_due(generated_at=generated, written_at=written, days=days).astimezone(clock.platform_zone())
    counted = generated if late <= 60 * 24 else written
    assert (due.hour, due.minute, due.second, due.microsecond) == (23, 59, 59, 0)
    assert due.date() == clock.platform_date(counted) + timedelta(days=days)
    assert overdue_from(due) - due == timedelta(seconds=1)
    reminder = next_reminder(last_day=due.date(), after=written)
    assert reminder is not None and reminder > written


def test_a_bill_of_the_last_second_of_a_month_is_due_in_the_next() -> None:
    at = datetime.fromisoformat("2026-01-31T23:59:59+08:00")
    due = bill_due(generated_at=at, written_at=at, days=30)
    assert due == datetime.fromisoformat("2026-03-02T23:59:59+08:00")


# Sequences


@pytest.fixture(autouse=True)
def no_rooms_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """These are the books alone: no order of the rooms above stands behind what is billed."""
    monkeypatch.setitem(events._handlers, MilestoneRepaid, [])


STEPS = ["order", "start", "accept", "repay", "start", "accept", "repay", "finish", "cancel", "sleep", "sweep", "grant"]
SHARES = [["50", "50"], ["33.33", "33.33", "33.34"], ["10", "20", "30", "40"], ["99", "1"]]


class Books:
    """A customer with milestone credit, and what it does to its orders, as the rooms above would call it."""

    def __init__(self, currency: str) -> None:
        self.account: Account = offers.make_postpaid(
            make_buyer(currency=currency).call().account, milestone_credit=LIMIT
        )
        self.currency, self.at, self.orders, self.limit = currency, START, 0, LIMIT
        self.accepted: dict[str, int] = {}

    def line(self, number: int) -> str:
        return f"CSP{self.account.pk:08d}{number:04d}-000001"

    def act(self, name: str, number: int, amount: int, shares: Sequence[Decimal]) -> None:
        """Do it, or see it refused; nothing is half done."""
        line = self.line(number % self.orders) if self.orders else ""
        if not line and name in ("start", "accept", "repay", "finish", "cancel"):
            return
        try:
            with transaction.atomic(), guard.opened("test"):
                getattr(self, name)(system_call(at=self.at), line, amount, shares)
        except Refused as refused:
            assert refused.code in ("milestone_credit_short", "credit_in_use", "credit_reserved")

    def order(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        total = Money(Decimal(amount), self.currency)
        milestones.check_credit(self.account, total=total, shares=shares, rule="order_total", at=clock.now())
        new = self.line(self.orders)
        milestones.plan(
            call,
            subject=billing.subject(self.account, order_number=new.partition("-")[0], line_number=new),
            total=total,
            parts=[Part(name="A part", delivery="It", share=share) for share in shares],
            due_days=30,
        )
        self.orders += 1

    def start(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        if self.is_open(line) and line not in self.accepted:
            milestones.start(call, line_number=line)
            self.accepted[line] = 0

    def accept(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        count = Milestone.objects.filter(line_number=line).count()
        if self.is_open(line) and 0 <= self.accepted.get(line, -1) < count:
            milestones.accept(call, line_number=line, position=self.accepted[line] + 1)
            self.accepted[line] += 1

    def repay(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        bill = MilestoneBill.objects.filter(milestone__line_number=line, state__in=UNPAID_BILLS).first()
        if bill is not None:
            offers.repay(bill, at=self.at)

    def finish(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        if self.is_open(line) and line in self.accepted:
            milestones.finish({line: self.at})
            self.accepted[line] = -1

    def cancel(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        if self.is_open(line):
            milestones.lapse(call, line_number=line)
            refunding.refund_all(call, order_number=line.partition("-")[0], reason="test", key=f"cancel:{line}")
            self.accepted[line] = -1

    def sleep(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        self.at += timedelta(days=amount % 50)

    def sweep(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        for name in ("milestone-bills", "milestone-bills-overdue"):
            if name in sweeps:
                sweeps[name].run(self.at)

    def grant(self, call: Call, line: str, amount: int, shares: Sequence[Decimal]) -> None:
        """Raise or lower the limit, which may be refused."""
        limit = Decimal(3 * amount)
        crediting.grant_credit(
            call, account=self.account.number, kind=CreditKind.MILESTONE, limit=Money(limit, self.currency)
        )
        self.limit = limit

    def is_open(self, line: str) -> bool:
        return self.accepted.get(line, 0) >= 0

    def check(self) -> None:
        """Used plus free is the limit, and no money is anywhere else."""
        rows = {
            row.kind: row.balance
            for row in LedgerAccount.objects.filter(
                owner=str(self.account.pk), kind__in=["milestone_credit", "receivable"]
            )
        }
        free, used = rows["milestone_credit"], rows.get("receivable", Decimal(0))
        unpaid = MilestoneBill.objects.filter(account=self.account, state__in=UNPAID_BILLS)
        assert free + used == self.limit
        assert used == sum(unpaid.values_list("amount", flat=True))
        assert free >= 0
        for number in range(self.orders):
            line = self.line(number)
            order = line.partition("-")[0]
            money = queries.order_money(order, currency=self.currency)
            assert money.held + money.earned + money.settled + money.refunded == money.paid
            parts = list(Milestone.objects.filter(line_number=line).select_related("bill"))
            billed = [each for each in parts if hasattr(each, "bill")]
            repaid = sum((each.amount for each in billed if each.bill.state == "repaid"), Decimal(0))
            assert money.paid.amount == repaid
            assert [each.position for each in billed] == [*range(1, len(billed) + 1)]
            may_be_earned = sum(
                (each.amount for each in billed if each.bill.state == "repaid" and each.earn_from is not None),
                Decimal(0),
            )
            if not money.refunded:
                assert money.earned.amount == may_be_earned


@pytest.mark.django_db
@BOOKED
@given(
    currency=st.sampled_from(sorted(DIGITS)),
    acts=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(100, 700), st.sampled_from(SHARES)),
        min_size=6,
        max_size=30,
    ),
)
def test_whatever_happens_to_orders_credit_and_money_are_all_there(
    currency: str, acts: list[tuple[str, int, int, list[str]]]
) -> None:
    books = Books(currency)
    for name, number, amount, shares in [("order", 0, 600, SHARES[1]), ("start", 0, 600, SHARES[1]), *acts]:
        books.act(name, number, amount, [Decimal(share) for share in shares])
        books.check()
    assert check_ledger(system_call(at=books.at)).findings == []


@pytest.mark.django_db
@pytest.mark.parametrize("currency", sorted(DIGITS))
@pytest.mark.parametrize("shares", [["33.33", "33.33", "33.34"], ["0.5", "99.5"], ["8.33"] * 11 + ["8.37"]])
def test_every_bill_of_an_order_repaid_is_the_price_to_the_smallest_unit(currency: str, shares: list[str]) -> None:
    books = Books(currency)
    parts = [Decimal(share) for share in shares]
    books.act("order", 0, 997, parts)
    books.act("start", 0, 0, parts)
    for _ in parts:
        books.act("repay", 0, 0, parts)
        books.act("accept", 0, 0, parts)
        books.check()
    books.act("finish", 0, 0, parts)
    books.check()
    money = queries.order_money(books.line(0).partition("-")[0], currency=currency)
    assert (money.paid.amount, money.earned.amount, money.held.amount) == (997, 997, 0)
    rows = MilestoneBill.objects.filter(account=books.account)
    assert sum(rows.values_list("amount", flat=True)) == 997
    assert all(row.money.is_whole() for row in rows)
