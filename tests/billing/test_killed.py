"""A process that is killed between the phases of a card payment: nothing is lost, nothing is doubled."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from billing import queries
from billing.models import Payment, SandboxCharge
from billing.operations import checking, settling_cards
from billing.states import BillState, PaymentState
from koogallery import clock
from koogallery.kernel.calls import system_call
from koogallery.notifications.models import Message
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones
from tests.personas import make_buyer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

PROGRAM = """
import django, os, signal
django.setup()
from decimal import Decimal
from billing.gateways.sandbox import SandboxGateway
from billing.operations import paying, topping_up
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

user = User.objects.select_related("account").get(is_root=True)
call = Call(role=Role.BUYER, at=clock.now(), account=user.account, user=user)
where = {where!r}
if where == "before the gateway is asked":
    SandboxGateway.charge = die
elif where == "before its answer is kept":
    paying.record_answer = die
elif where == "before the money is booked":
    topping_up.finish_top_up = die
topping_up.top_up(call, amount=Money(Decimal(30), "USD"), card={card!r})
"""

REPAYMENT = """
import django, os, signal
django.setup()
from billing.gateways.sandbox import SandboxGateway
from billing.operations import paying, repaying, settling_cards
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel.calls import Call, Role

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

user = User.objects.select_related("account").get(pk={user})
call = Call(role=Role.BUYER, at=clock.now(), account=user.account, user=user)
where = {where!r}
if where == "before the gateway is asked":
    SandboxGateway.charge = die
elif where == "before its answer is kept":
    paying.record_answer = die
elif where == "before the money is booked":
    settling_cards.settle_payment = die
repaying.repay(call, bill={bill!r}, method={method!r})
"""


WHERE = ["before the gateway is asked", "before its answer is kept", "before the money is booked"]


@pytest.mark.parametrize("where", WHERE)
def test_a_killed_repayment_of_a_bill_is_finished_once_by_the_sweep(process_environment, where):
    deal = in_milestones()
    bill = bills_of(deal.order)[0]
    card = money.card(deal.buyer.account)
    program = REPAYMENT.format(where=where, user=deal.buyer.user.pk, bill=bill.number, method=f"card:{card.code}")
    ended = subprocess.run([sys.executable, "-c", program], env=process_environment, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    payment = Payment.objects.get()
    assert (payment.state, bills_of(deal.order)[0].state) == (PaymentState.PENDING, BillState.OPEN)
    later = clock.now() + timedelta(minutes=5)
    assert settling_cards.settle_payments(later) == 1
    assert settling_cards.settle_payments(later + timedelta(days=1)) == 0
    repaid = bills_of(deal.order)[0]
    assert (repaid.state, repaid.payment_number) == (BillState.REPAID, payment.number)
    assert queries.milestones_of(deal.order.number)[0].held == usd(300)
    assert SandboxCharge.objects.get().amount == 300
    assert Message.objects.filter(kind__in=["milestone_bill_repaid", "milestone_repaid_seller"]).count() == 2
    assert checking.check_ledger(system_call()).findings == []


@pytest.mark.parametrize("where", WHERE)
def test_a_killed_top_up_is_finished_once_by_the_sweep(process_environment, where):
    buyer = make_buyer()
    card = money.card(buyer.account)
    program = PROGRAM.format(where=where, card=card.code)
    ended = subprocess.run([sys.executable, "-c", program], env=process_environment, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    payment = Payment.objects.get()
    assert payment.state == PaymentState.PENDING
    assert SandboxCharge.objects.count() == (0 if where == "before the gateway is asked" else 1)
    later = clock.now() + timedelta(minutes=5)
    assert settling_cards.settle_payments(later) == 1
    assert settling_cards.settle_payments(later + timedelta(days=1)) == 0
    payment.refresh_from_db()
    assert payment.state == PaymentState.SUCCEEDED
    assert queries.balance(buyer.account.pk) == usd(30)
    assert SandboxCharge.objects.get().amount == 30
    assert checking.check_ledger(system_call()).findings == []
