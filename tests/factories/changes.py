"""Products whose resources can be changed, and changes as buyers make them: on the page, to the result.

product = two_levels(basic={"year": "600.00"}, pro={"year": "1500.00"})
owned = subscribed(term="1-year", at="2026-01-10", product=product)
order, shown = change_on_page(owned, kind="upgrade", target="pro")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

from django.core.management import call_command

from billing.queries import order_money
from catalog.models import ChangePath, PlanPrice, PricePlan, Product, Sku
from koogallery import clock
from koogallery.kernel import guard
from orders.models import Order
from tests.factories import catalog
from tests.factories.subscriptions import Owned, period_product


def two_levels(*, basic: Mapping[str, str], pro: Mapping[str, str], **fields: Any) -> Product:
    """Specifications `basic` and `pro` with flat prices by term unit; from basic an upgrade leads to pro, and back."""
    plans = [catalog.plan(term_unit=unit, unit_price=price) for unit, price in basic.items()]
    product = period_product(specifications=("basic", "pro"), plans=plans, **fields)
    lower, upper = (Sku.objects.get(product=product, code=code) for code in ("basic", "pro"))
    with guard.opened("test"):
        for plan in PricePlan.objects.filter(sku=upper):
            if plan.term_unit not in pro:
                PlanPrice.objects.filter(plan=plan).delete()
                plan.delete()
        for unit, price in pro.items():
            PlanPrice.objects.filter(plan__sku=upper, plan__term_unit=unit).update(unit_price=Decimal(price))
        ChangePath.objects.create(product=product, source=lower, target=upper, is_upgrade=True)
        ChangePath.objects.create(product=product, source=upper, target=lower, is_upgrade=False)
    return product


def by_seat(model: str = "linear", price: str = "20.00", **fields: Any) -> Product:
    """A product by the seat and year: `linear` at a price, else 10.00 for 1–9 seats and 8.00 from 10 on."""
    bands = [] if model == "linear" else [("1", "10.00"), ("10", "8.00")]
    plan = catalog.plan(term_unit="year", model=model, unit_price=price if model == "linear" else "0", bands=bands)
    return period_product(quantity=("1", "1000", "1"), **({"plans": [plan]} | fields))


def address(owned: Owned) -> str:
    """The page of a change."""
    return f"{owned.resource.get_absolute_url()}change/"


def page(owned: Owned, **form: str) -> str:
    """The page for a state of its form, at the moment at which the owner acts."""
    with clock.at(owned.now):
        response = owned.buyer.client.get(address(owned), form)
    assert response.status_code == 200, response.content.decode()[:2000]
    return str(response.content.decode())


def fee_on(html: str) -> str:
    """The fee that a page shows: `USD 180.00`."""
    found = re.search(r'class="price-big"><span class="money">([^<]+)</span>', html)
    assert found, "no fee"
    return unescape(found[1])


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


def posted(owned: Owned, html: str) -> Any:
    """The answer to **Pay Now** and OK on a page."""
    with clock.at(owned.now):
        return owned.buyer.client.post(address(owned), {"quote": hidden(html, "quote")})


def change_on_page(owned: Owned, **form: str) -> tuple[Order, str]:
    """The order that the page led to, paid from balance where something is due, and the fee that the page showed."""
    html = page(owned, **form)
    answer = posted(owned, html)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    if answer["Location"].endswith("/pay/"):
        with clock.at(owned.now):
            paid = owned.buyer.client.post(answer["Location"], {"method": "balance"})
        assert paid.status_code == 302, paid.content.decode()[:2000]
    order = Order.objects.get(number=answer["Location"].split("/")[3])
    owned.resource.refresh_from_db()
    return order, fee_on(html)


def explained(order: Order) -> str:
    """The amount that `manage.py explain` computes again; it raises when it is another than stored."""
    out = StringIO()
    call_command("explain", order.number, stdout=out)
    found = re.search(r"recomputed (\S+ \S+): the same", out.getvalue())
    assert found, out.getvalue()
    return found[1]


def amounts(order: Order, shown: str) -> set[str]:
    """The fee as page, order, line, ledger and `explain` know it: one element when they agree."""
    money = order_money(order.number, currency=order.currency)
    return {shown, str(order.total), str(order.line.total), str(money.paid), explained(order)}
