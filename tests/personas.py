"""Who acts in tests: buyer, clerk (an IAM user with a deny), seller, operator, and a stranger who must see nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import pytest
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from koogallery import clock
from koogallery.identity.models import Account, User
from koogallery.identity.states import AccountKind, OperatorRole
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import KEY_FIELD, new_key
from tests.factories import identity


class FormClient(Client):
    """A browser that posts as the site's forms do: each with a key of its own (R18), unless the data names one."""

    def post(self, path: str, data: Any = None, content_type: str = MULTIPART_CONTENT, **extra: Any) -> Any:
        if content_type == MULTIPART_CONTENT:
            data = {KEY_FIELD: new_key(), **(data or {})}
        return super().post(path, data, content_type, **extra)


@dataclass
class Persona:
    """A user in a role: `call()` for operations, `client` for pages."""

    user: User
    role: Role
    account: Account | None = field(init=False)

    def __post_init__(self) -> None:
        self.account = self.user.account

    def call(self, *, at: datetime | None = None, key: str = "", **fields: Any) -> Call:
        """A call as a request of this user makes it, with what the database knows of user and account now."""
        user = User.objects.select_related("account").get(pk=self.user.pk)
        return Call(
            role=self.role,
            at=at or clock.now(),
            account=user.account,
            user=user,
            address=fields.pop("address", "192.0.2.7"),
            request_id=fields.pop("request_id", "test-request"),
            idempotency_key=key,
            **fields,
        )

    @cached_property
    def client(self) -> FormClient:
        """A browser in which the user is signed in."""
        client = FormClient()
        client.force_login(self.user)
        return client


def make_buyer(**account: Any) -> Persona:
    """The root user of a new account."""
    owner = identity.AccountFactory(**account)
    return Persona(identity.UserFactory(account=owner), Role.BUYER)


def make_seller(**seller: Any) -> Persona:
    """The root user of an account with an approved seller profile."""
    from tests.factories import catalog  # the floors below the catalogue are tested with these personas, too

    user = identity.UserFactory()
    catalog.make_seller(user.account, **seller)
    return Persona(user, Role.SELLER)


def make_operator(*roles: OperatorRole) -> Persona:
    """An operations manager; an administrator unless roles are given."""
    return Persona(identity.operator(*(roles or (OperatorRole.ADMINISTRATOR,))), Role.OPERATOR)


@pytest.fixture
def buyer(db: None) -> Persona:
    """The root user of a prepaid account."""
    return make_buyer(name="buyer")


@pytest.fixture
def clerk(buyer: Persona) -> Persona:
    """An IAM user of the buyer's account whom the policy `no-orders` denies to order."""
    user = identity.UserFactory(account=buyer.account, is_root=False, username="clerk")
    identity.deny(user, "marketplace:order:create", name="no-orders")
    return Persona(user, Role.BUYER)


@pytest.fixture
def colleague(buyer: Persona) -> Persona:
    """An IAM user of the buyer's account without any policy."""
    return Persona(identity.UserFactory(account=buyer.account, is_root=False, username="colleague"), Role.BUYER)


@pytest.fixture
def seller(db: None) -> Persona:
    """The owner of an approved seller."""
    return make_seller()


@pytest.fixture
def operator(db: None) -> Persona:
    """An operations manager with every right."""
    return make_operator()


@pytest.fixture
def support(db: None) -> Persona:
    """An operations manager who may only read."""
    return make_operator(OperatorRole.SUPPORT)


@pytest.fixture
def stranger(db: None) -> Persona:
    """The root user of another account, who must see nothing."""
    return make_buyer(name="stranger")


@pytest.fixture
def reseller(db: None) -> Persona:
    """The root user of a reseller's account."""
    return make_buyer(name="reseller", is_reseller=True, kind=AccountKind.POSTPAID)


@pytest.fixture
def customer(reseller: Persona) -> Persona:
    """The root user of a customer of the reseller."""
    return make_buyer(name="customer", kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller.account)
