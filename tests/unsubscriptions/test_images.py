"""Unsubscribing images: by formula, free within five days, a renewal that has not started alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from billing.models import Refund
from billing.operations.checking import check_ledger
from billing.queries import LiveInvoice, balance, order_money, use_invoices
from billing.queries import _invoices as invoices_port
from billing.rules.explanation import recompute
from koogallery.identity.models import Account
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from orders.models import AutoRenewal, Order, ResourceTerm
from orders.states import CloseReason, OrderState, OrderType, ResourceStatus
from tests.factories.billing import usd
from tests.factories.identity import UserFactory, deny
from tests.factories.returns import specially
from tests.factories.subscriptions import Owned, image, subscribed
from tests.personas import Persona
from unsubscriptions.models import FreeUse, Payout, Request
from unsubscriptions.operations import images
from unsubscriptions.queries.images import Case, case_of
from unsubscriptions.states import Kind, PayoutState, RequestState, Status

pytestmark = pytest.mark.django_db


def case(owned: Owned) -> Case:
    return case_of(owned.resource, account=owned.buyer.account, at=owned.now)


def unsubscribe(owned: Owned, expected: Money | None = None, *, by: Persona | None = None, **more: Any) -> Request:
    found = case(owned).refund
    assert found is not None
    call = (by or owned.buyer).call(at=owned.now, key=pages.new_key())
    asked = images.unsubscribe(call, resource=owned.resource.number, expected=expected or found.amount)
    owned.resource.refresh_from_db()
    return asked


def unsubscribe_renewal(owned: Owned, expected: Money | None = None) -> Request:
    found = case(owned).renewal
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    asked = images.unsubscribe_renewal(
        call, resource=owned.resource.number, expected=expected or (found.amount if found else usd(0))
    )
    owned.resource.refresh_from_db()
    return asked


def refused(work: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []


def order_of(owned: Owned) -> Order:
    return Order.objects.get(number=owned.resource.order_number)


def test_the_published_example_gives_44_62_back() -> None:
    owned = image(at="2024-01-01T10:30:00+08:00").at("2024-01-15T18:40:00+08:00")
    before = balance(owned.buyer.account.pk)
    asked = unsubscribe(owned)
    assert (asked.kind, asked.state, asked.status) == (Kind.IMAGE, RequestState.AGREED, Status.REFUNDED)
    assert (asked.money, asked.limit) == (usd("44.62"), usd(100))
    assert balance(owned.buyer.account.pk) == before + usd("44.62")
    order, money = order_of(owned), order_money(owned.resource.order_number)
    assert (order.state, order.unsubscribed_at) == (OrderState.COMPLETED, owned.now)
    assert (money.paid, money.earned, money.refunded) == (usd(100), usd("55.38"), usd("44.62"))
    assert (owned.resource.status, owned.resource.close_reason) == (ResourceStatus.CLOSED, CloseReason.UNSUBSCRIBED)
    returned = Order.objects.get(type=OrderType.UNSUBSCRIBE)
    line = returned.lines.get()
    assert (returned.state, line.total, line.reverses) == (OrderState.COMPLETED, usd("-44.62"), order.line)
    assert recompute(line.explanation) == usd("44.62")
    assert recompute(Refund.objects.get().explanation) == usd("44.62")
    payout = Payout.objects.get()
    assert (payout.state, payout.due_at) == (PayoutState.DONE, owned.now + timedelta(hours=3))
    trace = Trace.objects.get(trace_name="unsubscribeImage")
    assert (trace.resource_type, trace.resource_id) == ("Subscription", owned.resource.order_number)
    told = Message.objects.filter(account_id=owned.buyer.account.pk).order_by("pk").values_list("kind", flat=True)
    assert list(told)[-2:] == ["resource_closed", "image_unsubscribed"]
    seller = Message.objects.filter(account_id=order.seller.account_id, kind="unsubscription_settled").get()
    assert "55.38" in str(seller.params)
    assert not FreeUse.objects.exists()
    in_sound_books()


@pytest.mark.parametrize(("seconds", "amount", "uses"), [(5 * 24 * 3600, "100.00", 1), (5 * 24 * 3600 + 1, "74.17", 0)])
def test_within_five_times_24_hours_everything_goes_back_and_one_of_ten_is_used(
    seconds: int, amount: str, uses: int
) -> None:
    owned = image(at="2024-01-01T10:30:00+08:00")
    owned.now += timedelta(seconds=seconds)
    assert unsubscribe(owned).money == usd(amount)
    assert [(use.year, use.time) for use in FreeUse.objects.all()] == [(2024, 1)] * uses
    in_sound_books()


def test_the_eleventh_within_a_year_pays_by_formula_and_the_next_year_begins_anew() -> None:
    owned = image(at="2024-12-28T10:30:00+08:00")
    for time in range(1, 11):
        another = image(at="2024-12-28T10:30:00+08:00", buyer=owned.buyer)
        assert unsubscribe(another).free_use.time == time
    late = image(at="2024-12-28T10:30:00+08:00", buyer=owned.buyer)
    assert unsubscribe(late).money == usd(90)
    owned.now = datetime.fromisoformat("2024-12-31T23:59:59+08:00")
    assert not case(owned).refund.is_free  # type: ignore[union-attr]
    owned.now += timedelta(seconds=1)
    assert unsubscribe(owned).money == usd(100)
    assert FreeUse.objects.get(year=2025).time == 1
    in_sound_books()


@pytest.mark.django_db(transaction=True)
def test_two_images_at_once_never_share_the_last_free_one() -> None:
    first = image(at="2024-03-01", term="1-month")
    second = image(at="2024-03-01", term="1-month", buyer=first.buyer)
    filler = image(at="2024-03-01", buyer=first.buyer)
    unsubscribe(filler)
    with guard.opened("test"):
        used = Request.objects.get()
        for time in range(2, 10):
            copy = Request.objects.get(pk=used.pk)
            copy.pk, copy.number, copy.state, copy.ended_by = None, f"UN{time}", RequestState.REJECTED, "buyer"
            copy.save(force_insert=True)
            FreeUse.objects.create(request=copy, account=first.buyer.account, year=2024, time=time)
    outcomes: list[Any] = []
    start = threading.Barrier(2)

    def work(owned: Owned) -> None:
        start.wait()
        try:
            outcomes.append(unsubscribe(owned, usd(100)).amount)
        except Refused as why:
            outcomes.append(why.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(owned,)) for owned in (first, second)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(map(str, outcomes)) == ["100.00", "unsub_refund_changed"]
    assert FreeUse.objects.count() == 10
    in_sound_books()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_unsubscribe_an_image_once() -> None:
    owned = image(at="2024-01-01").at("2024-01-15")
    expected = case(owned).refund.amount  # type: ignore[union-attr]
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        call = owned.buyer.call(at=owned.now, key=pages.new_key())
        start.wait()
        try:
            images.unsubscribe(call, resource=owned.resource.number, expected=expected)
            outcomes.append("done")
        except Refused as why:
            outcomes.append(why.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["done", "unsub_expired", "unsub_expired", "unsub_expired"]
    assert (Refund.objects.count(), Request.objects.count()) == (1, 1)
    in_sound_books()


def test_a_renewed_image_gives_back_the_running_term_by_formula_and_the_next_one_whole() -> None:
    owned = image(term="1-year", at="2024-01-01")
    owned.at("2024-06-01").renew("1-year")
    owned.at("2024-07-01")
    found = case(owned).refund
    assert found is not None
    running, waiting = found.terms
    assert (waiting.price.amount, waiting.is_unstarted, running.is_unstarted) == (usd(1000), True, False)
    asked = unsubscribe(owned)
    assert asked.money == running.price.amount + usd(1000)
    returned = Order.objects.get(type=OrderType.UNSUBSCRIBE)
    assert [line.total for line in returned.lines.order_by("number")] == [-running.price.amount, usd(-1000)]
    assert Refund.objects.count() == 2
    assert Order.objects.filter(unsubscribed_at=owned.now).count() == 2
    in_sound_books()


def test_a_term_that_is_over_gives_nothing_back() -> None:
    owned = image(at="2024-01-01")
    owned.at("2024-01-20").renew("1-month")
    owned.at("2024-02-10")
    found = case(owned).refund
    assert found is not None
    assert [each.term.starts_on.isoformat() for each in found.terms] == ["2024-02-01"]
    asked = unsubscribe(owned)
    assert asked.line.number == owned.resource.line.number
    assert order_of(owned).unsubscribed_at == owned.now
    assert order_money(owned.resource.order_number).refunded == usd(0)
    assert Order.objects.get(type=OrderType.RENEW).unsubscribed_at == owned.now
    assert owned.resource.status == ResourceStatus.CLOSED
    in_sound_books()


def test_a_renewal_that_has_not_started_is_given_back_alone_and_whole() -> None:
    owned = image(at="2024-01-31")
    owned.automate()
    owned.at("2024-02-10")
    auto = AutoRenewal.objects.get()
    first_try = auto.next_attempt_at
    owned.renew("2-month", unified="15")
    assert owned.expires == "2024-05-15" and owned.resource.anchor_day == 15
    before = balance(owned.buyer.account.pk)
    asked = unsubscribe_renewal(owned)
    renewal = Order.objects.get(type=OrderType.RENEW)
    assert (asked.kind, asked.order, asked.money) == (Kind.RENEWAL, renewal, renewal.total)
    assert balance(owned.buyer.account.pk) == before + renewal.total
    assert (owned.expires, owned.resource.anchor_day, owned.resource.status) == ("2024-02-29", 31, "enabled")
    auto.refresh_from_db()
    assert (auto.enabled, auto.next_attempt_at) == (True, first_try)
    renewal.refresh_from_db()
    assert (renewal.unsubscribed_at, order_of(owned).unsubscribed_at) == (owned.now, None)
    assert ResourceTerm.objects.filter(resource=owned.resource).count() == 1
    assert not FreeUse.objects.exists()
    assert refused(lambda: unsubscribe_renewal(owned)).code == "unsub_no_renewal"
    owned.renew("1-month")
    assert owned.expires == "2024-03-31"
    in_sound_books()


def test_renewals_are_given_back_from_the_last() -> None:
    owned = image(at="2024-01-31")
    for _ in range(2):
        owned.renew("1-month")
    assert owned.expires == "2024-04-30"
    for expires in ("2024-03-31", "2024-02-29"):
        unsubscribe_renewal(owned)
        assert owned.expires == expires
    assert refused(lambda: unsubscribe_renewal(owned)).code == "unsub_no_renewal"
    in_sound_books()


def test_a_renewal_that_has_started_is_not_given_back_alone() -> None:
    owned = image(at="2024-01-31")
    owned.renew("1-month")
    owned.now = datetime.fromisoformat("2024-02-29T23:59:59+08:00")
    assert case(owned).renewal is not None
    owned.now += timedelta(seconds=1)
    assert case(owned).renewal is None
    assert refused(lambda: unsubscribe_renewal(owned)).code == "unsub_no_renewal"


def test_what_was_shown_is_what_is_refunded() -> None:
    owned = image(at="2024-01-01T10:30:00+08:00").at("2024-01-15T18:40:00+08:00")
    why = refused(lambda: unsubscribe(owned, usd("44.63")))
    assert (why.code, "USD 44.62" in why.sentence) == ("unsub_refund_changed", True)
    assert not Request.objects.exists() and not Order.objects.filter(type=OrderType.UNSUBSCRIBE).exists()
    owned.now += timedelta(minutes=19)
    assert unsubscribe(owned, usd("44.62")).money == usd("44.62")


def test_a_refund_of_nothing_still_ends_the_image() -> None:
    owned = image(at="2024-01-01").at("2024-02-01")
    asked = unsubscribe(owned)
    assert (asked.money, Payout.objects.get().state, owned.resource.status) == (usd(0), "done", "closed")
    assert not Refund.objects.exists()
    in_sound_books()


@pytest.mark.parametrize(("monthly", "large"), [("7000.00", False), ("7000.01", True)])
def test_a_refund_above_7000_is_large(monthly: str, large: bool) -> None:
    owned = image(at="2024-01-01", monthly=monthly)
    assert case(owned).refund.is_large is large  # type: ignore[union-attr]


# Refusals


def test_expired_images_are_refused_at_their_time_whether_or_not_the_sweep_ran() -> None:
    owned = image(at="2024-01-01")
    owned.now = datetime.fromisoformat("2024-02-02T00:00:00+08:00")
    found = case(owned)
    assert found.refund is None and found.refused is not None and found.refused.code == "unsub_expired"
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    assert (
        refused(lambda: images.unsubscribe(call, resource=owned.resource.number, expected=usd(1))).code
        == "unsub_expired"
    )


def test_a_frozen_account_is_refused() -> None:
    owned = image(at="2024-01-01")
    with guard.opened("test"):
        Account.objects.filter(pk=owned.buyer.account.pk).update(frozen_at=owned.now, frozen_by="operations")
    owned.buyer.account.refresh_from_db()
    owned.buyer.user.account.refresh_from_db()
    assert case(owned).refused.code == "account_frozen"  # type: ignore[union-attr]


def test_another_transaction_of_the_resource_stands_against_it() -> None:
    owned = image(at="2024-01-01")
    order = owned.place("1-month")
    why = refused(lambda: unsubscribe(owned))
    assert (why.code, order.number in why.sentence) == ("unsub_busy", True)
    assert refused(lambda: unsubscribe_renewal(owned)).code == "unsub_busy"
    owned.now += timedelta(hours=24)
    assert unsubscribe(owned).money == usd(100)


def test_a_live_invoice_stands_against_it() -> None:
    owned = image(at="2024-01-01")
    known = list(invoices_port)
    use_invoices(lambda lines: {line: LiveInvoice("IN1", "/console/invoices/IN1/") for line in lines})
    try:
        why = refused(lambda: unsubscribe(owned))
        assert (why.code, "IN1" in why.sentence) == ("unsub_invoiced", True)
    finally:
        invoices_port[:] = known


def test_special_agreements_beat_the_formula() -> None:
    owned = image(at="2024-01-01")
    specially(owned.resource.line.number, "never", at=owned.now)
    assert refused(lambda: unsubscribe(owned)).code == "unsub_by_agreement"
    specially(owned.resource.line.number, "negotiated", at=owned.now)
    assert refused(lambda: unsubscribe(owned)).code == "unsub_negotiated"


def test_only_images_are_given_back_by_formula() -> None:
    owned = subscribed(at="2024-01-01")
    assert refused(lambda: unsubscribe(owned)).code == "unsub_never"


def test_a_user_who_is_denied_it_is_refused() -> None:
    owned = image(at="2024-01-01")
    clerk = Persona(UserFactory(account=owned.buyer.account, is_root=False, username="clerk"), Role.BUYER)
    deny(clerk.user, images.ACTION, name="no-unsubscription")
    why = refused(lambda: unsubscribe(owned, by=clerk))
    assert (why.code, Request.objects.count()) == ("iam_denied", 0)


def test_a_stranger_finds_no_image(stranger: Persona) -> None:
    owned = image(at="2024-01-01")
    with pytest.raises(Missing):
        unsubscribe(owned, by=stranger)
    assert not Request.objects.exists()


def test_a_closed_image_is_gone() -> None:
    owned = image(at="2024-01-01")
    unsubscribe(owned)
    assert refused(lambda: unsubscribe(owned, usd(100))).code == "unsub_expired"
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("what", [unsubscribe, unsubscribe_renewal])
def test_the_auto_renewal_is_locked_before_any_money(what: Callable[[Owned], Request]) -> None:
    owned = image(at="2026-01-31", supports_auto_renewal=True)
    owned.renew("1-month")
    owned.automate()
    with CaptureQueriesContext(connection) as captured:
        what(owned)
    said = [query["sql"] for query in captured]
    first_lock = next(n for n, sql in enumerate(said) if '"orders_autorenewal"' in sql and "FOR NO KEY UPDATE" in sql)
    assert first_lock < next(n for n, sql in enumerate(said) if "billing_ledgeraccount" in sql)
