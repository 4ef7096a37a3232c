"""The way of the money back: to where it came from, its three hours, a gateway that is down, operations that retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from audit.models import Trace
from billing import gateways
from billing.gateways.sandbox import SandboxGateway
from billing.models import Refund, RefundPart, SandboxRefund
from billing.operations.checking import check_ledger
from billing.queries import balance, credit
from koogallery import clock
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from orders.models import Order, OrderEvent
from orders.states import OrderState, OrderStep, OrderType
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, paid_by, retry
from tests.factories.supervision import Deal, stamp
from unsubscriptions.models import Payout, Request
from unsubscriptions.queries.lists import needing_attention
from unsubscriptions.states import PayoutState, Status

pytestmark = pytest.mark.django_db


def run(name: str, deal: Deal) -> None:
    with clock.at(deal.at):
        sweeps[name].run(deal.at)


def unsubscribed(deal: Deal, amount: str = "400.00") -> Request:
    asked = ask(deal, amount)
    agree(deal, asked)
    return asked


def status(asked: Request) -> Status:
    return Request.objects.select_related("payout").get(pk=asked.pk).status


def returned(asked: Request) -> Order:
    return Order.objects.get(type=OrderType.UNSUBSCRIBE, pk=Payout.objects.get(request=asked).order_id)


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Switch the answers of the card gateway to refunds off and on."""
    real_refund, real_find = SandboxGateway.refund, SandboxGateway.find_refund

    def silent(*arguments: Any, **named: Any) -> Any:
        raise gateways.Unclear("No answer.")

    def switch(on: bool) -> None:
        monkeypatch.setattr(SandboxGateway, "refund", real_refund if on else silent)
        monkeypatch.setattr(SandboxGateway, "find_refund", real_find if on else silent)

    return switch


def test_a_card_waits_for_its_gateway_and_then_everything_is_told() -> None:
    deal = paid_by("card")
    asked = unsubscribed(deal)
    assert (status(asked), returned(asked).state) == (Status.IN_PROGRESS, OrderState.PROCESSING)
    assert deal.order.state == OrderState.COMPLETED
    deal.wait(minutes=1)
    run("card-refunds", deal)
    payout = Payout.objects.get()
    assert (payout.state, payout.done_at, payout.breach_due_at) == (PayoutState.DONE, deal.at, None)
    assert (status(asked), returned(asked).state) == (Status.REFUNDED, OrderState.COMPLETED)
    assert OrderEvent.objects.filter(order=deal.order, step=OrderStep.REFUNDED, note="USD 400.00").count() == 1
    assert Message.objects.filter(kind="unsubscription_refunded").count() == 1
    assert Trace.objects.filter(trace_name="concludePayout").count() == 1
    assert SandboxRefund.objects.get().amount == 400
    in_sound_books()


def test_credit_lowers_what_is_owed_and_is_done_at_once() -> None:
    deal = paid_by("credit")
    asked = unsubscribed(deal)
    granted = credit(deal.buyer.account.pk)
    assert granted is not None and granted.owed == usd(800)
    assert status(asked) is Status.REFUNDED
    in_sound_books()


def test_a_card_that_takes_no_refunds_gives_way_to_the_balance() -> None:
    deal = paid_by("card", token="sandbox-no-refund")
    asked = unsubscribed(deal)
    deal.wait(minutes=1)
    run("card-refunds", deal)
    assert status(asked) is Status.REFUNDED
    assert balance(deal.buyer.account.pk) == usd(400)
    in_sound_books()


def minute_by_minute(deal: Deal, hours: float, *names: str) -> None:
    end = deal.at + timedelta(hours=hours)
    while deal.at < end:
        deal.wait(minutes=5)
        for name in names:
            run(name, deal)


def test_a_gateway_that_is_down_for_two_hours_pays_when_it_is_back_and_nothing_twice(gateway: Any) -> None:
    deal = paid_by("card")
    gateway(False)
    asked = unsubscribed(deal)
    minute_by_minute(deal, 2, "card-refunds", "late-payouts")
    assert status(asked) is Status.IN_PROGRESS and not needing_attention().exists()
    gateway(True)
    minute_by_minute(deal, 1, "card-refunds", "late-payouts")
    assert status(asked) is Status.REFUNDED
    assert Refund.objects.count() == SandboxRefund.objects.count() == 1
    assert Payout.objects.get().breached_at is None
    in_sound_books()


def test_a_refund_that_is_late_is_work_for_operations_and_never_a_second_refund(gateway: Any) -> None:
    deal = paid_by("card")
    agreed_at = deal.at
    gateway(False)
    asked = unsubscribed(deal)
    deal.wait(hours=2, minutes=59, seconds=59)
    assert not Payout.objects.get().is_late(deal.at)
    deal.wait(seconds=1)
    assert Payout.objects.get().is_late(deal.at)
    run("late-payouts", deal)
    run("late-payouts", deal)
    payout = Payout.objects.get()
    assert (payout.state, payout.breached_at) == (PayoutState.DUE, agreed_at + timedelta(hours=3))
    assert list(needing_attention()) == [payout]
    assert Message.objects.filter(kind="refund_late").count() == 1
    assert Trace.objects.get(trace_name="reportLatePayout").resource_id == deal.order.number
    gateway(True)
    deal.wait(hours=2)
    run("card-refunds", deal)
    assert status(asked) is Status.REFUNDED
    assert not needing_attention().exists()
    assert Payout.objects.get().breached_at == agreed_at + timedelta(hours=3)
    assert Refund.objects.count() == SandboxRefund.objects.count() == 1
    in_sound_books()


def test_a_refund_that_the_gateway_never_answers_fails_and_is_tried_again(gateway: Any) -> None:
    deal = paid_by("card")
    gateway(False)
    asked = unsubscribed(deal)
    minute_by_minute(deal, 5, "card-refunds", "late-payouts")
    assert status(asked) is Status.FAILED
    assert RefundPart.objects.get().parked_at is not None
    assert [payout.request_id for payout in needing_attention()] == [asked.pk]
    retry(asked, at=deal.at)
    assert status(asked) is Status.IN_PROGRESS
    with pytest.raises(Refused) as refused:
        retry(asked, at=deal.at)
    assert refused.value.code == "payout_not_failed"
    gateway(True)
    deal.wait(minutes=1)
    run("card-refunds", deal)
    assert status(asked) is Status.REFUNDED
    assert Refund.objects.count() == SandboxRefund.objects.count() == 1
    in_sound_books()


def test_the_three_hours_are_those_stamped_on_the_order() -> None:
    deal = paid_by("card")
    policy = deal.order.policy | {"overrides": {"refund.sla_hours": 24}}
    stamp(deal.order, policy)
    unsubscribed(deal)
    assert Payout.objects.get().due_at == deal.at + timedelta(hours=24)
