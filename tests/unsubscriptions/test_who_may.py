"""Who may do what, generated: each operation of the room × whoever must not × every stand of a request.

Targets and arguments come from the operations' own signatures, so that a new operation is tried without being listed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from audit.models import Trace
from koogallery.identity.states import OperatorRole, SellerRole
from koogallery.kernel import operations, pages
from koogallery.kernel.calls import Role
from koogallery.kernel.operations import Operation
from koogallery.kernel.reasons import Missing, Refused
from orders.models import Resource
from tests.factories import identity
from tests.factories.billing import usd
from tests.factories.fingerprint import rows_of
from tests.factories.returns import agree, ask, reject, specially, withdraw
from tests.factories.subscriptions import Owned, image
from tests.factories.supervision import Deal, seller_of, supervised, upload
from tests.personas import Persona, make_buyer, make_operator, make_seller
from unsubscriptions.models import Request, RequestFile
from unsubscriptions.queries.images import case_of

pytestmark = pytest.mark.django_db

DENIED = "marketplace:*:*"
WATCHED = (
    "unsubscriptions_",
    "supervision_",
    "orders_",
    "billing_",
    "kernel_storedfile",
    "kernel_idempotencykey",
    "kernel_outboxmessage",
    "notifications_message",
)
ASKED = {("unSubscribeByNegotiation", "buyer")}
DONE: dict[str, set[tuple[str, str]]] = {
    "nothing asked": ASKED,
    "open": {
        ("agreeUnsubscription", "seller"),
        ("rejectUnsubscription", "seller"),
        ("withdrawUnsubscription", "buyer"),
        ("remindUnsubscription", "buyer"),
        ("remindUnsubscription", "plain IAM user"),
    },
    "frozen": {("withdrawUnsubscription", "buyer")},
    "rejected": ASKED,
    "withdrawn": ASKED,
    "agreed": set(),
}
"""All that anybody does to a request, by where it stands; nobody else, nothing else."""
AGREEMENTS = {("setSpecialAgreement", "operator"), ("endSpecialAgreement", "operator")}
ROOM = {
    name: spec
    for name, spec in sorted(operations.registry.items())
    if spec.function.__module__.startswith("unsubscriptions.")
}
DOERS = {name: spec for name, spec in ROOM.items() if Role.SYSTEM not in spec.roles}


@dataclass
class World:
    """A deal whose request stands somewhere, and everybody who tries."""

    deal: Deal
    asked: Request | None
    stand: str = ""
    people: dict[str, Persona] = field(default_factory=dict)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What an argument of this name is given."""
        number = self.asked.number if self.asked is not None else "UN2603101000ZZZZZZ"
        file = RequestFile.objects.select_related("file").first()
        return {
            "line": self.deal.flow.number,
            "request": number,
            "payout": number,
            "agreement": self.deal.flow.number,
            "resource": Resource.objects.get(line=self.deal.flow.line).number,
            "amount": usd(1),
            "refund": usd(1),
            "reason": "by_mistake",
            "file": file.file.number if file is not None else "none",
            "way": "negotiated",
            "note": "So agreed.",
            "code": "unsub_decided",
            "filters": {},
            "expected": usd(1),
        }

    def given(self, spec: Operation) -> dict[str, Any]:
        """The arguments that an operation needs."""
        parameters = list(inspect.signature(spec.function).parameters.values())[1:]
        needed = [each.name for each in parameters if each.default is each.empty]
        unknown = set(needed) - set(self.arguments)
        assert not unknown, f"{spec.name} needs {unknown}: say above what it is given."
        return {name: self.arguments[name] for name in needed}

    def tries(self, spec: Operation, who: Persona) -> str:
        """What an operation answers: `done`, `missing`, or the code of its refusal."""
        module = inspect.getmodule(spec.function)
        wrapped = next(each for each in vars(module).values() if getattr(each, "operation", None) is spec)
        try:
            wrapped(who.call(at=self.deal.at, key=pages.new_key()), **self.given(spec))
        except Missing:
            return "missing"
        except Refused as refused:
            assert refused.sentence
            return refused.code
        return "done"


