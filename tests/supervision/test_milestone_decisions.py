"""Appeals on milestone orders: what a decision does to bills and their money, and how its preview says so."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.urls import reverse

from billing.models import Milestone, Payment, Refund
from billing.operations import paying, repaying, settling_cards
from billing.operations.checking import check_ledger
from billing.queries import balance, credit, order_money
from billing.states import BillState, CreditKind
from catalog.models import PrivateOffer
from catalog.states import OfferState
from koogallery import clock
from koogallery.identity.states import OperatorRole
from koogallery.kernel import pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps, tick
from orders.states import OrderState
from supervision.models import Appeal
from supervision.operations import deciding
from supervision.states import AppealState, Decision, Step
from tests.factories import billing
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.supervision import Deal, supervised
from tests.personas import make_operator

pytestmark = pytest.mark.django_db

BILLS = ["300.00", "300.00", "400.00"]


def second_part(*, repaid: tuple[int, ...] = (1,), price: str = "1000.00", **fields: Any) -> Deal:
    """Three milestones, the first accepted, the second delivered; some of their bills repaid."""
    deal = in_milestones(price=price, **fields).to(Step.ACCEPT)
    if 1 in repaid:
        repay(bills_of(deal.order)[0], at=deal.at)
    deal.accept()
    deal.wait(hours=1).deliver()
    if 2 in repaid:
        repay(bills_of(deal.order)[1], at=deal.at)
    return deal


def amounts(deal: Deal) -> tuple[str, str, str]:
    """Held, earned, refunded."""
    found = order_money(deal.flow.order_number)
    held, earned, refunded = (str(each.rounded().amount) for each in (found.held, found.earned, found.refunded))
    return held, earned, refunded


def states(deal: Deal) -> list[str]:
    return [bill.state for bill in bills_of(deal.order)]


def owed(deal: Deal) -> str:
    assert deal.buyer.account is not None
    found = credit(deal.buyer.account.pk, CreditKind.MILESTONE)
    assert found is not None
    return str(found.owed.rounded().amount)


def decided(deal: Deal, decision: str, **arguments: Any) -> Appeal:
    """An appeal, decided by as many as it takes."""
    deal.appeal()
    appeal: Appeal = deal.wait(hours=1).decide(decision, **arguments)
    if appeal.state == AppealState.PROPOSED:
        call = make_operator().call(at=deal.at, key=pages.new_key())
        appeal = deciding.countersign(call, appeal=appeal.number)
        deal.flow.refresh_from_db()
    assert check_ledger(system_call()).findings == []
    return appeal


# Each decision


def test_refund_all_gives_back_what_the_seller_earned_too_and_withdraws_open_bills() -> None:
    deal = second_part(repaid=(1,))
    assert (amounts(deal), states(deal), owed(deal)) == (("0.00", "300.00", "0.00"), ["repaid", "open"], "300.00")
    before = balance(deal.buyer.account.pk)
    appeal = decided(deal, "refund_all")
    assert appeal.effects == {
        "refunded": "300.00",
        "earned": "0.00",
        "held": "0.00",
        "taken_back": "300.00",
        "withdrawn": "300.00",
        "lapsed": "400.00",
        "currency": "USD",
    }
    assert (deal.step, deal.order.state) == (Step.CANCELED, OrderState.CANCELED)
    assert (amounts(deal), states(deal), owed(deal)) == (("0.00", "0.00", "300.00"), ["repaid", "withdrawn"], "0.00")
    assert balance(deal.buyer.account.pk) == before + usd(300)
    last = Milestone.objects.get(line_number=deal.flow.number, position=3)
    assert (last.lapsed_at, last.bill_due_at) == (deal.at, None)
    deal.wait(days=60)
    tick(deal.at)
    assert len(bills_of(deal.order)) == 2


@pytest.mark.parametrize(
    ("delivered", "state", "taken"), [(False, OfferState.IN_EFFECT, 0), (True, OfferState.USED, 1)]
)
def test_refund_all_frees_the_offer_only_before_a_part_was_delivered(
    delivered: bool, state: OfferState, taken: int
) -> None:
    deal = second_part() if delivered else in_milestones(price="1000.00").to(Step.PROVIDE)
    decided(deal, "refund_all")
    offer = PrivateOffer.objects.get()
    assert (offer.state, offer.taken) == (state, taken)


def test_complete_and_settle_earns_what_is_held_keeps_bills_due_and_lets_the_rest_lapse() -> None:
    deal = in_milestones().to(Step.ACCEPT)
    deal.accept()
    deal.deliver()
    first, second = bills_of(deal.order)
    repay(second, at=deal.at)
    assert (amounts(deal), states(deal)) == (("300.00", "0.00", "0.00"), ["open", "repaid"])
    appeal = decided(deal, "complete")
    assert {name: appeal.effects.get(name) for name in ("refunded", "earned", "held", "due", "lapsed")} == {
        "refunded": "0.00",
        "earned": "300.00",
        "held": "0.00",
        "due": "300.00",
        "lapsed": "400.00",
    }
    assert (deal.order.state, amounts(deal)) == (OrderState.COMPLETED, ("0.00", "300.00", "0.00"))
    assert (states(deal), owed(deal)) == (["open", "repaid"], "300.00")
    last = Milestone.objects.get(line_number=deal.flow.number, position=3)
    assert (last.lapsed_at, last.earn_from) == (deal.at, None)
    first.refresh_from_db()
    repay(first, at=deal.wait(days=3).at)
    assert (amounts(deal), states(deal), owed(deal)) == (("0.00", "600.00", "0.00"), ["repaid", "repaid"], "0.00")
    tick(deal.wait(days=90).at)
    assert len(bills_of(deal.order)) == 2
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize(
    ("refund", "payments", "left"),
    [
        ("100", [("300.00", "0.00"), ("300.00", "100.00")], ("200.00", "300.00", "100.00")),
        ("400", [("300.00", "100.00"), ("300.00", "300.00")], ("0.00", "200.00", "400.00")),
        ("600", [("300.00", "300.00"), ("300.00", "300.00")], ("0.00", "0.00", "600.00")),
    ],
)
def test_a_part_is_refunded_from_the_milestone_in_dispute_before_an_accepted_one(
    refund: str, payments: list[tuple[str, str]], left: tuple[str, str, str]
) -> None:
    deal = second_part(repaid=(1, 2))
    appeal = decided(deal, "refund_part", refund=usd(refund))
    found = Payment.objects.filter(line_number=deal.flow.number).order_by("pk")
    assert [(str(each.money.rounded().amount), f"{each.refunded:.2f}") for each in found] == payments
    assert amounts(deal) == left
    assert appeal.effects.get("taken_back", "0.00") == f"{max(0, int(refund) - 300)}.00"
    assert "lapsed" not in appeal.effects and "withdrawn" not in appeal.effects
    assert (deal.step, deal.flow.milestone) == (Step.ACCEPT, 2)
    deal.accept()
    assert [str(bill.money.rounded().amount) for bill in bills_of(deal.order)] == BILLS
    assert amounts(deal) == ("0.00", f"{600 - int(refund)}.00", left[2])
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize(("repaid", "refund"), [((), "0.01"), ((1,), "300.01"), ((1, 2), "600.01")])
def test_no_more_is_refunded_in_part_than_was_paid(repaid: tuple[int, ...], refund: str) -> None:
    deal = second_part(repaid=repaid)
    deal.appeal()
    with pytest.raises(Refused, match="refund_part_too_much") as refused:
        deal.decide("refund_part", refund=usd(refund))
    assert refused.value.field == "refund"
    assert not Refund.objects.exists()


def test_all_of_a_fully_paid_milestone_order_is_no_part_of_it() -> None:
    deal = second_part(repaid=(1, 2))
    deal.accept()
    deal.deliver()
    repay(bills_of(deal.order)[2], at=deal.at)
    deal.appeal()
    with pytest.raises(Refused, match="refund_part_too_much"):
        deal.decide("refund_part", refund=usd(1000))
    deal.decide("refund_part", refund=usd("999.99"))
    assert amounts(deal) == ("0.00", "0.01", "999.99")


def test_bills_keep_their_due_dates_while_the_flow_is_frozen_and_may_be_repaid() -> None:
    deal = second_part()
    before = [(bill.generated_at, bill.due_at, bill.overdue_due_at) for bill in bills_of(deal.order)]
    deal.appeal()
    deal.wait(days=40)
    sweeps["milestone-bills"].run(deal.at)
    second = bills_of(deal.order)[1]
    assert second.shown_state(deal.at) == BillState.OVERDUE
    deal.decide("continue")
    assert [(bill.generated_at, bill.due_at, bill.overdue_due_at) for bill in bills_of(deal.order)] == before
    with pytest.raises(Refused, match="milestone_bill_overdue"):
        deal.accept()
    repay(second, at=deal.at)
    deal.accept()
    assert len(bills_of(deal.order)) == 3


def test_a_repayment_while_the_flow_is_frozen_is_held_and_changes_a_proposed_decision() -> None:
    deal = second_part(price="2000.00", repaid=())
    deal.appeal()
    deal.decide("refund_all")
    appeal = deal.flow.appeals.get()
    assert (appeal.state, appeal.effects["withdrawn"], appeal.effects["lapsed"]) == (
        AppealState.PROPOSED,
        "1200.00",
        "800.00",
    )
    repay(bills_of(deal.order)[1], at=deal.at)
    assert amounts(deal) == ("600.00", "0.00", "0.00")
    with pytest.raises(Refused, match="effects_changed"):
        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)


@pytest.mark.parametrize(
    ("decision", "arguments", "price", "second"),
    [
        ("refund_all", {}, "1000.00", False),
        ("refund_all", {}, "1000.10", True),
        ("complete", {}, "1000.00", False),
        ("complete", {}, "1000.10", True),
        ("continue", {}, "5000.00", False),
        ("restart", {"restart": "provide"}, "5000.00", False),
    ],
)
def test_withdrawn_lapsed_and_due_bills_count_for_the_second_signature(
    decision: str, arguments: dict[str, Any], price: str, second: bool
) -> None:
    deal = second_part(price=price, repaid=())
    deal.appeal()
    appeal = deal.decide(decision, **arguments)
    assert appeal.state == (AppealState.PROPOSED if second else AppealState.DECIDED)


def test_money_that_arrives_for_a_withdrawn_bill_goes_back_at_once() -> None:
    deal = second_part(repaid=())
    card = billing.card(deal.buyer.account)
    call = deal.buyer.call(at=deal.at, key=pages.new_key())
    payment = repaying.start_by_card(call, bill=bills_of(deal.order)[0].number, card=card.code)
    decided(deal, "refund_all")
    assert states(deal) == ["withdrawn", "withdrawn"]
    deal.wait(minutes=1)
    paying.ask_gateway(payment, at=deal.at)
    settling_cards.settle_payment(system_call(at=deal.at), payment=payment.number)
    assert states(deal) == ["withdrawn", "withdrawn"]
    assert (amounts(deal), owed(deal)) == (("0.00", "0.00", "300.00"), "0.00")
    assert [(part.destination, part.amount) for part in Refund.objects.get().parts.all()] == [("card", 300)]
    assert check_ledger(system_call()).findings == []


# Its preview


def test_the_preview_and_the_appeals_page_name_what_becomes_of_the_bills() -> None:
    officer = make_operator(OperatorRole.APPEAL_OFFICER)
    deal = second_part(at=clock.now())
    appeal = deal.appeal()
    address = reverse("admin:supervision_appeal_operation", args=[appeal.pk, "decideAppeal"])
    form = {"decision": "refund_all", "refund": "", "restart": "", "note": "Nothing works."}
    shown = officer.client.post(address, form)
    text = text_of(shown)
    for words in (
        "Back to the customer (Account balance) USD 300.00",
        "Of it from what the seller earned USD 300.00",
        "Bills withdrawn USD 300.00",
        "Not billed any more USD 400.00",
        "Second signature not needed",
    ):
        assert words in text
    assert "stay due" not in text
    officer.client.post(address, {**form, "sign": "1", "previewed": shown.context["previewed"]})
    page = text_of(officer.client.get(reverse("admin:supervision_appeal_change", args=[appeal.pk])))
    assert "of it from what the seller earned USD 300.00; bills withdrawn USD 300.00" in page


def test_an_order_without_milestones_has_no_word_of_bills_in_its_effects() -> None:
    appeal = supervised("license").appeal()
    found = deciding.preview(appeal, decision=Decision.REFUND_ALL).to_json()
    assert sorted(found) == ["currency", "earned", "held", "refunded"]


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))
