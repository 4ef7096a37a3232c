"""The ledger check finds what is wrong, says what, and is clean otherwise."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import queries
from billing.models import LedgerCheck, Payment
from billing.operations import checking, earning, repaying
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.pages import new_key
from tests.factories import billing as money
from tests.factories.identity import AccountFactory
from tests.factories.offers import bills_of, in_milestones

pytestmark = pytest.mark.django_db


@pytest.fixture
def books():
    """An account that has paid, earned, been refunded, used credit."""
    account = AccountFactory(kind=AccountKind.POSTPAID)
    money.grant(account, 500)
    payment = money.paid(account, 100)
    money.refunded(payment, 30)
    with guard.opened("test"):
        earning.earn(system_call(), line_number=payment.line_number, key="e")
    money.refunded(payment, 20)
    money.refunded(money.paid(account, 100, method="credit"), 100)
    return payment


def behind_the_triggers(statement, *params):
    with guard.opened("test"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, params)
        cursor.execute("SET LOCAL session_replication_role = origin")


def found():
    return {finding["check"] for finding in checking.check_ledger(system_call()).findings}


def test_sound_books_are_clean(books):
    result = checking.check_ledger(system_call())
    assert result.findings == []
    assert (result.orders, result.postings) == (2, 8)
    assert queries.last_ledger_check() == result


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        (
            "UPDATE billing_entry SET amount = amount + 1 WHERE id = (SELECT max(id) FROM billing_entry)",
            "posting_balances",
        ),
        ("DELETE FROM billing_entry WHERE id = (SELECT max(id) FROM billing_entry)", "posting_balances"),
        ("DELETE FROM billing_posting WHERE id = (SELECT max(id) FROM billing_posting)", "entry_has_posting"),
        ("UPDATE billing_ledgeraccount SET balance = balance + 0.01 WHERE kind = 'funding'", "balance_is_sum"),
        ("UPDATE billing_payment SET amount = amount + 1", "order_money"),
        ("UPDATE billing_payment SET refunded = refunded - 1 WHERE refunded > 0", "refund_parts"),
        ("UPDATE billing_payment SET state = 'failed'", "payment_booked"),
        ("DELETE FROM billing_charge", "bill_lines"),
        ("UPDATE billing_refundpart SET state = 'pending'", "refunds_under_way"),
        ('UPDATE billing_creditline SET "limit" = 1', "credit_limits"),
    ],
)
def test_what_is_wrong_is_found(books, statement, check):
    behind_the_triggers(statement)
    assert check in found()


@pytest.fixture
def in_parts():
    """An order in milestones: the first bill repaid and earned, the second open."""
    deal = in_milestones(shares=["30", "30", "40"])
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.accept()
    money.fund(deal.buyer.account, 300)
    call = deal.buyer.call(at=deal.at, key=new_key())
    repaying.repay(call, bill=bills_of(deal.order)[0].number, method="balance")
    return deal


def test_sound_milestones_are_clean(in_parts):
    assert found() == set()


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE billing_milestonebill SET amount = amount + 1 WHERE ended_at IS NULL", "receivable"),
        ("UPDATE billing_milestonebill SET amount = amount + 1 WHERE ended_at IS NULL", "bill_amounts"),
        ("UPDATE billing_ledgeraccount SET balance = balance + 1 WHERE kind = 'milestone_credit'", "milestone_credit"),
        ('UPDATE billing_creditline SET "limit" = "limit" + 1', "milestone_credit"),
        ("UPDATE billing_milestone SET share_percent = 31 WHERE position = 1", "bill_amounts"),
        ("DELETE FROM billing_milestone WHERE position = 3", "bill_amounts"),
        ("UPDATE billing_milestonebill SET milestone_id = milestone_id + 1000000", "bill_amounts"),
        ("DELETE FROM billing_posting WHERE kind = 'bill'", "bills_booked"),
        ("DELETE FROM billing_posting WHERE kind = 'bill_ended'", "bills_booked"),
        (
            "UPDATE billing_milestonebill SET state = 'open', ended_at = NULL, payment_number = '' "
            "WHERE state = 'repaid'",
            "bills_booked",
        ),
        ("UPDATE billing_milestonebill SET payment_number = 'PY1' WHERE state = 'repaid'", "bills_repaid"),
        ("UPDATE billing_payment SET state = 'failed' WHERE purpose = 'bill'", "bills_repaid"),
        ("UPDATE billing_milestonebill SET payment_number = 'PY1' WHERE state = 'open'", "bills_repaid"),
        ("DELETE FROM billing_milestonebill", "no_posting_without_bill"),
        ("UPDATE billing_milestone SET earn_from = NULL", "milestones_earned"),
        ("UPDATE billing_milestone SET earn_from = earn_from + interval '1 hour'", "milestones_earned"),
    ],
)
def test_what_is_wrong_with_milestones_is_found(in_parts, statement, check):
    behind_the_triggers(statement)
    assert check in found()


def test_the_command_prints_and_fails_when_something_is_wrong(books):
    out = StringIO()
    call_command("ledger_check", stdout=out)
    assert "FAILED" not in out.getvalue()
    behind_the_triggers("UPDATE billing_ledgeraccount SET balance = balance + 0.01 WHERE kind = 'funding'")
    out = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("ledger_check", stdout=out)
    assert failed.value.returncode == 1
    assert "FAILED  Every balance is the sum of its entries" in out.getvalue()
    assert "funding" in out.getvalue()


def test_it_runs_every_night(books):
    sweep = sweeps.sweeps["ledger-check"]
    due = sweep.next_due()
    assert due.astimezone(clock.platform_zone()).strftime("%H:%M") == "02:30"
    assert sweep.run(due) == 1
    assert sweep.run(due) == 0
    assert LedgerCheck.objects.get().at == due
    assert Payment.objects.count() == 2
