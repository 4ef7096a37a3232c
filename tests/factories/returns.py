"""Unsubscription for tests, as buyers ask and sellers answer.

deal = supervised()                          # bought and paid, the flow open
asked = ask(deal, "400.00")                  # by its buyer, at deal.at
answered = agree(deal, asked)                # by its seller
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from koogallery import clock
from koogallery.kernel import pages
from koogallery.kernel.money import Money
from orders.operations import card_paying
from supervision.models import Flow
from tests.factories import billing, orders
from tests.factories.supervision import AT, Deal, seller_of, supervised_product
from tests.personas import Persona, make_buyer, make_operator
from unsubscriptions.models import Payout, Request, SpecialAgreement
from unsubscriptions.operations import agreements, paying_out, requesting, reviewing


def ask(
    deal: Deal, amount: str = "100.00", *, by: Persona | None = None, at: datetime | None = None, **arguments: Any
) -> Request:
    """The buyer asks to give the deal's line back."""
    values: dict[str, Any] = {"reason": "no_longer_needed"} | arguments
    who = by or deal.buyer
    asked = requesting.request(
        who.call(at=at or deal.at, key=pages.new_key()),
        line=deal.flow.number,
        amount=Money(Decimal(amount), deal.order.currency),
        **values,
    )
    deal.flow.refresh_from_db()
    return asked


def agree(deal: Deal, asked: Request, *, by: Persona | None = None, **arguments: Any) -> Request:
    """The seller agrees."""
    call = (by or deal.seller).call(at=deal.at, key=pages.new_key())
    answered = reviewing.agree(call, request=asked.number, **arguments)
    deal.flow.refresh_from_db()
    return answered


def reject(deal: Deal, asked: Request, *, by: Persona | None = None, **arguments: Any) -> Request:
    """The seller rejects."""
    call = (by or deal.seller).call(at=deal.at, key=pages.new_key())
    answered = reviewing.reject(call, request=asked.number, **arguments)
    deal.flow.refresh_from_db()
    return answered


def withdraw(deal: Deal, asked: Request) -> Request:
    """The buyer takes the request back."""
    answered = requesting.withdraw(deal.buyer.call(at=deal.at, key=pages.new_key()), request=asked.number)
    deal.flow.refresh_from_db()
    return answered


def remind(deal: Deal, asked: Request) -> Request:
    """The buyer reminds the seller."""
    return requesting.remind(deal.buyer.call(at=deal.at, key=pages.new_key()), request=asked.number)


def retry(asked: Request, *, at: datetime, by: Persona | None = None) -> Payout:
    """Operations have a failed payout tried again."""
    return paying_out.retry((by or make_operator()).call(at=at, key=pages.new_key()), payout=asked.number)


def specially(
    line_number: str, way: str = "negotiated", *, at: datetime, by: Persona | None = None
) -> SpecialAgreement:
    """Operations agree specially for an order line."""
    call = (by or make_operator()).call(at=at, key=pages.new_key())
    return agreements.set_agreement(call, line=line_number, way=way, note="As agreed on the telephone.")


def paid_by(method: str, *, at: datetime = AT, token: str = "sandbox-approved", **product: Any) -> Deal:
    """A supervised license over USD 1,200.00, paid by `credit`, or by a `card` of the sandbox."""
    who, bought = make_buyer(), supervised_product("license", **product)
    with clock.at(at):
        if method == "credit":
            billing.grant(who.account, 5000)
        card = billing.card(who.account, token=token) if method == "card" else None
        order = orders.place(who, bought, at=at, term="1-year")
        if card is not None:
            card_paying.pay_by_card(who.call(at=at, key=pages.new_key()), order_number=order.number, card=card.code)
        else:
            orders.pay(who, order, at=at, method=method)
    return Deal(flow=Flow.objects.get(order=order), buyer=who, seller=seller_of(bought), at=at)
