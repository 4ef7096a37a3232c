"""What buyers, sellers and resellers are told of the money when something is given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from billing.gateways import Unclear
from billing.gateways.sandbox import SandboxGateway
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import pages
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import agree, ask, paid_by, retry, specially
from tests.factories.subscriptions import Owned, image, subscribed
from tests.factories.supervision import Deal, seller_of, supervised
from tests.personas import make_buyer
from tests.unsubscriptions.test_images import unsubscribe, unsubscribe_renewal
from unsubscriptions.models import Payout, Request
from unsubscriptions.operations import requesting, reviewing
from unsubscriptions.queries.details import details_of
from unsubscriptions.queries.requests import requests_of
from unsubscriptions.states import PayoutState
from unsubscriptions.views import seller_details

pytestmark = pytest.mark.django_db


def told(kind: str, account: Any = None) -> str:
    """The one message of a kind, in words."""
    message = Message.objects.get(kind=kind, **({"account_id": account.pk} if account else {}))
    return rendering.body(kind, message.params)


def outcome_of(asked: Request, at: Any) -> seller_details.Outcome:
    found = requests_of(asked.account_id).get(pk=asked.pk)
    outcome = seller_details.outcome(details_of(found, at=at, with_refunds=False))
    assert outcome is not None
    return outcome


def test_what_is_back_at_once_is_told_once_as_back_and_the_seller_reads_what_is_his() -> None:
    deal = supervised("license")
    agree(deal, ask(deal, "400.00"))
    assert told("unsubscription_agreed").endswith("USD 400.00 went back to where it came from.")
    assert not Message.objects.filter(kind="unsubscription_refunded").exists()
    assert told("unsubscription_settled").endswith("What is left is yours: USD 800.00.")


def test_of_what_a_card_waits_for_the_buyer_reads_by_when_it_is_back_and_then_that_it_is() -> None:
    deal = paid_by("card")
    agree(deal, ask(deal, "400.00"))
    assert "USD 400.00 is back by " in told("unsubscription_agreed")
    with clock.at(deal.at):
        sweeps["card-refunds"].run(deal.at)
    assert told("unsubscription_refunded").startswith("USD 400.00 for ")


def test_an_image_that_is_back_at_once_is_told_once() -> None:
    unsubscribe(image(at="2024-01-01T10:30:00+08:00").at("2024-01-15T18:40:00+08:00"))
    assert told("image_unsubscribed").endswith("USD 44.62 went back to where it came from.")
    assert not Message.objects.filter(kind="unsubscription_refunded").exists()


def test_with_lowered_bills_nobody_reads_of_money_that_does_not_come() -> None:
    deal = in_milestones(shares=["30", "70"])
    agree(deal, ask(deal, "200.00"))
    assert "USD 200.00 is taken off milestone bills that were not paid yet; nothing is paid back." in told(
        "unsubscription_agreed"
    )
    assert told("unsubscription_settled").endswith("What is left is yours: USD 100.00.")


def test_with_bills_lowered_in_part_the_buyer_reads_of_both() -> None:
    deal = in_milestones(shares=["30", "30", "40"]).to(Step.ACCEPT)
    repay(bills_of(deal.order)[0], at=deal.at)
    deal.accept()
    agree(deal, ask(deal, "450.00"))
    words = told("unsubscription_agreed")
    assert "USD 300.00 is taken off milestone bills that were not paid yet; USD 150.00 went back to where" in words
    assert told("unsubscription_settled").endswith("What is left is yours: USD 150.00.")


def test_whoever_gives_contact_data_reads_how_long_it_counts_and_where_it_is_taken_back() -> None:
    deal = supervised("license", at=clock.now())
    address = reverse("unsubscriptions:request", args=[deal.flow.number])
    html = deal.buyer.client.get(address).content.decode()
    assert "It counts for the order, whatever becomes of this request, until you take it back under Agreements." in html
    entered = {"amount": "200.00", "reason": "by_mistake", "contact": "on"}
    assert "for this order, until you take that back under Agreements." in (
        deal.buyer.client.post(address, entered).content.decode()
    )


@pytest.mark.parametrize(("milestones", "said"), [(True, True), (False, False)])
def test_the_form_says_what_becomes_of_unpaid_bills_before_one_asks(milestones: bool, said: bool) -> None:
    at = clock.now()
    deal = in_milestones(shares=["30", "70"], at=at) if milestones else supervised("license", at=at)
    address = reverse("unsubscriptions:request", args=[deal.flow.number])
    entered = {"amount": "200.00", "reason": "by_mistake"}
    for page in (deal.buyer.client.get(address), deal.buyer.client.post(address, entered)):
        html = page.content.decode()
        assert ("What is left of those bills stays due." in html) is said
        assert ("what was billed so far, paid or not, less what was refunded" in html) is said
        assert html.count("the money goes back to where it came from") == (0 if said else html.count("Agreed, the "))


@pytest.mark.parametrize("what", [unsubscribe, unsubscribe_renewal])
def test_the_sellers_outcome_of_an_image_is_of_the_terms_that_are_given_back(what: Callable[[Owned], Request]) -> None:
    owned = image(at="2026-01-31")
    owned.renew("1-month")
    if what is unsubscribe:
        owned.at("2026-03-10")
    asked = what(owned)
    outcome = outcome_of(asked, owned.now)
    assert (outcome.paid, outcome.refund) == (usd(100), asked.money)
    assert told("unsubscription_settled").endswith(f"What is left is yours: {outcome.left}.")


def resold() -> tuple[Any, Any]:
    reseller = make_buyer(name="reseller")
    return reseller, make_buyer(name="customer", kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller.account)


def test_a_resellers_customer_reads_who_has_the_money_and_the_reseller_is_told() -> None:
    reseller, customer = resold()
    owned = subscribed(at="2026-03-10", buyer=customer, funds=1)
    line = owned.resource.line.number
    specially(line, at=owned.now)
    call = customer.call(at=owned.now, key=pages.new_key())
    asked = requesting.request(call, line=line, amount=usd(10), reason="by_mistake")
    seller = seller_of(owned.resource.product)
    with clock.at(owned.now):
        review = seller.client.get(f"/seller/unsubscriptions/{asked.number}/").content.decode()
    assert "USD 10.00 is credited to the reseller of customer." in review
    reviewing.agree(seller.call(at=owned.now, key=pages.new_key()), request=asked.number)
    name = reseller.account.name
    assert f"USD 10.00 is credited to your reseller, {name}, who settles it with you." in told("unsubscription_agreed")
    assert not Message.objects.filter(kind="unsubscription_refunded").exists()
    assert "USD 10.00 is taken off what you owe the platform" in told("customer_unsubscribed", reseller.account)


def test_a_resellers_customer_who_unsubscribes_an_image_reads_the_same() -> None:
    reseller, customer = resold()
    unsubscribe(image(at="2026-01-31", buyer=customer, funds=1))
    assert "is credited to your reseller, " in told("image_unsubscribed", customer.account)
    assert Message.objects.filter(kind="customer_unsubscribed", account_id=reseller.account.pk).count() == 1


def test_the_buyer_is_told_each_time_a_refund_fails_also_when_it_is_late_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unclear(*_given: Any, **_more: Any) -> Any:
        raise Unclear("No answer.")

    monkeypatch.setattr(SandboxGateway, "refund", unclear)
    monkeypatch.setattr(SandboxGateway, "find_refund", unclear)
    deal = paid_by("card")
    asked = ask(deal, "400.00")
    agree(deal, asked)
    for failures in (1, 2):
        _until_failed(deal)
        assert Message.objects.filter(kind="refund_failed", account_id=deal.buyer.account.pk).count() == failures
        if failures == 1:
            assert Message.objects.filter(kind="refund_late").count() == 1
            retry(asked, at=deal.at)


def _until_failed(deal: Deal) -> None:
    for _minute in range(60 * 24):
        deal.wait(minutes=10)
        with clock.at(deal.at):
            sweeps["card-refunds"].run(deal.at)
            sweeps["late-payouts"].run(deal.at)
        if Payout.objects.get().state == PayoutState.FAILED:
            return
    raise AssertionError("It never failed.")
