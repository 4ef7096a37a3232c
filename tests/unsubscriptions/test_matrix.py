"""The table: method × supervised × state × policy pack, generated; and special agreements, which beat it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product as every
from typing import Any

import pytest

from billing import queries as billing_queries
from billing.operations.checking import check_ledger
from billing.queries import LiveInvoice, order_money
from catalog.states import BillingMode, DeliveryMethod
from koogallery import clock
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from orders.models import Order, Resource
from orders.states import CloseReason, OrderState, ResourceStatus
from supervision.models import Flow
from supervision.operations import deciding
from tests.factories import catalog, orders
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, specially
from tests.factories.subscriptions import subscribed
from tests.factories.supervision import AT, Deal, seller_of, stamp, supervised, supervised_product
from tests.personas import Persona, make_buyer, make_operator
from unsubscriptions.operations import agreements, requesting, reviewing
from unsubscriptions.queries.lists import negotiable_lines
from unsubscriptions.queries.standing import standing_of, standings_of, way_of
from unsubscriptions.rules import matrix
from unsubscriptions.states import Way

NEGOTIATED = {
    DeliveryMethod.SAAS,
    DeliveryMethod.LICENSE,
    DeliveryMethod.PROFESSIONAL_SERVICE,
    DeliveryMethod.HARDWARE,
}
MODES = (BillingMode.PERIOD, BillingMode.ONE_TIME, BillingMode.ON_DEMAND, BillingMode.ON_DEMAND_PKG)


def expected(method: DeliveryMethod, supervised_: bool, mode: BillingMode, pack: str) -> Way:
    """The table of the specification, read once more."""
    if method == DeliveryMethod.IMAGE:
        return Way.IMAGE if mode == BillingMode.PERIOD and not supervised_ else Way.NEVER
    return Way.NEGOTIATED if pack == "2025" and supervised_ and method in NEGOTIATED else Way.NEVER


@pytest.mark.parametrize("pack", ["2025", "2024"])
@pytest.mark.parametrize("supervised_", [True, False])
@pytest.mark.parametrize("method", list(DeliveryMethod))
def test_the_table_says_how_a_line_is_given_back(method: DeliveryMethod, supervised_: bool, pack: str) -> None:
    for mode in MODES:
        found = matrix.way(method=method, supervised=supervised_, billing_mode=mode, matrix=pack)
        assert found is expected(method, supervised_, mode, pack), mode


def refused(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


STATES = ("opened", "delivered", "accepted", "completed", "canceled", "frozen", "asked", "given_back")
METHODS = ("saas", "license", "professional_service", "hardware")
CODES = {"completed": "unsub_completed", "canceled": "unsub_order_state", "frozen": "flow_frozen"}


def bring(deal: Deal, state: str) -> None:
    """Bring a deal to a state."""
    if state in ("delivered", "accepted", "completed"):
        while not deal.step.is_acceptance:
            {"submit": deal.submit, "review": deal.accept_request}.get(deal.step.value, deal.deliver)()
    if state in ("accepted", "completed"):
        deal.accept()
    if state == "completed":
        deal.wait(hours=3)
    if state in ("frozen", "canceled"):
        deal.appeal()
    if state == "canceled":
        appeal = deal.decide("refund_all")
        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "state"), list(every(METHODS, STATES)))
def test_a_supervised_line_is_negotiated_until_it_is_completed_under_the_pack_of_its_order(
    method: str, state: str
) -> None:
    for pack in ("2025", "2024"):
        deal = supervised(method, policy=PolicySet(pack=pack, overrides={"appeal.mode": "anytime"}).to_json())
        listed = negotiable_lines(deal.buyer.account.pk, deal.at)
        if pack == "2024":
            bring(deal, state if state not in ("asked", "given_back") else "opened")
            assert refused(lambda deal=deal: ask(deal)) == "unsub_never"
            assert not listed.exists()
            continue
        if state in ("asked", "given_back"):
            asked = ask(deal)
            assert negotiable_lines(deal.buyer.account.pk, deal.at).get().open_request == asked.number
            if state == "given_back":
                agree(deal, asked)
            code = {"asked": "unsub_open", "given_back": "unsub_done"}[state]
            assert refused(lambda deal=deal: ask(deal)) == code
            assert listed.exists() is (state == "asked")
            continue
        bring(deal, state)
        assert negotiable_lines(deal.buyer.account.pk, deal.at).exists() is (state not in ("completed", "canceled"))
        if state in CODES:
            assert refused(lambda deal=deal: ask(deal)) == CODES[state]
        else:
            assert ask(deal).is_open


def unsupervised(buyer: Persona, which: str) -> Order:
    """Something bought that no flow delivers."""
    if which == "saas":
        return orders.bought(buyer, catalog.saas_product(), at=AT)
    product = catalog.make_product(
        delivery_method=which, handover_text="Here.", plans=[catalog.plan(unit_price="100.00", mode="ONE_TIME")]
    )
    return orders.bought(buyer, product, at=AT)


def ask_for(buyer: Persona, order: Order, amount: str = "10.00", *, at: Any = AT) -> Any:
    return requesting.request(
        buyer.call(at=at, key=pages.new_key()),
        line=order.line.number,
        amount=usd(amount),
        reason="by_mistake",
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("which", "code"), [("content_service", "unsub_one_time"), ("consulting_service", "unsub_one_time")]
)
def test_what_no_flow_delivers_is_never_negotiated(which: str, code: str) -> None:
    buyer = make_buyer()
    order = unsupervised(buyer, which)
    assert refused(lambda: ask_for(buyer, order)) == code
    assert not negotiable_lines(buyer.account.pk, AT).exists()


@pytest.mark.django_db
def test_a_special_agreement_beats_the_table_even_after_the_order_is_completed() -> None:
    buyer = make_buyer()
    order = unsupervised(buyer, "content_service")
    specially(order.line.number, at=AT)
    assert negotiable_lines(buyer.account.pk, AT).get().pk == order.line.pk
    asked = ask_for(buyer, order, "40.00")
    answered = reviewing.agree(seller_of(order.product).call(at=AT, key=pages.new_key()), request=asked.number)
    order.refresh_from_db()
    money = order_money(order.number)
    assert (order.state, order.unsubscribed_at) == (OrderState.COMPLETED, AT)
    assert (money.paid, money.refunded, money.earned) == (usd(100), usd(40), usd(60))
    resource = Resource.objects.get(line=order.line)
    assert (resource.status, resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.UNSUBSCRIBED)
    assert answered.payout.order.total == usd(-40)
    assert refused(lambda: ask_for(buyer, order)) == "unsub_done"
    assert check_ledger(system_call()).findings == []


@pytest.mark.django_db
def test_a_resource_that_is_renewed_or_has_expired_is_refused_whatever_was_agreed() -> None:
    owned = subscribed(term="1-month", at="2026-03-10")
    line = owned.resource.line
    specially(line.number, at=owned.now)
    unpaid = owned.place("1-month")

    def asking() -> Any:
        call = owned.buyer.call(at=owned.now, key=pages.new_key())
        return requesting.request(call, line=line.number, amount=usd(5), reason="by_mistake")

    assert refused(asking) == "unsub_busy"
    owned.at("2026-03-12")
    unpaid.refresh_from_db()
    assert unpaid.state == OrderState.CANCELED
    requesting.withdraw(owned.buyer.call(at=owned.now, key=pages.new_key()), request=asking().number)
    owned.at("2026-04-12")
    assert refused(asking) == "unsub_expired"


@pytest.mark.django_db
def test_a_special_agreement_may_forbid_what_the_table_allows_and_end_again() -> None:
    deal = supervised("license")
    specially(deal.flow.number, "never", at=deal.at)
    assert refused(lambda: ask(deal)) == "unsub_by_agreement"
    assert not negotiable_lines(deal.buyer.account.pk, deal.at).exists()
    agreements.end_agreement(make_operator().call(at=deal.at, key=pages.new_key()), agreement=deal.flow.number)
    assert ask(deal).is_open


@pytest.mark.django_db
def test_a_supervised_order_by_special_agreement_is_given_back_after_its_completion() -> None:
    deal = supervised("license")
    bring(deal, "completed")
    with clock.at(deal.at):
        sweeps["completing-flows"].run(deal.at)
    assert refused(lambda: ask(deal)) == "unsub_completed"
    specially(deal.flow.number, at=deal.at)
    agree(deal, ask(deal, "200.00"))
    money = order_money(deal.order.number)
    assert (money.refunded, money.earned) == (usd(200), usd(1000))
    assert deal.step.value == "completed"


@pytest.mark.django_db
def test_an_invoiced_line_needs_its_invoice_back_unless_the_policy_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deal = supervised("license")
    invoice = LiveInvoice(number="IN1", url="/console/invoices/IN1/")
    monkeypatch.setattr(
        billing_queries, "_invoices", [lambda lines: {line: invoice for line in lines if line == deal.flow.number}]
    )
    assert refused(lambda: ask(deal)) == "unsub_invoiced"
    stamp(deal.order, PolicySet(overrides={"unsub.require_invoice_return": False}).to_json())
    assert ask(deal).is_open


@pytest.mark.django_db
def test_an_invoice_issued_meanwhile_holds_the_agreement_up(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = supervised("license")
    asked = ask(deal)
    invoice = LiveInvoice(number="IN1", url="/console/invoices/IN1/")
    monkeypatch.setattr(billing_queries, "_invoices", [lambda lines: dict.fromkeys(lines, invoice)])
    assert refused(lambda: agree(deal, asked)) == "unsub_invoiced"


@pytest.mark.django_db
def test_free_and_trial_lines_and_frozen_accounts_are_refused() -> None:
    free = supervised(
        product=supervised_product(plans=[catalog.plan(unit_price="0.00", term_unit="year", lengths=[1])])
    )
    assert refused(lambda: ask(free)) == "unsub_free"
    tried, product = make_buyer(), supervised_product("saas", trial_days=30)
    order = orders.place(tried, product, at=AT, trial="1")
    trial = Deal(flow=Flow.objects.get(order=order), buyer=tried, seller=seller_of(product), at=AT)
    assert refused(lambda: ask(trial)) == "unsub_trial"
    deal = supervised("license")
    with guard.opened("test"):
        account = deal.buyer.account
        account.frozen_at, account.frozen_by, account.frozen_reason = deal.at, "operations", "Checked."
        account.save()
    assert refused(lambda: ask(deal)) == "account_frozen"


@pytest.mark.django_db
def test_what_decides_is_read_for_a_hundred_lines_with_the_queries_of_one(django_assert_max_num_queries: Any) -> None:
    buyer = make_buyer()
    for _ in range(3):
        supervised("license", buyer=buyer)
    with django_assert_max_num_queries(5):
        lines = list(negotiable_lines(buyer.account.pk, AT))
        assert len(standings_of(lines, account=buyer.account, at=AT)) == 3
    assert way_of(lines[0]) is Way.NEGOTIATED
    assert standing_of(lines[0], account=None, at=AT + timedelta(hours=1)).limit == Money(usd(1200).amount, "USD")
