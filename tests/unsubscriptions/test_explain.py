"""`manage.py explain` of unsubscriptions and refunds, and what the ledger check says of them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.models import Refund
from billing.operations.checking import check_ledger
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from orders.models import Order, OrderLine
from orders.operations.cancelling import cancel_undeliverable
from orders.states import OrderType
from supervision.states import Step
from tests.factories import catalog, orders
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import agree, ask, paid_by, reject
from tests.factories.subscriptions import image
from tests.factories.supervision import supervised
from tests.personas import make_buyer, make_operator
from unsubscriptions.models import Payout, Request
from unsubscriptions.operations import images
from unsubscriptions.queries.images import case_of

pytestmark = pytest.mark.django_db


def explain(number: str) -> str:
    out = StringIO()
    call_command("explain", number, stdout=out)
    return out.getvalue()


def findings() -> list[tuple[str, str]]:
    return [(each["check"], each["what"]) for each in check_ledger(system_call()).findings]


def unsubscribed_image() -> Request:
    owned = image(term="1-year", at="2024-01-01T10:30:00+08:00").at("2024-03-01")
    owned.renew("1-year")
    found = case_of(owned.resource, account=owned.buyer.account, at=owned.now).refund
    assert found is not None
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    return images.unsubscribe(call, resource=owned.resource.number, expected=found.amount)


def test_a_negotiated_unsubscription_explains_its_refund_by_each_of_its_numbers() -> None:
    deal = supervised("license")
    asked = agree(deal, ask(deal, "400.00"))
    returned, refund = Order.objects.get(type=OrderType.UNSUBSCRIBE), Refund.objects.get()
    for number in (asked.number, returned.number, refund.number):
        told = explain(number)
        assert "stored USD 400.00, recomputed USD 400.00: the same" in told
        assert "Actual payment" in told and "Every amount is the same." in told
    assert f"{returned.number}-000001  gives {asked.line.number} back" in explain(asked.number)
    assert "USD 400.00 to balance: done" in explain(refund.number)


def test_an_image_explains_each_of_its_terms_by_the_formula() -> None:
    asked = unsubscribed_image()
    told = explain(asked.number)
    assert "rule image_refund" in told and "Ordered hours" in told and "has not started" in told
    assert told.count("the same") == 5  # two lines, two refunds, the last sentence


def test_a_request_that_was_rejected_gave_nothing_back() -> None:
    deal = supervised("license")
    asked = reject(deal, ask(deal, "400.00"))
    assert "nothing was given back" in explain(asked.number)


def test_a_refund_of_all_that_was_paid_has_nothing_to_recompute() -> None:
    buyer = make_buyer()
    order = orders.bought(buyer, catalog.saas_product(interface_version=2), quantity="1", term="1-month")
    call = make_operator().call(key=pages.new_key())
    cancel_undeliverable(call, order=order.number, reason="The server is gone.")
    assert "nothing to recompute" in explain(Refund.objects.get().number)


def test_a_changed_refund_and_unknown_numbers_are_found() -> None:
    deal = supervised("license")
    agree(deal, ask(deal, "400.00"))
    with guard.opened("test"):
        Refund.objects.update(amount="399.00")
    with pytest.raises(CommandError, match=Refund.objects.get().number):
        explain(Refund.objects.get().number)
    for number in ("UN00", "RF00"):
        with pytest.raises(CommandError, match=number):
            explain(number)


def test_the_ledger_check_is_clean_whatever_was_given_back() -> None:
    deal = supervised("license")
    agree(deal, ask(deal, "400.00"))
    card = paid_by("card", at=deal.at)
    agree(card, ask(card, "1200.00"))
    reject(again := supervised("license"), ask(again, "1.00"))
    ask(supervised("license"), "1200.00")
    unsubscribed_image()
    assert Payout.objects.exclude(done_at=None).count() == 2
    assert findings() == []


def test_it_is_clean_when_bills_were_lowered_and_explained() -> None:
    deal = in_milestones(shares=["50", "50"])
    deal.to(Step.ACCEPT)
    deal.accept()
    repay(bills_of(deal.order)[0], at=deal.at)
    asked = agree(deal, ask(deal, "700.00"))
    payout = Payout.objects.get()
    assert (payout.amount, payout.lowered) == (200, 500)
    told = explain(asked.number)
    assert "recomputed USD 700.00: the same" in told and "recomputed USD 200.00: the same" in told
    assert findings() == []


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE unsubscriptions_payout SET amount = amount - 1", "payout_amounts"),
        ("UPDATE unsubscriptions_request SET amount = amount - 1 WHERE state = 'agreed'", "payout_amounts"),
        ("UPDATE orders_orderline SET amount = amount + 1 WHERE amount < 0", "payout_amounts"),
        ("UPDATE orders_order SET amount = amount + 1 WHERE amount < 0", "payout_amounts"),
        ("UPDATE unsubscriptions_payout SET state = 'due', done_at = NULL", "payout_states"),
        ("DELETE FROM unsubscriptions_payout", "agreed_has_payout"),
        ("UPDATE billing_refund SET key = 'unsubscription:CS0-000001'", "agreed_has_payout"),
        ("UPDATE billing_refund SET number = 'RF0'", "refund_booked"),
        (
            "UPDATE unsubscriptions_request SET state = 'requested', ended_at = NULL, ended_by = ''",
            "requests_within_payment",
        ),
    ],
)
def test_what_does_not_fit_together_is_found(statement: str, check: str) -> None:
    deal = supervised("license")
    agree(deal, ask(deal, "1200.00"))
    assert findings() == []
    with guard.opened("test"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert check in {name for name, _what in findings()}
    assert OrderLine.objects.exists()
