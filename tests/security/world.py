"""Who meets whom in the tests of refusals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from catalog.models import Product, Seller
from koogallery.identity.states import OperatorRole, SellerRole
from koogallery.kernel.calls import Role
from orders.models import Order
from tests.factories import catalog, identity, orders
from tests.personas import Persona, make_buyer, make_operator, make_seller

DENIAL = "nothing-at-all"


@dataclass
class World:
    """A buyer with all a buyer can have, its seller, and those who must not reach it; made when asked for."""

    @cached_property
    def buyer(self) -> Persona:
        return make_buyer(name="buyer")

    @cached_property
    def stranger(self) -> Persona:
        """The root user of another buyer's account."""
        return make_buyer(name="stranger")

    @cached_property
    def denied(self) -> Persona:
        """An IAM user of the buyer's account whom a policy denies everything."""
        user = identity.UserFactory(account=self.buyer.account, is_root=False, username="denied")
        identity.deny(user, "*", name=DENIAL)
        return Persona(user, Role.BUYER)

    def colleague_of(self, owner: Persona, *, without: str) -> Persona:
        """An IAM user of an owner's account, with the owner's role in its seller, whom a policy denies one action."""
        user = identity.UserFactory(account=owner.account, is_root=False, seller_role=SellerRole.OWNER)
        identity.deny(user, without)
        return Persona(user, owner.role)

    @cached_property
    def seller(self) -> Persona:
        return make_seller()

    @cached_property
    def other_seller(self) -> Persona:
        return make_seller()

    @cached_property
    def support(self) -> Persona:
        """An operations manager who may only read."""
        return make_operator(OperatorRole.SUPPORT)

    @cached_property
    def product(self) -> Product:
        """A product of the seller."""
        return catalog.saas_product(seller=Seller.objects.get(account=self.seller.account))

    @cached_property
    def order(self) -> Order:
        """The buyer's order of the seller's product, paid."""
        return orders.bought(self.buyer, self.product)
