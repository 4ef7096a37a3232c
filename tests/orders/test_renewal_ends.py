"""How renewals and changes end: overdue, given up, overtaken by the clock, or by another step of the resource (R19)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.queries import balance
from koogallery.kernel import guard, pages, rehearsal
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.example_seller import ExampleSeller
from orders.models import AutoRenewal, InterfaceCall, Order, OrderEvent, OrderLine, RenewalChange, Resource
from orders.operations import auto_renewing, cancelling, expiration, interface_calls, resources, taking_effect
from orders.states import (
    CallState,
    CancelReason,
    ExpirationPolicy,
    OrderState,
    OrderStep,
    RenewalChangeState,
    ResourceStatus,
)
from tests.factories import catalog, orders
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.personas import make_buyer, make_operator

pytestmark = pytest.mark.django_db


def auto_of(owned: Owned) -> AutoRenewal:
    """How it renews itself."""
    return AutoRenewal.objects.get(resource=owned.resource)


def by_buyer(owned: Owned, text: str = "") -> Any:
    """A call of the buyer, though no sweep has run meanwhile."""
    return owned.buyer.call(at=moment(text) if text else owned.now, key=pages.new_key())


def changing(*, at: str = "2026-01-20") -> tuple[Owned, Order]:
    """A resource of USD 40.00 a year until 2026-02-10 whose paid change upon renewal, USD 20.00, waits."""
    product = period_product(
        quantity=("1", "9", "1"),
        plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
    )
    owned = subscribed(term="1-year", at="2025-02-10", funds=1000, product=product, quantity="2")
    owned.at(at)
    return owned, owned.renew("1-year", quantity="1")


# Auto-renewal after a cancellation


def test_canceling_an_unpaid_renewal_in_grace_charges_nothing() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds="15")
    owned.automate(days_before=0)
    owned.at("2026-02-12")
    assert owned.resource.status == ResourceStatus.GRACE and auto_of(owned).next_attempt_at is None
    unpaid = owned.place("1-month")
    cancelling.cancel_order(by_buyer(owned), order=unpaid.number)
    assert auto_of(owned).next_attempt_at is None
    owned.at("2026-02-13")
    assert owned.expires == "2026-02-10"


def test_an_attempt_that_gives_way_to_a_payment_is_not_repeated_after_the_expiry() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    auto = owned.automate(days_before=0)
    at = moment("2026-02-10T23:30:00+08:00")
    for tried, following in ((at - timedelta(hours=1), at), (at, None)):
        decision = auto_renewing._decided(auto, at=tried)
        assert decision is not None
        with guard.opened("test"):
            auto_renewing._leave(decision._replace(later=True, busy=True), at=tried)
        assert auto_of(owned).next_attempt_at == following


# Orders past their window, before the sweep has run


def test_an_unpaid_renewal_past_its_window_stands_in_the_way_of_no_other() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    first = owned.place("1-month")
    assert first.payment_due_at is not None
    owned.now = first.payment_due_at
    second = owned.renew("1-month")
    first.refresh_from_db()
    assert (first.state, first.cancel_reason, first.canceled_at) == (
        OrderState.CANCELED, CancelReason.UNPAID, owned.now,
    )  # fmt: skip
    assert (second.state, owned.expires) == (OrderState.COMPLETED, "2026-03-10")


def test_disabling_cancels_an_overdue_renewal_as_unpaid_and_dated_at_its_end() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    unpaid = owned.place("1-month")
    assert unpaid.payment_due_at is not None
    call = owned.buyer.call(at=unpaid.payment_due_at + timedelta(minutes=3), key=pages.new_key())
    resources.close_resource(call, resource=owned.resource.number)
    due = unpaid.payment_due_at
    unpaid.refresh_from_db()
    assert (unpaid.cancel_reason, unpaid.canceled_at) == (CancelReason.UNPAID, due)


def test_a_completed_renewal_keeps_no_key_so_that_its_expiry_can_come_again() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    by_hand = owned.renew("1-month")
    owned.automate()
    owned.at("2026-03-04")
    assert owned.expires == "2026-04-10"
    assert by_hand.state == OrderState.COMPLETED
    assert not OrderLine.objects.filter(resource=owned.resource, once_key__isnull=False).exists()


# Changes upon renewal


def test_disabling_after_a_change_upon_renewal_took_effect_refunds_nothing() -> None:
    owned, order = changing()
    before = balance(owned.resource.account_id)
    resources.close_resource(by_buyer(owned, "2026-02-11T00:00:00+08:00"), resource=owned.resource.number)
    order.refresh_from_db()
    owned.resource.refresh_from_db()
    assert (order.state, balance(owned.resource.account_id)) == (OrderState.COMPLETED, before)
    assert (owned.resource.status, owned.expires) == (ResourceStatus.CLOSED, "2027-02-10")
    change = RenewalChange.objects.get()
    assert (change.state, change.ended_at) == (RenewalChangeState.EFFECTIVE, moment("2026-02-11T00:00:00+08:00"))


def test_an_effective_change_upon_renewal_keeps_nobody_from_choosing_a_policy() -> None:
    owned, order = changing()
    call = by_buyer(owned, "2026-02-11T00:00:01+08:00")
    expiration.set_expiration_policy(call, resource=owned.resource.number, policy=ExpirationPolicy.NONE)
    order.refresh_from_db()
    owned.resource.refresh_from_db()
    assert (order.state, owned.expires, owned.resource.expiration_policy) == (
        OrderState.COMPLETED, "2027-02-10", ExpirationPolicy.NONE,
    )  # fmt: skip


def test_auto_renewal_is_enabled_for_the_term_that_an_effective_change_began() -> None:
    owned, _order = changing()
    owned.now = moment("2026-02-11T00:00:01+08:00")
    assert owned.automate("1-year").next_attempt_at == moment("2027-02-03T03:00:00+08:00")
    assert owned.expires == "2027-02-10"


def test_canceling_a_change_upon_renewal_is_told_on_the_timeline_and_to_both_sides() -> None:
    owned, order = changing()
    owned.cancel_renewal()
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, CancelReason.BUYER)
    assert OrderEvent.objects.filter(order=order, step=OrderStep.REFUNDED).count() == 1
    for account_id, kind in (
        (owned.resource.account_id, "renewal_change_refunded"),
        (order.seller.account_id, "renewal_change_given_up"),
    ):
        assert Message.objects.get(account_id=account_id, kind=kind).params["order"] == order.number


def test_what_a_resource_can_be_renewed_for_is_judged_by_the_policies_in_force_now() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.at("2026-02-10T12:00:00+08:00")
    order = owned.place("1-month")
    with guard.opened("test"):
        Order.objects.filter(pk=order.pk).update(policy=order.policy | {"grace_days": 0, "retention_days": 0})
    order.refresh_from_db()
    order.line.resource = Resource.objects.get(pk=owned.resource.pk)
    assert taking_effect.why_outlived(order, at=moment("2026-02-11T00:00:01+08:00")) is None


def test_what_cannot_go_on_by_use_keeps_its_unpaid_renewal() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    with guard.opened("test"):
        Resource.objects.filter(pk=owned.resource.pk).update(expiration_policy=ExpirationPolicy.PAY_PER_USE)
    owned.at("2026-02-10T12:00:00+08:00")
    unpaid = owned.place("1-month")
    owned.at("2026-02-11T00:00:00+08:00")
    unpaid.refresh_from_db()
    assert (unpaid.state, owned.resource.status) == (OrderState.PENDING_PAYMENT, ResourceStatus.GRACE)


def test_a_renewal_locks_orders_before_the_resource() -> None:
    owned, _order = changing()
    with CaptureQueriesContext(connection) as run:
        owned.cancel_renewal()
    locked = [each["sql"] for each in run.captured_queries if "FOR NO KEY UPDATE" in each["sql"]]
    tables = [sql.split(' FROM "')[1].split('"')[0] for sql in locked if ' FROM "orders_' in sql]
    assert tables[:3] == ["orders_order", "orders_renewalchange", "orders_resource"]


# Freezing and unfreezing


def test_a_freeze_that_nobody_answered_does_not_follow_the_unfreeze(server: ExampleSeller) -> None:
    product = period_product(interface_version="2", interface_url=server.url, interface_key=server.key)
    buyer = make_buyer()
    order = orders.bought(buyer, product, funds=1000, at=moment("2026-01-10"), term="1-month")
    rehearsal.walk(moment("2026-01-10T10:05:00+08:00"), start=moment("2026-01-10"))
    owned = Owned(resource=Resource.objects.get(line__order=order), buyer=buyer, now=moment("2026-01-10"))
    server.fail("000005")
    owned.at("2026-02-26T00:10:00+08:00")
    freeze = InterfaceCall.objects.get(activity="updateInstanceStatus")
    assert freeze.state == CallState.WAITING
    with guard.opened("test"):
        InterfaceCall.objects.filter(pk=freeze.pk).update(claimed_until=owned.now + timedelta(seconds=40))
    owned.renew("1-month")
    freeze.refresh_from_db()
    unfreeze = InterfaceCall.objects.filter(activity="updateInstanceStatus").latest("pk")
    assert (freeze.state, freeze.next_try_at) == (CallState.GIVEN_UP, None)
    assert (unfreeze.parameters["status"], unfreeze.next_try_at) == ("UNFREEZE", owned.now + timedelta(seconds=40))
    operator = make_operator()
    with pytest.raises(Refused) as refused:
        interface_calls.replay(operator.call(at=owned.now, key=pages.new_key()), interface_call=freeze.number)
    assert refused.value.code == "call_superseded"
