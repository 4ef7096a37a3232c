"""Private offers in each state, and an order that is paid in milestones and stands in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from billing.operations import repaying
from billing.queries import milestones_money
from catalog import queries as catalog
from catalog.operations import offers
from catalog.operations.offers import OfferTerms
from catalog.rules.offers import MilestoneTerms
from koogallery import clock
from koogallery.demo.deliveries import Deliveries
from koogallery.identity import queries as identity
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import new_key
from orders.operations.paying import confirm_milestones, pay_order
from orders.operations.placing import place_order
from orders.queries.eligibility import texts_to_sign
from orders.queries.quoting import quote_of_offer
from orders.rules.quote import sign

Step = Callable[[datetime], int]
IN_PARTS = "harbor-erp"
PARTS = (
    ("Blueprint", "Your processes as they shall be, agreed on paper.", "30"),
    ("Build", "The configured system with your master data.", "30"),
    ("Go-live", "The first month's closing, done together.", "40"),
)
NOTE = "As talked over last week. Ask us before the validity ends, and we make it longer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One offer to look at: to whom, for what, for how much, from when, how long, and what became of it.

    `made` and `last` are days counted from the end, `starts` days after it was made.
    """

    name: str
    account: str
    product: str
    form: dict[str, str] = field(default_factory=dict)
    share: str = "0.85"
    made: int = -3
    starts: int = 0
    last: int = 27
    becomes: str = "sent"


SHOWN = (
    Shown(name="Forty seats for the branches", account="northwind-trading", product="relata-crm",
          form={"specification": "standard", "attr_users": "40", "term": "1-year"}, share="0.80"),
    Shown(name="DocFlow for the whole company", account="northwind-trading", product="docflow",
          form={"specification": "company", "term": "1-year"}, made=0, becomes="reserved"),
    Shown(name="Reports at last year's price", account="northwind-trading", product="chartroom",
          form={"specification": "viewer", "term": "1-year"}, made=-18, last=10, becomes="used"),
    Shown(name="Shift plans from next month", account="northwind-trading", product="shiftwise",
          form={"specification": "chain", "term": "1-year"}, made=-1, starts=7, last=40),
    Shown(name="Summer stock", account="northwind-trading", product="stockline",
          form={"specification": "warehouse", "term": "1-year"}, made=-19, last=-9),
    Shown(name="Two seats to try", account="tern-analytics", product="deskly",
          form={"specification": "seats", "attr_seats": "2"}, becomes="withdrawn"),
    Shown(name="A hundred seats", account="quayside-foods", product="relata-crm",
          form={"specification": "standard", "attr_users": "100", "term": "1-year"}, share="0.75", becomes="draft"),
)  # fmt: skip


def steps(deliveries: Deliveries, *, end: datetime) -> Iterator[tuple[datetime, Step]]:
    """What sellers and their customers do with offers in the last weeks."""
    today = clock.day_start(clock.platform_date(end))
    for number, each in enumerate(SHOWN):
        at = min(today + timedelta(days=each.made, hours=9, minutes=7 * number), end - timedelta(minutes=50 - number))
        yield at, partial(_offer, each, today)
    told = _InParts(deliveries)
    for days, act in (
        (19, told.order),
        (18, told.request),
        (17, told.take_on),
        (14, told.deliver),
        (11, told.accept),
        (9, told.repay),
        (2, told.deliver),
    ):
        yield end - timedelta(days=days, hours=1), act


def _offer(shown: Shown, today: datetime, at: datetime) -> int:
    seller = _seller_of(shown.product, at)
    terms = _terms(shown, at, today)
    offer = offers.create(seller, terms=terms)
    if shown.becomes == "draft":
        return 0
    offers.send(_soon(seller, minutes=2), offer=offer.number)
    if shown.becomes == "withdrawn":
        offers.withdraw(_soon(seller, minutes=30), offer=offer.number)
    if shown.becomes not in ("reserved", "used"):
        return 0
    buyer = _buyer(shown.account, at + timedelta(minutes=10))
    order = _place(buyer, offer)
    if shown.becomes == "used":
        pay_order(_soon(buyer, minutes=1), order=order.number, method="balance")
    return 1


