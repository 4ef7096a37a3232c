"""Orders for tests, made as buyers make them: by quote, placing and paying.

order = place(buyer, saas_product())                 # waits for payment
order = bought(buyer, content_product(), funds=100)  # paid from balance
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import Product
from koogallery import clock
from koogallery.kernel import pages
from koogallery.kernel.calls import Call, Role
from orders.models import Order
from orders.operations import paying, placing
from orders.queries.orders import detailed_order, timeline_of
from orders.queries.quoting import quote_for
from orders.rules.quote import SignedQuote, sign
from tests.factories import billing
from tests.personas import Persona


def quote(persona: Persona, product: Product, *, at: datetime | None = None, **data: Any) -> SignedQuote:
    """A signed quote of a configuration; `data` are the configurator's fields."""
    call = persona.call(at=at)
    return sign(quote_for(account=call.account, product=product, data=data, at=call.at))


def place(
    persona: Persona,
    product: Product,
    *,
    at: datetime | None = None,
    key: str = "",
    signed: SignedQuote | None = None,
    project: str = "",
    tags: dict[str, str] | None = None,
    agreed: tuple[str, ...] = ("terms",),
    consent: bool = False,
    **data: Any,
) -> Order:
    """Place an order; a payment method must exist."""
    return placing.place_order(
        persona.call(at=at, key=key or pages.new_key()),
        product=product.code,
        quote=signed or quote(persona, product, at=at, **data),
        project=project,
        tags=tags,
        agreed=agreed,
        consent=consent,
    )


def pay(persona: Persona, order: Order, *, method: str = "balance", at: datetime | None = None, key: str = "") -> Order:
    """Pay an order at once."""
    return paying.pay_order(persona.call(at=at, key=key or pages.new_key()), order=order.number, method=method)


def bought(
    persona: Persona,
    product: Product,
    *,
    funds: str | int | Decimal = 1000,
    at: datetime | None = None,
    **data: Any,
) -> Order:
    """An order that is paid from a balance put there for it."""
    billing.fund(persona.account, funds)
    order = place(persona, product, at=at, **data)
    if not order.state_enum.is_paid:
        pay(persona, order, at=at)
    order.refresh_from_db()
    return order


def steps(order: Order) -> list[str]:
    """The timeline of an order, as its page shows it."""
    call = Call(role=Role.BUYER, at=clock.now(), account=order.account)
    return [str(entry.step) for entry in timeline_of(detailed_order(call, order.number))]
