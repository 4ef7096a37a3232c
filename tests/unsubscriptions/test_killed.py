"""A worker killed during a payout, or an agreement: one refund, and everything is finished by whoever is next."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Refund, SandboxRefund
from billing.operations.checking import check_ledger
from billing.queries import order_money
from koogallery import clock
from koogallery.kernel.calls import system_call
from koogallery.kernel.sweeps import sweeps
from orders.states import OrderState
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, paid_by
from unsubscriptions.models import Payout, Request
from unsubscriptions.states import PayoutState, RequestState, Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

HEAD = """
import django, os, signal
django.setup()
from datetime import datetime
from billing.gateways.sandbox import SandboxGateway
from billing.operations import ledger, settling_cards
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.sweeps import sweeps
from orders.operations import returning
from unsubscriptions.operations import carrying_out, paying_out, reviewing

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

at = datetime.fromisoformat({at!r})
where = {where!r}
"""

PAYING_OUT = (
    HEAD
    + """
if where == "before the gateway is asked":
    SandboxGateway.refund = die
elif where == "before its answer is kept":
    settling_cards.settle_refund = die
elif where == "before the payout is concluded":
    paying_out.settle = die
elif where == "before the order is completed":
    returning.finish = die
with clock.at(at):
    sweeps["card-refunds"].run(at)
"""
)

AGREEING = (
    HEAD
    + """
if where == "before the refund":
    carrying_out.refunding.refund = die
elif where == "before the order is completed":
    returning.complete = die
elif where == "before the resource is closed":
    returning.close = die
elif where == "before the payout is settled":
    paying_out.settle = die
user = User.objects.select_related("account").get(pk={user})
call = Call(role=Role.SELLER, at=at, account=user.account, user=user, idempotency_key="form-key-0001")
reviewing.agree(call, request={request!r})
"""
)


def died(program: str, environment: dict[str, str]) -> None:
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()


def run(name: str, at: Any) -> None:
    with clock.at(at):
        sweeps[name].run(at)


@pytest.mark.parametrize(
    "where",
    [
        "before the gateway is asked",
        "before its answer is kept",
        "before the payout is concluded",
        "before the order is completed",
    ],
)
def test_a_worker_killed_during_the_payout_makes_one_refund(process_environment: dict[str, str], where: str) -> None:
    deal = paid_by("card")
    asked = ask(deal, "400.00")
    agree(deal, asked)
    died(PAYING_OUT.format(where=where, at=deal.at.isoformat()), process_environment)
    assert Payout.objects.get().state == PayoutState.DUE
    assert SandboxRefund.objects.count() == (0 if where == "before the gateway is asked" else 1)
    deal.wait(minutes=10)
    for _ in range(3):
        run("card-refunds", deal.at)
        deal.wait(minutes=10)
    payout = Payout.objects.get()
    assert (payout.state, payout.order.state) == (PayoutState.DONE, OrderState.COMPLETED)
    assert Request.objects.select_related("payout").get().status is Status.REFUNDED
    assert Refund.objects.count() == SandboxRefund.objects.count() == 1
    assert SandboxRefund.objects.get().amount == 400
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize(
    "where",
    [
        "before the refund",
        "before the order is completed",
        "before the resource is closed",
        "before the payout is settled",
    ],
)
def test_a_process_killed_while_agreeing_leaves_nothing_and_the_same_form_agrees(
    process_environment: dict[str, str], where: str
) -> None:
    deal = paid_by("credit")
    asked = ask(deal, "400.00")
    program = AGREEING.format(where=where, at=deal.at.isoformat(), user=deal.seller.user.pk, request=asked.number)
    died(program, process_environment)
    assert Request.objects.get().state == RequestState.REQUESTED
    assert deal.step == Step.HAND_OVER and deal.order.state == OrderState.PROCESSING
    assert not Refund.objects.exists() and not Payout.objects.exists()
    agree(deal, asked)
    assert order_money(deal.order.number).refunded == usd(400)
    run("late-payouts", deal.at + timedelta(days=1))
    assert check_ledger(system_call()).findings == []
