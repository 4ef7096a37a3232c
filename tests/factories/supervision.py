"""Service flows for tests, opened as payment opens them and moved as people move them.

deal = supervised(method="license")          # bought and paid, the flow open
deal.deliver(); deal.accept()                # at deal.at, which `deal.wait(hours=3)` moves on
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from catalog.models import Product
from koogallery.identity.models import User
from koogallery.kernel import files, guard, pages
from koogallery.kernel.calls import Role
from orders.models import Order
from supervision.models import Appeal, Flow
from supervision.operations import accepting, appealing, deciding, delivering, reminding, requesting
from supervision.operations.delivering import Delivery
from supervision.states import Step
from tests.factories import billing, catalog, orders
from tests.personas import Persona, make_buyer, make_operator

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")


def upload(name: str = "proof.pdf", content: bytes = b"%PDF-1.7 proof", *, sealed: bool = False) -> files.Upload:
    """A checked upload, without bytes in any storage."""
    digest = hashlib.sha256(content).hexdigest()
    return files.Upload(
        key=f"test/{digest}", name=name, size=len(content), sha256=digest, content_type="application/pdf", sealed=sealed
    )


def supervised_product(method: str = "license", **fields: Any) -> Product:
    """A supervised product for USD 1,200.00 a year, or once for hardware."""
    mode = {"mode": "ONE_TIME"} if method == "hardware" else {"term_unit": "year", "lengths": [1]}
    values: dict[str, Any] = {
        "delivery_method": method,
        "supervised": True,
        "delivery_days": 5,
        "plans": [catalog.plan(unit_price="1200.00", **mode)],
    }
    return catalog.make_product(**(values | fields))


@dataclass
class Deal:
    """One bought product with its flow, its two sides and an operations manager, and the moment at which they act."""

    flow: Flow
    buyer: Persona
    seller: Persona
    at: datetime

    @property
    def order(self) -> Order:
        """The order as it stands."""
        return Order.objects.get(pk=self.flow.order_id)

    @property
    def step(self) -> Step:
        """Where the flow stands."""
        self.flow.refresh_from_db()
        return self.flow.step_enum

    def wait(self, **duration: float) -> Deal:
        """Let time pass."""
        self.at += timedelta(**duration)
        return self

    def _do(self, who: Persona, operation: Callable[..., Any], **arguments: Any) -> Any:
        result = operation(who.call(at=self.at, key=pages.new_key()), **arguments)
        self.flow.refresh_from_db()
        return result

    def submit(self, description: str = "We need it in Dublin.", **arguments: Any) -> Flow:
        return self._do(
            self.buyer, requesting.submit_request, flow=self.flow.number, description=description, **arguments
        )

    def accept_request(self) -> Flow:
        return self._do(self.seller, requesting.accept_request, flow=self.flow.number)

    def reject_request(self, reason: str = "Too vague.") -> Flow:
        return self._do(self.seller, requesting.reject_request, flow=self.flow.number, reason=reason)

    def deliver(self, **delivery: Any) -> Flow:
        values: dict[str, Any] = {"proof": [upload()] if self.flow.proof_required else []}
        if self.flow.step == Step.SHIP:
            values |= {"carrier": "An Post", "tracking_number": "AP 1"}
        return self._do(
            self.seller, delivering.deliver, flow=self.flow.number, delivery=Delivery(**(values | delivery))
        )

    def accept(self) -> Flow:
        return self._do(self.buyer, accepting.accept, flow=self.flow.number)

    def reject(self, reason: str = "It does not start.") -> Flow:
        return self._do(self.buyer, accepting.reject, flow=self.flow.number, reason=reason)

    def remind(self) -> Flow:
        return self._do(self.buyer, reminding.remind, flow=self.flow.number)

    def appeal(self, by: Persona | None = None, reason: str = "Nothing happens.", **arguments: Any) -> Appeal:
        return self._do(by or self.buyer, appealing.initiate, flow=self.flow.number, reason=reason, **arguments)

    def withdraw(self, by: Persona | None = None) -> Appeal:
        return self._do(by or self.buyer, appealing.withdraw, flow=self.flow.number)

    def decide(self, decision: str, *, by: Persona | None = None, note: str = "Read.", **arguments: Any) -> Appeal:
        appeal = self.flow.appeals.get(state="open")
        return self._do(
            by or make_operator(), deciding.decide, appeal=appeal.number, decision=decision, note=note, **arguments
        )

    def to(self, step: Step) -> Deal:
        """Bring the flow to a step by the shortest way."""
        ways: dict[Step, Callable[[], Any]] = {
            Step.SUBMIT: self.submit,
            Step.REVIEW: self.accept_request,
            Step.PROVIDE: self.deliver,
            Step.HAND_OVER: self.deliver,
            Step.SHIP: self.deliver,
            Step.ACCEPT: self.accept,
            Step.CONFIRM: self.accept,
        }
        while self.step != step:
            ways[self.step]()
        return self


def supervised(
    method: str = "license",
    *,
    at: datetime = AT,
    buyer: Persona | None = None,
    milestones: int = 0,
    policy: dict[str, Any] | None = None,
    product: Product | None = None,
    term: str = "1-year",
    **fields: Any,
) -> Deal:
    """A supervised product, bought and paid at `at`, or ordered in `milestones` equal parts.

    `policy` replaces the stamp of the order.
    """
    if milestones:
        from tests.factories import offers  # it builds on this module

        return offers.in_milestones(method, shares=offers.equal_shares(milestones), at=at, buyer=buyer, policy=policy)
    product = product or supervised_product(method, **fields)
    who = buyer or make_buyer()
    billing.fund(who.account, 5000)
    data = {} if product.delivery_method == "hardware" else {"term": term}
    order = orders.place(who, product, at=at, **data)
    if policy is not None:
        stamp(order, policy)
    if not order.state_enum.is_paid:
        orders.pay(who, order, at=at)
    return Deal(flow=Flow.objects.get(order=order), buyer=who, seller=seller_of(product), at=at)


def stamp(order: Order, policy: dict[str, Any]) -> None:
    """Replace the policies stamped on an order."""
    with guard.opened("test"):
        Order.objects.filter(pk=order.pk).update(policy=policy)


def seller_of(product: Product) -> Persona:
    """The owner of the seller's account."""
    user = User.objects.get(account=product.seller.account, is_root=True)
    return Persona(user, Role.SELLER)
