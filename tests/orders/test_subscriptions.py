"""Resources with a term: renewed by hand and by themselves, changed, expired."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.operations.checking import check_ledger
from koogallery.kernel.calls import system_call
from koogallery.notifications.models import Message
from orders.models import Order
from orders.states import OrderState, ResourceStatus
from tests.factories.subscriptions import subscribed

pytestmark = pytest.mark.django_db


def test_a_renewal_goes_on_from_the_expiry_with_the_kept_anchor_day() -> None:
    owned = subscribed(term="1-month", at="2026-01-31")
    assert owned.expires == "2026-02-28"
    order = owned.renew("1-month")
    assert (order.state, order.amount, owned.expires) == (OrderState.COMPLETED, Decimal(10), "2026-03-31")
    told = Message.objects.get(kind="follow_up_paid", params__order=order.number)
    assert "USD 10.00" in told.body and "delivery" not in told.body, "a renewal delivers nothing"
    assert not check_ledger(system_call()).findings


def test_what_is_not_renewed_is_frozen_after_grace_and_released_after_retention() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    assert owned.at("2026-02-11T00:00:00+08:00").resource.status == ResourceStatus.GRACE
    assert owned.at("2026-02-26T00:00:00+08:00").resource.status == ResourceStatus.RETENTION
    owned.renew("1-month")
    assert (owned.resource.status, owned.expires) == (ResourceStatus.ENABLED, "2026-03-10")
    assert owned.at("2026-04-10T00:00:00+08:00").resource.status == ResourceStatus.CLOSED


def test_auto_renewal_charges_once_on_the_deduction_day() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate("1-month")
    owned.at("2026-02-04")
    assert owned.expires == "2026-03-10"
    assert Order.objects.filter(type="RENEW", state="completed").count() == 1
    owned.at("2026-05-20")
    assert Order.objects.filter(type="RENEW", state="completed").count() == 4
    assert not check_ledger(system_call()).findings


def test_an_upgrade_and_a_scale_out_cost_the_difference() -> None:
    from tests.factories import catalog
    from tests.factories.subscriptions import period_product

    product = period_product(
        quantity=("1", "100", "1"),
        plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
    )
    owned = subscribed(term="1-year", at="2026-01-10", product=product, quantity="5")
    owned.at("2026-08-17")
    order = owned.change(kind="expansion", quantity="8")
    assert (order.amount, order.state) == (Decimal("24.00"), OrderState.COMPLETED)
    assert owned.resource.configured.quantity == 8
    assert owned.expires == "2027-01-10"
