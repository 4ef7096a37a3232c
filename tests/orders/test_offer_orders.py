"""Orders by private offers: what Pay Now refuses, who gets a single use, what frees it, the money of milestones."""

from __future__ import annotations

import pytest

from billing import queries as billing
from tests.factories.offers import in_milestones

pytestmark = pytest.mark.django_db


def test_the_milestones_of_an_order_show_bill_and_money() -> None:
    deal = in_milestones()
    rows = billing.milestones_of(deal.order.number)
    assert [str(row.milestone.money) for row in rows] == ["USD 300.00", "USD 300.00", "USD 400.00"]
    assert [row.bill is not None for row in rows] == [True, False, False]
    assert {str(row.held) for row in rows} == {"USD 0.00"}