def _asked(deal: Deal, stand: str) -> Request | None:
    if stand == "nothing asked":
        return None
    asked = ask(deal, "400.00", contact=True)
    deal.wait(hours=1)
    if stand == "frozen":
        deal.appeal()
    if stand == "withdrawn":
        withdraw(deal, asked)
    if stand == "rejected":
        reject(deal, asked, uploads=[upload()])
    if stand == "agreed":
        agree(deal, asked, uploads=[upload()])
    return asked


def _member(owner: Persona, *, deny: str = "", **fields: Any) -> Persona:
    user: Any = identity.UserFactory(account=owner.account, is_root=False, **fields)
    if deny:
        identity.deny(user, deny, name="nothing-at-all")
    return Persona(user, owner.role)


@pytest.fixture(params=DONE)
def world(request: pytest.FixtureRequest, db: None) -> Iterator[World]:
    deal = supervised("license")
    asked = _asked(deal, request.param)
    specially(deal.flow.number, at=deal.at)
    deal.wait(minutes=1)
    yield World(
        deal=deal,
        asked=asked,
        stand=request.param,
        people={
            "stranger": make_buyer(),
            "other seller": make_seller(),
            "denied buyer": _member(deal.buyer, deny=DENIED),
            "denied seller": _member(deal.seller, deny=DENIED, seller_role=SellerRole.OWNER),
            "plain IAM user": _member(deal.buyer),
            "seller's reader": _member(deal.seller, seller_role=SellerRole.READ_ONLY),
            "buyer": deal.buyer,
            "seller": deal.seller,
            "support": make_operator(OperatorRole.SUPPORT),
            "operator": make_operator(),
        },
    )


def test_the_room_has_operations_and_each_names_who_does_it() -> None:
    assert len(ROOM) >= 12
    assert {role for spec in ROOM.values() for role in spec.roles} == {
        Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SYSTEM,
    }  # fmt: skip


def expected(spec: Operation, who: str) -> set[str] | None:
    """What must be answered; None where it depends on the request, which other tests tell."""
    role = {"stranger": Role.BUYER, "denied buyer": Role.BUYER, "plain IAM user": Role.BUYER, "buyer": Role.BUYER}.get(
        who, Role.OPERATOR if who in ("support", "operator") else Role.SELLER
    )
    if role not in spec.roles:
        return {"role_not_allowed"}
    has_target = bool({"line", "request", "payout", "resource", "agreement"} & set(_names(spec)))
    if who in ("stranger", "other seller"):
        return {"missing"} if has_target else {"done"}
    if who.startswith("denied"):
        return {"iam_denied"}
    if who == "plain IAM user":
        return None if spec.default_allowed else {"iam_not_allowed"}
    if who == "support":
        return None if spec.read else {"operator_role_not_allowed"}
    if who == "seller's reader":
        return None if spec.read else {"role_not_allowed"}
    return None


def _names(spec: Operation) -> list[str]:
    return list(inspect.signature(spec.function).parameters)


def test_only_a_party_with_the_right_does_anything_and_who_is_refused_changes_nothing(world: World) -> None:
    before = rows_of(*WATCHED)
    done: set[tuple[str, str]] = set()
    for spec in ROOM.values():
        for name, who in world.people.items():
            what = f"{spec.name} by {name}"
            traces = Trace.objects.filter(trace_name=spec.name, trace_rating="warning").count()
            with transaction.atomic():
                found = world.tries(spec, who)
                if found == "done" and not spec.read:
                    done.add((spec.name, name))
                    assert rows_of(*WATCHED) != before, f"{what} changed nothing"
                    transaction.set_rollback(True)
            wanted = expected(spec, name)
            assert wanted is None or found in wanted | _no_object(world, spec), f"{what}: {found}"
            if found != "done":
                now = Trace.objects.filter(trace_name=spec.name, trace_rating="warning").count()
                assert now == traces + 1 or who.account is None, f"{what} ({found}) left no trace"
        assert rows_of(*WATCHED) == before, f"{spec.name} was refused and changed rows"
    assert done == DONE[world.stand] | AGREEMENTS


