"""Asking, answering, taking back: the agreement, and what it does to order, flow, resource and money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.models import Trace
from billing.models import Refund
from billing.operations.checking import check_ledger
from billing.queries import balance, order_money
from koogallery import clock
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from orders.models import InterfaceCall, Order, OrderLine, Resource
from orders.operations.seller_api import order_information
from orders.states import CloseReason, OrderState, OrderType, ResourceStatus
from supervision.states import Step
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, reject, specially, withdraw
from tests.factories.subscriptions import subscribed
from tests.factories.supervision import Deal, supervised, upload
from unsubscriptions.models import Payout, Request
from unsubscriptions.operations import requesting
from unsubscriptions.states import PayoutState, RequestState, Status

pytestmark = pytest.mark.django_db


def run(name: str, deal: Deal) -> None:
    with clock.at(deal.at):
        sweeps[name].run(deal.at)


def refused(work: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []


def kinds(account: Any) -> list[str]:
    return list(Message.objects.filter(account_id=account.pk).order_by("pk").values_list("kind", flat=True))


def test_the_buyer_asks_and_the_order_waits_for_the_answer() -> None:
    deal = supervised("license")
    asked = ask(deal, "400.00", reason="other", text="The project ended.")
    assert (asked.state, asked.status, asked.money, asked.limit) == (
        RequestState.REQUESTED,
        Status.REQUESTED,
        usd(400),
        usd(1200),
    )
    assert deal.flow.held_at == deal.at
    assert order_money(deal.order.number).held == usd(1200)
    assert kinds(deal.seller.account)[-1] == "unsubscription_requested"
    trace = Trace.objects.get(trace_name="unSubscribeByNegotiation")
    assert (trace.resource_type, trace.resource_id) == ("Subscription", deal.order.number)
    assert deal.flow.records.order_by("pk").last().kind == "unsub_asked"
    deal.deliver()
    deal.accept()
    deal.wait(hours=5)
    run("completing-flows", deal)
    assert (deal.step, deal.order.state) == (Step.ACCEPTED, OrderState.PROCESSING)


def test_agreed_the_refund_is_back_the_rest_is_earned_and_everything_has_ended() -> None:
    deal = supervised("license")
    before = balance(deal.buyer.account.pk)
    asked = agree(deal, ask(deal, "400.00"), comment="We agree.", uploads=[upload()])
    assert (asked.state, asked.comment, asked.files.count()) == (RequestState.AGREED, "We agree.", 1)
    order, money = deal.order, order_money(deal.order.number)
    assert (order.state, order.completed_at, order.unsubscribed_at) == (OrderState.COMPLETED, deal.at, deal.at)
    assert (money.paid, money.held, money.earned, money.refunded) == (usd(1200), usd(0), usd(800), usd(400))
    assert balance(deal.buyer.account.pk) == before + usd(400)
    assert (deal.step, deal.flow.held_at, deal.flow.ended_at) == (Step.UNSUBSCRIBED, None, deal.at)
    resource = Resource.objects.get(line=deal.flow.line)
    assert (resource.status, resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.UNSUBSCRIBED)
    returned = Order.objects.get(type=OrderType.UNSUBSCRIBE)
    line = returned.lines.get()
    assert (returned.state, returned.total, line.total, line.reverses) == (
        OrderState.COMPLETED,
        usd(-400),
        usd(-400),
        deal.flow.line,
    )
    payout = Payout.objects.get()
    assert (payout.state, payout.done_at, payout.money, payout.due_at) == (
        PayoutState.DONE,
        deal.at,
        usd(400),
        deal.at + timedelta(hours=3),
    )
    assert Request.objects.get().status is Status.REFUNDED
    assert kinds(deal.buyer.account)[-1] == "unsubscription_agreed"
    deal.wait(days=2)
    run("completing-flows", deal)
    run("late-payouts", deal)
    assert Payout.objects.get().breached_at is None
    in_sound_books()


def test_the_sellers_server_is_told_to_release_the_instance_by_the_order_that_gives_it_back() -> None:
    deal = supervised(
        "saas", interface_version="2", interface_url="http://127.0.0.1:8765/", interface_key="0123456789abcdef" * 2
    )
    with guard.opened("test"):
        Resource.objects.filter(line=deal.flow.line).update(instance_id="inst-1")
    agree(deal, ask(deal, "400.00"))
    returned = Order.objects.get(type=OrderType.UNSUBSCRIBE)
    released = InterfaceCall.objects.get(activity="releaseInstance")
    told = released.parameters
    assert (told["instanceId"], told["orderId"], told["orderLineId"]) == (
        "inst-1",
        returned.number,
        returned.line.number,
    )
    asked_for = order_information(deal.seller.call(at=deal.at), order=returned.number).to_json()
    line = asked_for["orderLine"][0]
    assert (asked_for["orderType"], line["currencyAfterDiscount"]) == ("UNSUBSCRIBE", "-400.00")
    assert "currency" not in line and "expireTime" not in line


@pytest.mark.parametrize("delivered", [True, False])
def test_without_an_instance_the_seller_is_asked_to_end_what_was_delivered(delivered: bool) -> None:
    deal = supervised("license")
    if delivered:
        deal.deliver()
    agree(deal, ask(deal, "400.00"))
    assert ("resource_to_release" in kinds(deal.seller.account)) is delivered


def test_a_seller_whose_delivery_was_rejected_is_asked_to_end_what_he_had_handed_over() -> None:
    deal = supervised("license")
    deal.deliver()
    deal.reject()
    agree(deal, ask(deal, "400.00"))
    assert "resource_to_release" in kinds(deal.seller.account)


def test_only_the_purchase_is_negotiated_not_what_follows_it() -> None:
    owned = subscribed(at="2026-03-10")
    line = owned.renew("1-month").line.number
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    found = refused(lambda: requesting.request(call, line=line, amount=usd(1), reason="by_mistake"))
    assert found.code == "unsub_follow_up"
    assert refused(lambda: specially(line, at=owned.now)).code == "unsub_follow_up"


@pytest.mark.parametrize("answer", [reject, withdraw])
def test_rejected_or_withdrawn_the_order_goes_on_and_one_may_ask_again(answer: Any) -> None:
    deal = supervised("license")
    ended = answer(deal, ask(deal, "400.00"))
    assert ended.status in (Status.REJECTED, Status.WITHDRAWN)
    assert deal.flow.held_at is None and deal.step == Step.HAND_OVER
    deal.deliver()
    deal.accept()
    deal.wait(hours=1)
    again = ask(deal, "1200.00")
    assert again.is_open and Request.objects.count() == 2
    agree(deal, again)
    assert order_money(deal.order.number).refunded == usd(1200)
    in_sound_books()


@pytest.mark.parametrize("answer", [reject, withdraw])
def test_rejected_after_the_three_hours_it_completes_at_once(answer: Any) -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    deal.wait(hours=2)
    asked = ask(deal, "400.00")
    deal.wait(hours=8)
    answer(deal, asked)
    order = deal.order
    assert (deal.step, order.state, order.completed_at) == (Step.COMPLETED, OrderState.COMPLETED, deal.at)
    assert order_money(order.number).earned == usd(1200)
    assert refused(lambda: ask(deal)).code == "unsub_completed"
    in_sound_books()


@pytest.mark.parametrize("answer", [reject, withdraw])
@pytest.mark.parametrize(("days", "starts_late"), [(10, False), (400, True)])
def test_a_term_that_ran_out_while_the_request_waited_starts_with_the_completion(
    answer: Any, days: int, starts_late: bool
) -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    accepted_at = deal.at
    asked = ask(deal)
    deal.wait(days=days)
    answer(deal, asked)
    resource = Resource.objects.get(line=deal.flow.line)
    started = clock.platform_date(deal.at if starts_late else accepted_at)
    assert (deal.step, resource.terms.get().start) == (Step.COMPLETED, started)
    assert resource.expires_at is not None and resource.expires_at > deal.at
    run("resource-life", deal)
    assert Resource.objects.get(pk=resource.pk).status == ResourceStatus.ENABLED


def test_rejected_before_the_three_hours_it_completes_when_it_would_have() -> None:
    deal = supervised("license")
    deal.deliver()
    deal.accept()
    due = deal.at + timedelta(hours=3)
    asked = ask(deal)
    deal.wait(hours=1)
    reject(deal, asked)
    deal.wait(hours=9)
    assert refused(lambda: ask(deal)).code == "unsub_completed"
    run("completing-flows", deal)
    assert (deal.step, deal.order.completed_at) == (Step.COMPLETED, due)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "amount_not_positive"),
        ("-1", "amount_not_positive"),
        ("1200.01", "unsub_exceeds"),
        ("0.001", "amount_not_whole"),
        ("NaN", "unsub_amount_format"),
    ],
)
def test_an_amount_is_more_than_nothing_whole_and_at_most_the_actual_payment(amount: str, code: str) -> None:
    deal = supervised("license")
    found = refused(lambda: ask(deal, amount))
    assert (found.code, found.field) == (code, "amount")
    assert not Request.objects.exists() and deal.flow.held_at is None


@pytest.mark.parametrize("amount", ["0.01", "1200.00", "1200"])
def test_the_bounds_themselves_can_be_asked_for(amount: str) -> None:
    assert ask(supervised("license"), amount).money == usd(amount)


def test_another_reason_needs_words_and_a_reason_must_be_chosen() -> None:
    deal = supervised("license")
    assert refused(lambda: ask(deal, reason="")).code == "unsub_reason_needed"
    assert refused(lambda: ask(deal, reason="other", text="  ")).code == "unsub_text_needed"
    assert refused(lambda: ask(deal, text="x" * 1001)).code == "text_too_long"


def test_a_line_has_one_open_request_and_is_unsubscribed_once() -> None:
    deal = supervised("license")
    asked = ask(deal)
    assert refused(lambda: ask(deal)).code == "unsub_open"
    agree(deal, asked)
    assert refused(lambda: ask(deal)).code == "unsub_done"
    for answer in (agree, reject, withdraw):
        assert refused(lambda answer=answer: answer(deal, asked)).code == "unsub_not_open"
    assert Refund.objects.count() == 1 and OrderLine.objects.filter(reverses__isnull=False).count() == 1
