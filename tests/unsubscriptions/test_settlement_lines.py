"""What settlement will read: earned money and what of it is given back, fee and share to the cent, whenever."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Payment
from billing.queries import EarnedMovement, earned_movements
from billing.rules.fees import platform_fee
from koogallery import clock
from koogallery.kernel import guard
from koogallery.kernel.money import Money
from koogallery.kernel.sweeps import sweeps
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import agree, ask, specially
from tests.factories.supervision import Deal, supervised

pytestmark = pytest.mark.django_db

PERCENT = Decimal("12.34")


def charge_a_fee(deal: Deal) -> None:
    with guard.opened("test"):
        Payment.objects.filter(line_number=deal.flow.number).update(fee_percent=PERCENT)


def lines(deal: Deal, *, since: timedelta = timedelta(0), days: int = 400) -> list[EarnedMovement]:
    start = deal.flow.created_at + since
    return earned_movements(deal.flow.seller_id, since=start, until=deal.flow.created_at + timedelta(days=days))


def total(found: list[EarnedMovement], name: str) -> Money:
    return sum((getattr(each.movement, name) for each in found), usd(0))


def test_what_was_refunded_before_it_was_earned_takes_no_fee_and_gives_none_back() -> None:
    deal = supervised("license")
    charge_a_fee(deal)
    deal.appeal()
    deal.decide("refund_part", refund=usd("333.33"))
    agree(deal, ask(deal, "100.01"))
    (earned,) = lines(deal)
    assert earned.movement.gross == usd("766.66")
    assert earned.movement.fee == platform_fee(usd("766.66"), percent=PERCENT)


def test_what_was_earned_and_perhaps_settled_is_a_negative_line_later() -> None:
    deal = supervised("license").to(Step.ACCEPTED).wait(hours=3)
    charge_a_fee(deal)
    with clock.at(deal.at):
        sweeps["completing-flows"].run(deal.at)
    deal.wait(days=40)
    specially(deal.flow.number, at=deal.at)
    agree(deal, ask(deal, "199.99"))
    everything = lines(deal)
    assert [each.movement.gross for each in everything] == [usd(1200), usd("-199.99")]
    assert total(everything, "fee") == platform_fee(usd("1000.01"), percent=PERCENT)
    assert total(everything, "share") == usd("1000.01") - total(everything, "fee")
    (later,) = lines(deal, since=timedelta(days=31))
    assert later == everything[1] and later.movement.fee.amount < 0
    assert later.line_number == deal.flow.number


def test_a_milestone_that_was_earned_gives_its_part_of_the_fee_back() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    repay(bills_of(deal.order)[0], at=deal.at)
    charge_a_fee(deal)
    deal.accept()
    deal.wait(hours=1).appeal()
    deal.decide("refund_part", refund=usd("50.01"))
    deal.wait(hours=1)
    agree(deal, ask(deal, "400.00"))
    everything = lines(deal)
    assert [each.movement.gross for each in everything] == [usd(300), usd("-50.01"), usd("-100.00")]
    assert total(everything, "fee") == platform_fee(usd("149.99"), percent=PERCENT)
