"""Milestone orders from the offer to the last acceptance: bills, credit, held, earned (billing.md, supervision.md)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import queries as billing
from billing.operations.checking import check_ledger
from billing.states import BillState, CreditKind
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import tick
from supervision.states import Step
from tests.factories.offers import bills_of, in_milestones
from tests.factories.supervision import Deal

pytestmark = pytest.mark.django_db


def amounts(deal: Deal) -> list[Decimal]:
    return [bill.amount for bill in bills_of(deal.order)]


def test_each_acceptance_brings_the_next_bill_and_the_last_none() -> None:
    deal = in_milestones(shares=["30", "30", "40"])
    assert amounts(deal) == [Decimal(300)]
    deal.submit().refresh_from_db()
    deal.accept_request()
    deal.deliver()
    deal.wait(days=1)
    deal.accept()
    assert amounts(deal) == [Decimal(300), Decimal(300)]
    deal.deliver()
    deal.accept()
    deal.deliver()
    deal.accept()
    assert amounts(deal) == [Decimal(300), Decimal(300), Decimal(400)]
    assert deal.step == Step.ACCEPTED
    credit = billing.credit(deal.buyer.account.pk, CreditKind.MILESTONE)
    assert credit is not None and credit.owed.amount == 1000
    tick(deal.at + timedelta(hours=3))
    assert deal.order.state == "completed"
    assert {bill.state for bill in bills_of(deal.order)} == {BillState.OPEN}
    assert not check_ledger(system_call()).findings


def test_an_overdue_bill_blocks_the_next_acceptance() -> None:
    deal = in_milestones()
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.wait(days=31)
    with pytest.raises(Refused) as refused:
        deal.accept()
    assert refused.value.code == "milestone_bill_overdue"