def _terms(shown: Shown, at: datetime, today: datetime) -> OfferTerms:
    account = identity.account_by_name(shown.account)
    assert account is not None
    return OfferTerms(
        name=shown.name,
        account=account.number,
        product=shown.product,
        form=shown.form,
        share=Decimal(shown.share),
        valid_from=clock.platform_date(at) + timedelta(days=shown.starts),
        valid_to=clock.platform_date(today) + timedelta(days=shown.last),
        note=NOTE,
    )


class _InParts:
    """The order in milestones: one accepted and repaid, the next delivered and waiting for its acceptance."""

    def __init__(self, deliveries: Deliveries) -> None:
        self.deliveries = deliveries
        self.number = ""

    def order(self, at: datetime) -> int:
        """Offer, order and confirm; the first bill is generated."""
        seller, buyer = _seller_of(IN_PARTS, at), _buyer("meridian-health", at + timedelta(minutes=20))
        assert buyer.account is not None
        today = clock.platform_date(at)
        terms = OfferTerms(
            name="HarborERP in three milestones",
            account=buyer.account.number,
            product=IN_PARTS,
            form={},
            share=Decimal("0.95"),
            valid_from=today,
            valid_to=today + timedelta(days=14),
            note=NOTE,
            milestones=[MilestoneTerms(name=name, delivery=text, share=Decimal(share)) for name, text, share in PARTS],
        )
        offer = offers.send(_soon(seller, minutes=1), offer=offers.create(seller, terms=terms).number)
        self.number = _place(buyer, offer).number
        confirm_milestones(_soon(buyer, minutes=1), order=self.number, confirmed=True)
        self.deliveries.shown[IN_PARTS] = self.number
        return 1

    def request(self, at: datetime) -> int:
        """The customer says what it needs."""
        return self.deliveries.show(IN_PARTS, "submit", at)

    def take_on(self, at: datetime) -> int:
        """The seller accepts the request."""
        return self.deliveries.show(IN_PARTS, "take_on", at)

    def deliver(self, at: datetime) -> int:
        """The seller delivers the part that is due."""
        return self.deliveries.show(IN_PARTS, "deliver", at)

    def accept(self, at: datetime) -> int:
        """The customer accepts it; the next bill is generated."""
        return self.deliveries.show(IN_PARTS, "accept", at)

    def repay(self, at: datetime) -> int:
        """The customer's transfer for the first bill has arrived."""
        bill = milestones_money([self.number])[self.number][0].bill
        assert bill is not None
        officer = Call(
            role=Role.OPERATOR,
            at=at,
            user=identity.operators_in(OperatorRole.FINANCE)[0],
            address="203.0.113.9",
            idempotency_key=new_key(),
        )
        repaying.book_transfer(officer, bill=bill.number, amount=bill.money, reference="MERIDIAN 2026-ERP-1")
        return 0


def _place(buyer: Call, offer: Any) -> Any:
    account, product = buyer.account, catalog.product_by_code(offer.product.code)
    assert account is not None
    texts = texts_to_sign(account, catalog.purchase_conditions(product).agreement_subjects)
    return place_order(
        buyer,
        product=product.code,
        quote=sign(quote_of_offer(offer, account=account, at=buyer.at)),
        agreed=[text.subject for text in texts],
        consent=True,
    )


def _buyer(name: str, at: datetime) -> Call:
    account = identity.account_by_name(name)
    assert account is not None
    return _call(account, Role.BUYER, at)


def _seller_of(code: str, at: datetime) -> Call:
    return _call(catalog.product_by_code(code).seller.account, Role.SELLER, at)


def _call(account: Any, role: Role, at: datetime) -> Call:
    return Call(
        role=role,
        at=at,
        account=account,
        user=identity.root_user(account),
        address=f"203.0.113.{20 + account.pk % 200}",
        idempotency_key=new_key(),
    )


def _soon(call: Call, *, minutes: int) -> Call:
    assert call.account is not None
    return _call(call.account, call.role, call.at + timedelta(minutes=minutes))