@dataclass
class ImageWorld(World):
    """An image, with a renewal that has not started or without, and everybody who tries."""

    owned: Owned | None = None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What an argument of this name is given."""
        assert self.owned is not None
        return {"resource": self.owned.resource.number}

    def given(self, spec: Operation) -> dict[str, Any]:
        """The arguments, with the refund that is shown."""
        assert self.owned is not None
        case = case_of(self.owned.resource, account=self.owned.buyer.account, at=self.deal.at)
        shown = case.renewal if spec.name == "unsubscribeRenewal" else case.refund
        return {**self.arguments, "expected": shown.amount if shown is not None else usd(1)}


OF_IMAGES = {name: spec for name, spec in DOERS.items() if "resource" in _names(spec)}


@pytest.mark.parametrize("renewed", [True, False])
def test_only_its_buyer_with_the_right_unsubscribes_an_image(renewed: bool) -> None:
    owned = image(at="2026-01-31")
    if renewed:
        owned.renew("1-month")
    seller = seller_of(owned.resource.product)
    world = ImageWorld(
        deal=Deal(flow=None, buyer=owned.buyer, seller=seller, at=owned.now),  # type: ignore[arg-type]
        asked=None,
        owned=owned,
        people={
            "stranger": make_buyer(),
            "other seller": make_seller(),
            "denied buyer": _member(owned.buyer, deny=DENIED),
            "plain IAM user": _member(owned.buyer),
            "buyer": owned.buyer,
            "seller": seller,
            "support": make_operator(OperatorRole.SUPPORT),
            "operator": make_operator(),
        },
    )
    before = rows_of(*WATCHED)
    done = set()
    for spec in OF_IMAGES.values():
        for name, who in world.people.items():
            with transaction.atomic():
                found = world.tries(spec, who)
                if found == "done":
                    done.add((spec.name, name))
                    assert rows_of(*WATCHED) != before
                    transaction.set_rollback(True)
            wanted = expected(spec, name)
            assert wanted is None or found in wanted, f"{spec.name} by {name}: {found}"
        assert rows_of(*WATCHED) == before, f"{spec.name} was refused and changed rows"
    assert done == {("unsubscribeImage", "buyer")} | ({("unsubscribeRenewal", "buyer")} if renewed else set())


def _no_object(world: World, spec: Operation) -> set[str]:
    """Where nothing was asked for, and what has no payout, there is nothing to be denied."""
    if world.asked is None or "payout" in _names(spec) or "file" in _names(spec) or "resource" in _names(spec):
        return {"missing"}
    return set()


@pytest.mark.parametrize("stand", ["open", "frozen", "rejected", "withdrawn", "agreed"])
def test_what_a_stranger_is_told_is_what_nobody_s_number_is_told(stand: str) -> None:
    deal = supervised("license")
    asked = _asked(deal, stand)
    nobody = World(deal=deal, asked=None)
    there = World(deal=deal.wait(minutes=1), asked=asked)
    for who in (make_buyer(), make_seller()):
        for spec in DOERS.values():
            if "request" in _names(spec):
                assert there.tries(spec, who) == nobody.tries(spec, who), spec.name


def test_the_platform_s_own_operations_are_nobody_s() -> None:
    deal = supervised("license")
    world = World(deal=deal, asked=ask(deal))
    deal.at += timedelta(minutes=1)
    for spec in ROOM.values():
        if spec.roles == {Role.SYSTEM}:
            for who in (deal.buyer, deal.seller, make_buyer(), make_seller(), make_operator()):
                assert world.tries(spec, who) == "role_not_allowed"
