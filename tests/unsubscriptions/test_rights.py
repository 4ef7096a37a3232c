"""Who may do what: generated over every operation of the room and everybody who is not its party."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from audit.models import Trace
from koogallery.identity.states import OperatorRole, SellerRole
from koogallery.kernel import pages
from koogallery.kernel.operations import registry
from koogallery.kernel.reasons import Missing, Refused
from tests.factories import identity
from tests.factories.billing import usd
from tests.factories.returns import ask, paid_by
from tests.factories.supervision import Deal, supervised
from tests.personas import Persona, Role, make_buyer, make_operator, make_seller
from unsubscriptions.models import Request
from unsubscriptions.operations import agreements, paying_out, reading, requesting, reviewing
from unsubscriptions.queries.details import details_of
from unsubscriptions.queries.requests import sold_request

pytestmark = pytest.mark.django_db

ASK = "marketplace:subscription:unSubscribeByNegotiation"


@dataclass
class World:
    """A deal with an open request, and one without."""

    asked: Request
    deal: Deal
    other: Deal


@pytest.fixture
def world(db: None) -> World:
    deal = supervised("license")
    return World(asked=ask(deal), deal=deal, other=paid_by("credit"))


Work = Callable[[Persona, World], Any]


def by(persona: Persona, world: World) -> Any:
    return persona.call(at=world.deal.at, key=pages.new_key())


BUYERS: Mapping[str, Work] = {
    "unSubscribeByNegotiation": lambda who, world: requesting.request(
        by(who, world), line=world.other.flow.number, amount=usd(1), reason="by_mistake"
    ),
    "withdrawUnsubscription": lambda who, world: requesting.withdraw(by(who, world), request=world.asked.number),
    "remindUnsubscription": lambda who, world: requesting.remind(by(who, world), request=world.asked.number),
}
SELLERS: Mapping[str, Work] = {
    "agreeUnsubscription": lambda who, world: reviewing.agree(by(who, world), request=world.asked.number),
    "rejectUnsubscription": lambda who, world: reviewing.reject(by(who, world), request=world.asked.number),
}
READS: Mapping[str, Work] = {
    "queryUnsubscriptionDetail": lambda who, world: reading.read_details(by(who, world), request=world.asked.number),
    "downloadUnsubscriptionFile": lambda who, world: reading.read_file(
        by(who, world), request=world.asked.number, file="none"
    ),
}
OPERATORS: Mapping[str, Work] = {
    "retryPayout": lambda who, world: paying_out.retry(by(who, world), payout=world.asked.number),
    "setSpecialAgreement": lambda who, world: agreements.set_agreement(
        by(who, world), line=world.deal.flow.number, way="never", note="So agreed."
    ),
    "endSpecialAgreement": lambda who, world: agreements.end_agreement(
        by(who, world), agreement=world.deal.flow.number
    ),
}
ALL = {**BUYERS, **SELLERS, **READS, **OPERATORS}
NEITHER = {"queryUnsubscriptionList", "endUnsubscription", "concludePayout", "reportLatePayout"}
"""Its own rows only, and what the platform alone does."""


def answer(work: Work, who: Persona, world: World) -> str:
    try:
        work(who, world)
    except Missing:
        return "missing"
    except Refused as refused:
        return refused.code
    return "done"


def test_every_operation_of_the_room_is_in_these_tables() -> None:
    named = {name for name, spec in registry.items() if spec.function.__module__.startswith("unsubscriptions.")}
    images = {name for name in named if registry[name].function.__module__.endswith(".images")}
    assert named - images == set(ALL) | NEITHER


@pytest.mark.parametrize("name", sorted({**BUYERS, **READS}))
def test_a_stranger_finds_nothing(world: World, name: str) -> None:
    assert answer(ALL[name], make_buyer(), world) == "missing"
    assert Request.objects.count() == 1 and Request.objects.get().is_open


@pytest.mark.parametrize("name", sorted({**SELLERS, **READS}))
def test_another_seller_finds_nothing(world: World, name: str) -> None:
    assert answer(ALL[name], make_seller(), world) == "missing"
    assert Request.objects.get().is_open


@pytest.mark.parametrize("name", sorted(BUYERS))
def test_the_seller_is_no_buyer(world: World, name: str) -> None:
    assert answer(ALL[name], world.deal.seller, world) == "role_not_allowed"


@pytest.mark.parametrize("name", sorted(SELLERS))
def test_the_buyer_is_no_seller_and_a_seller_role_without_deliveries_is_not_allowed(world: World, name: str) -> None:
    assert answer(ALL[name], world.deal.buyer, world) == "role_not_allowed"
    for role, expected in (
        (SellerRole.READ_ONLY, "role_not_allowed"),
        (SellerRole.FINANCE, "role_not_allowed"),
        (SellerRole.DELIVERY, "done"),
    ):
        user = identity.UserFactory(account=world.deal.seller.account, is_root=False, seller_role=role)
        assert answer(ALL[name], Persona(user, Role.SELLER), world) == expected


@pytest.mark.parametrize("name", sorted(BUYERS))
def test_an_iam_user_needs_an_allow_for_all_but_reminding_and_a_deny_always_wins(world: World, name: str) -> None:
    user = identity.UserFactory(account=world.deal.buyer.account, is_root=False, username="clerk")
    if name == "unSubscribeByNegotiation":
        user = identity.UserFactory(account=world.other.buyer.account, is_root=False, username="clerk2")
    clerk = Persona(user, Role.BUYER)
    denied = {"remindUnsubscription": "done"}.get(name, "iam_not_allowed")
    assert answer(ALL[name], clerk, world) == denied
    identity.deny(user, ASK, name="no-returns")
    assert answer(ALL[name], clerk, world) == "iam_denied"
    assert Trace.objects.filter(trace_name=name, code="iam_denied").exists()


@pytest.mark.parametrize("name", sorted({**BUYERS, **SELLERS}))
def test_operations_neither_ask_nor_answer(world: World, name: str) -> None:
    assert answer(ALL[name], make_operator(), world) == "role_not_allowed"


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("retryPayout", {OperatorRole.ADMINISTRATOR, OperatorRole.FINANCE}),
        ("setSpecialAgreement", {OperatorRole.ADMINISTRATOR, OperatorRole.APPEAL_OFFICER}),
        ("endSpecialAgreement", {OperatorRole.ADMINISTRATOR, OperatorRole.APPEAL_OFFICER}),
    ],
)
def test_operations_need_the_role_for_it(world: World, name: str, roles: set[OperatorRole]) -> None:
    if name == "retryPayout":
        reviewing.agree(by(world.deal.seller, world), request=world.asked.number)
    for role in OperatorRole:
        answer(OPERATORS["setSpecialAgreement"], make_operator(), world)
        found = answer(OPERATORS[name], make_operator(role), world)
        assert (found != "operator_role_not_allowed") is (role in roles), role
    for who in (world.deal.buyer, world.deal.seller, make_buyer()):
        assert answer(OPERATORS[name], who, world) == "role_not_allowed"


def test_a_form_without_its_key_does_nothing_and_the_same_form_does_it_once(world: World) -> None:
    call = world.other.buyer.call(at=world.other.at, from_form=True)
    given: dict[str, Any] = {"line": world.other.flow.number, "amount": usd(5), "reason": "by_mistake"}
    with pytest.raises(Refused) as refused:
        requesting.request(call, **given)
    assert refused.value.code == "form_key_missing"
    once = call.with_key(pages.new_key())
    assert requesting.request(once, **given) == requesting.request(once, **given)
    with pytest.raises(Refused) as refused:
        requesting.request(once, **(given | {"amount": usd(6)}))
    assert refused.value.code == "replayed_with_other_content"
    assert Request.objects.count() == 2


def test_contact_data_are_the_sellers_only_with_the_tick() -> None:
    for contact in (False, True):
        deal = supervised("license")
        asked = ask(deal, contact=contact)
        shown = details_of(sold_request(deal.seller.call(at=deal.at), asked.number), at=deal.at)
        values = {each.value for each in shown.contacts}
        assert values == ({deal.buyer.user.email, deal.buyer.user.mobile} if contact else set())
