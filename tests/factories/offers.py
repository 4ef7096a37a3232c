"""Private offers for tests, made and sent as sellers do; milestone orders, as buyers place them.

offer = sent_offer(buyer.account, product, share="0.90")
offer = sent_offer(buyer.account, product, shares=["30", "30", "40"])
order = order_by_offer(buyer, offer)                       # placed, unpaid
deal = in_milestones(shares=["30", "30", "40"])            # confirmed: the first bill is there, the flow open
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.models import MilestoneBill, Payment
from billing.operations import repaying
from billing.states import CreditKind
from catalog.models import PrivateOffer, Product
from catalog.operations import offers
from catalog.operations.offers import OfferTerms
from catalog.rules.offers import MilestoneTerms
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.identity.queries import root_user
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Role
from orders.models import Order
from orders.operations import paying, placing
from orders.queries.quoting import quote_of_offer
from orders.rules.quote import sign
from supervision.models import Flow
from tests.factories import billing, catalog
from tests.factories.supervision import AT, Deal, seller_of, stamp
from tests.personas import Persona, make_buyer


def one_time_product(method: str = "professional_service", *, price: str = "1000.00", **fields: Any) -> Product:
    """A supervised product for a one-time price, which may be paid in milestones."""
    values: dict[str, Any] = {
        "delivery_method": method,
        "supervised": True,
        "plans": [catalog.plan(unit_price=price, mode="ONE_TIME")],
    }
    return catalog.make_product(**(values | fields))


def terms(account: Account, product: Product, *, at: datetime, shares: Sequence[str] = (), **fields: Any) -> OfferTerms:
    """What a seller offers: 10 % off for 30 days from today unless `fields` say otherwise."""
    today = clock.platform_date(at)
    values: dict[str, Any] = {
        "name": "Autumn offer",
        "account": account.number,
        "product": product.code,
        "form": {},
        "share": Decimal("0.90"),
        "valid_from": today,
        "valid_to": today + timedelta(days=30),
        "milestones": [
            MilestoneTerms(name=f"Part {number}", delivery=f"What part {number} is", share=Decimal(share))
            for number, share in enumerate(shares, 1)
        ],
    } | fields
    for name in ("share", "fixed_price"):
        if isinstance(values.get(name), str):
            values[name] = Decimal(values[name])
    if values.get("fixed_price") is not None:
        values["share"] = None
    for name in ("valid_from", "valid_to"):
        if isinstance(values[name], str):
            values[name] = date.fromisoformat(values[name])
    return OfferTerms(**values)


def draft_offer(account: Account, product: Product, *, at: datetime | None = None, **fields: Any) -> PrivateOffer:
    """A draft of the product's seller for the account."""
    call = seller_of(product).call(at=at or clock.now(), key=pages.new_key())
    return offers.create(call, terms=terms(account, product, at=call.at, **fields))


def sent_offer(account: Account, product: Product, *, at: datetime | None = None, **fields: Any) -> PrivateOffer:
    """The same, sent."""
    offer = draft_offer(account, product, at=at, **fields)
    return offers.send(seller_of(product).call(at=at or clock.now(), key=pages.new_key()), offer=offer.number)


def equal_shares(count: int) -> list[str]:
    """Shares in percent of `count` milestones that sum to 100."""
    share = round(Decimal(100) / count, 2)
    return [str(share)] * (count - 1) + [str(100 - share * (count - 1))]


def make_postpaid(account: Account, *, milestone_credit: str | int = 10_000) -> Account:
    """Let an account pay in milestones."""
    with guard.opened("test"):
        account.kind = AccountKind.POSTPAID
        account.save(update_fields=["kind"])
    if Decimal(milestone_credit) and not account.credit_lines.filter(kind=CreditKind.MILESTONE).exists():
        billing.grant(account, milestone_credit, CreditKind.MILESTONE)
    return account


def order_by_offer(buyer: Persona, offer: PrivateOffer, *, at: datetime | None = None, key: str = "") -> Order:
    """An order placed by the offer's link."""
    call = buyer.call(at=at or clock.now(), key=key or pages.new_key())
    quote = quote_of_offer(offer, account=call.account, at=call.at)
    return placing.place_order(call, product=offer.product.code, quote=sign(quote), agreed=("terms",))


def confirm(buyer: Persona, order: Order, *, at: datetime | None = None) -> Order:
    """Confirm a milestone order by monthly settlement."""
    call = buyer.call(at=at or clock.now(), key=pages.new_key())
    return paying.confirm_milestones(call, order=order.number, confirmed=True)


def in_milestones(
    method: str = "professional_service",
    *,
    shares: Sequence[str] = ("30", "30", "40"),
    price: str = "1000.00",
    milestone_credit: str | int = 10_000,
    at: datetime = AT,
    currency: str = "USD",
    buyer: Persona | None = None,
    policy: dict[str, Any] | None = None,
    product: Product | None = None,
    **fields: Any,
) -> Deal:
    """A milestone order at the moment of its confirmation, with its buyer, seller and flow.

    `product` replaces the one that `method`, `price` and `currency` describe.
    """
    buyer = buyer or make_buyer()
    if currency != buyer.account.currency:
        with guard.opened("test"):
            buyer.account.currency = currency
            buyer.account.save(update_fields=["currency"])
    make_postpaid(buyer.account, milestone_credit=milestone_credit)
    product = product or one_time_product(
        method, plans=[catalog.plan(unit_price=price, mode="ONE_TIME", currencies=[currency])]
    )
    offer = sent_offer(buyer.account, product, at=at, shares=shares, **({"share": "1"} | fields))
    order = order_by_offer(buyer, offer, at=at)
    if policy is not None:
        stamp(order, policy)
    order = confirm(buyer, order, at=at)
    return Deal(flow=Flow.objects.get(order=order), buyer=buyer, seller=seller_of(product), at=at)


def repay(bill: MilestoneBill, *, at: datetime, method: str = "balance") -> Payment:
    """Repay a bill from its customer's balance, which gets the money for it first."""
    billing.fund(bill.account, bill.money)
    call = Persona(root_user(bill.account), Role.BUYER).call(at=at, key=pages.new_key())
    return repaying.repay(call, bill=bill.number, method=method)


def bills_of(order: Order) -> list[MilestoneBill]:
    """The bills of a milestone order, by milestone."""
    return list(
        MilestoneBill.objects.filter(order_number=order.number)
        .select_related("milestone")
        .order_by("milestone__position")
    )
