"""`manage.py explain`: every amount again, to the cent."""

from __future__ import annotations

from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from koogallery import clock
from koogallery.kernel import guard
from orders.models import OrderLine
from tests.factories import catalog, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")

pytestmark = pytest.mark.django_db


def explain(number: str) -> str:
    out = StringIO()
    call_command("explain", number, stdout=out)
    return out.getvalue()


def test_an_order_explains_itself_to_the_cent(rich: Persona) -> None:
    product = catalog.saas_product()
    with clock.at(AT):
        catalog.standing_discount(rich.account, product, "0.93")
    order = orders.place(rich, product, at=AT, quantity="7", term="3-month")
    told = explain(order.number)
    assert "stored USD 195.30, recomputed USD 195.30: the same" in told
    assert "Every amount is the same." in told


def test_a_changed_amount_is_found(rich: Persona) -> None:
    order = orders.place(rich, catalog.saas_product(), at=AT)
    with guard.opened("test"):
        OrderLine.objects.filter(order=order).update(amount="9.99")
    with pytest.raises(CommandError, match=f"{order.number}-000001"):
        explain(order.number)


def test_an_unknown_order_is_said_to_be_unknown(db: None) -> None:
    with pytest.raises(CommandError, match="no order CS00"):
        explain("CS00")
