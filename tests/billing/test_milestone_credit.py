"""What of a milestone credit is free: orders that were not confirmed in time keep none of it, swept or not (R19)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import queries
from billing.operations import crediting
from billing.states import CreditKind
from koogallery import clock
from koogallery.kernel import pages
from koogallery.kernel.reasons import Refused
from orders.models import Order
from orders.states import OrderState
from tests.factories.billing import usd
from tests.factories.offers import confirm, make_postpaid, one_time_product, order_by_offer, sent_offer
from tests.factories.supervision import AT
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

WINDOW = timedelta(hours=24)


def placed(buyer: Persona, *, at: object = AT) -> Order:
    offer = sent_offer(buyer.account, one_time_product(), at=AT, shares=["50", "50"], share="1")
    return order_by_offer(buyer, offer, at=at)


@pytest.fixture
def rich(buyer: Persona) -> Persona:
    make_postpaid(buyer.account, milestone_credit="1500")
    return buyer


def reserved(buyer: Persona, *, at: object) -> str:
    with clock.at(at):
        credit = queries.credit(buyer.account.pk, CreditKind.MILESTONE)
    assert credit is not None
    return str(credit.reserved)


def test_an_order_that_was_not_confirmed_in_time_keeps_no_credit_before_the_sweep(rich: Persona) -> None:
    late = placed(rich)
    almost = AT + WINDOW - timedelta(seconds=1)
    assert (reserved(rich, at=almost), reserved(rich, at=AT + WINDOW)) == ("USD 1,000.00", "USD 0.00")
    with pytest.raises(Refused) as refused:
        placed(rich, at=almost)
    assert refused.value.code == "milestone_credit_short"
    again = placed(rich, at=AT + WINDOW)
    late.refresh_from_db()
    assert (late.state, again.state) == (OrderState.PENDING_PAYMENT, OrderState.PENDING_PAYMENT)


def test_the_forecast_leaves_out_an_order_that_was_not_confirmed_in_time(rich: Persona) -> None:
    placed(rich)
    account, almost = rich.account.pk, AT + WINDOW - timedelta(seconds=1)
    ahead = [len(queries.milestones_to_pay(account, at=at)) for at in (almost, AT + WINDOW)]
    assert (ahead[0] > 1, ahead[1]) == (True, 0)


def test_a_confirmed_order_keeps_its_credit_past_the_payment_window(rich: Persona) -> None:
    confirm(rich, placed(rich), at=AT)
    assert reserved(rich, at=AT + 2 * WINDOW) == "USD 500.00"
    with pytest.raises(Refused):
        placed(rich, at=AT + 2 * WINDOW)


def test_a_limit_is_lowered_below_what_a_lapsed_order_kept(rich: Persona) -> None:
    placed(rich)
    for moment, code in ((AT, "credit_reserved"), (AT + WINDOW, "")):
        call = make_operator().call(at=moment, key=pages.new_key())
        try:
            crediting.grant_credit(call, account=rich.account.number, kind=CreditKind.MILESTONE, limit=usd(900))
        except Refused as refused:
            assert refused.code == code
        else:
            assert not code
