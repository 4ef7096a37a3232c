"""How renewals and changes end: overdue, given up, overtaken by the clock, or by another step of the resource (R19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from koogallery.kernel import guard, pages
from orders.models import AutoRenewal
from orders.operations import auto_renewing, cancelling
from orders.states import ResourceStatus
from tests.factories.subscriptions import Owned, moment, subscribed

pytestmark = pytest.mark.django_db


def auto_of(owned: Owned) -> AutoRenewal:
    """How it renews itself."""
    return AutoRenewal.objects.get(resource=owned.resource)


def by_buyer(owned: Owned, text: str = "") -> Any:
    """A call of the buyer, though no sweep has run meanwhile."""
    return owned.buyer.call(at=moment(text) if text else owned.now, key=pages.new_key())


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
            auto_renewing._leave(replace(decision, later=True, busy=True), at=tried)
        assert auto_of(owned).next_attempt_at == following
