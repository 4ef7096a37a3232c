"""Every template × step × frozen or not × who × what: what the table holds is done, all else changes nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from audit.models import Trace
from koogallery.kernel import pages
from koogallery.kernel.reasons import Missing, Refused
from supervision.operations import accepting, appealing, deciding, delivering, reminding, requesting
from supervision.operations.delivering import Delivery
from supervision.states import OVER_STEPS, TABLES, Actor, MoveName, Step, Template
from tests.factories import identity, returns
from tests.factories.fingerprint import rows_of
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import Persona, make_buyer, make_operator, make_seller

pytestmark = pytest.mark.django_db

METHODS = {Template.LICENSE: "license", Template.SERVICE: "saas", Template.HARDWARE: "hardware"}
WATCHED = ("supervision_", "orders_", "billing_", "kernel_storedfile", "kernel_idempotencykey", "kernel_outboxmessage")


@dataclass(frozen=True)
class Attempt:
    """One operation as a party would call it; `move` is its row of the tables, if it is one of them."""

    name: str
    run: Callable[[Any, Deal], Any]
    move: MoveName | None = None


def _delivery(deal: Deal) -> Delivery:
    return Delivery(proof=[upload()], carrier="An Post", tracking_number="AP 1")


ATTEMPTS = (
    Attempt(
        "submitRequirement",
        lambda call, deal: requesting.submit_request(call, flow=deal.flow.number, description="Please"),
        MoveName.SUBMIT_REQUEST,
    ),
    Attempt(
        "acceptRequirement",
        lambda call, deal: requesting.accept_request(call, flow=deal.flow.number),
        MoveName.ACCEPT_REQUEST,
    ),
    Attempt(
        "rejectRequirement",
        lambda call, deal: requesting.reject_request(call, flow=deal.flow.number, reason="No"),
        MoveName.REJECT_REQUEST,
    ),
    Attempt(
        "deliverService",
        lambda call, deal: delivering.deliver(call, flow=deal.flow.number, delivery=_delivery(deal)),
        MoveName.DELIVER,
    ),
    Attempt("confirmAcceptance", lambda call, deal: accepting.accept(call, flow=deal.flow.number), MoveName.ACCEPT),
    Attempt(
        "rejectDelivery",
        lambda call, deal: accepting.reject(call, flow=deal.flow.number, reason="No"),
        MoveName.REJECT,
    ),
    Attempt("remindSeller", lambda call, deal: reminding.remind(call, flow=deal.flow.number)),
    Attempt("initiateAppeal", lambda call, deal: appealing.initiate(call, flow=deal.flow.number, reason="No")),
    Attempt("withdrawAppeal", lambda call, deal: appealing.withdraw(call, flow=deal.flow.number)),
    Attempt(
        "decideAppeal",
        lambda call, deal: deciding.decide(call, appeal=_number(deal), decision="continue", note="Read."),
    ),
    Attempt("countersignAppeal", lambda call, deal: deciding.countersign(call, appeal=_number(deal))),
    Attempt(
        "sendSupervisionMessage",
        lambda call, deal: reminding.send_message(call, flow=deal.flow.number, text="Hello"),
    ),
)


NO_APPEAL = "AP2603101000ZZZZZZ"
"""A number of the right form that no appeal has, for flows that nobody appealed about."""


def _number(deal: Deal) -> str:
    appeal = deal.flow.appeals.last()
    return appeal.number if appeal else NO_APPEAL


def _reached(template: Template) -> list[Step]:
    steps = {move.source for move in TABLES[template].moves.values()}
    return [step for step in Step if step in steps or step in OVER_STEPS]


STANDS = [
    (template, step, frozen)
    for template in Template
    for step in _reached(template)
    for frozen in (False, True)
    if not (frozen and step in OVER_STEPS)
]


def _stand(template: Template, step: Step, *, frozen: bool) -> Deal:
    deal = supervised(METHODS[template])
    if step is Step.UNSUBSCRIBED:
        returns.agree(deal, returns.ask(deal))
    elif step in OVER_STEPS:
        deal.appeal()
        appeal = deal.wait(hours=1).decide("complete" if step is Step.COMPLETED else "refund_all")
        deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
        assert deal.step == step
    else:
        deal.to(step)
    deal.wait(hours=1)
    if frozen:
        deal.appeal()
        deal.wait(hours=1)
    return deal


def _allowed(attempt: Attempt, actor: Actor, template: Template, step: Step, *, frozen: bool) -> bool:
    """What the spec says, from the tables and a few sentences."""
    if attempt.name == "sendSupervisionMessage":
        return True
    if attempt.name == "decideAppeal":
        return frozen and actor is Actor.OPERATOR
    if attempt.name == "withdrawAppeal":
        return frozen and actor is Actor.BUYER
    if frozen or step in OVER_STEPS or attempt.name == "countersignAppeal":
        return False
    if attempt.name == "initiateAppeal":
        return actor in (Actor.BUYER, Actor.SELLER)
    table = TABLES[template]
    if attempt.name == "remindSeller":
        return actor is Actor.BUYER and table.turn_of(step) is Actor.SELLER
    move = table.moves.get(attempt.move) if attempt.move else None
    return move is not None and (move.actor, move.source) == (actor, step)


def _rows() -> dict[str, str]:
    return rows_of(*WATCHED)


def _denied(deal: Deal) -> Persona:
    user = identity.UserFactory(account=deal.buyer.account, is_root=False)
    identity.deny(user, "marketplace:supervision:*", name="no-supervision")
    return Persona(user, deal.buyer.role)


@pytest.mark.parametrize(
    ("template", "step", "frozen"),
    STANDS,
    ids=[f"{template}-{step}{'-frozen' if frozen else ''}" for template, step, frozen in STANDS],
)
def test_only_what_the_table_holds_happens(template: Template, step: Step, frozen: bool) -> None:
    deal = _stand(template, step, frozen=frozen)
    people = {
        Actor.BUYER: deal.buyer,
        Actor.SELLER: deal.seller,
        Actor.OPERATOR: make_operator(),
    }
    strangers = {"another buyer": make_buyer(), "another seller": make_seller(), "a denied user": _denied(deal)}
    before = _rows()
    for attempt in ATTEMPTS:
        for actor, who in people.items():
            if _allowed(attempt, actor, template, step, frozen=frozen):
                with transaction.atomic():
                    attempt.run(who.call(at=deal.at, key=pages.new_key()), deal)
                    assert _rows() != before, f"{attempt.name} by {actor} changed nothing"
                    transaction.set_rollback(True)
            else:
                _refused(attempt, deal, who, before, f"{attempt.name} by {actor}")
        for name, who in strangers.items():
            _refused(attempt, deal, who, before, f"{attempt.name} by {name}")


def _refused(attempt: Attempt, deal: Deal, who: Persona, before: dict[str, str], what: str) -> None:
    traces = Trace.objects.filter(trace_name=attempt.name, trace_rating="warning").count()
    try:
        attempt.run(who.call(at=deal.at, key=pages.new_key()), deal)
    except Missing:
        left = Trace.objects.filter(trace_name=attempt.name, trace_rating="warning")
        if who.account is not None:
            assert left.latest("id").account_id == who.account.pk, "a stranger's try stands in the stranger's list"
    except Refused as refused:
        assert refused.sentence
    else:
        pytest.fail(f"{what} was done")
    now = Trace.objects.filter(trace_name=attempt.name, trace_rating="warning").count()
    assert now == traces + 1 or who.account is None, f"{what} left no trace"
    assert _rows() == before, f"{what} was refused and changed rows"


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
@pytest.mark.parametrize(
    ("step", "write"),
    [
        (Step.SUBMIT, lambda deal, text: deal.submit(text)),
        (Step.REVIEW, lambda deal, text: deal.reject_request(text)),
        (Step.ACCEPT, lambda deal, text: deal.reject(text)),
        (Step.PROVIDE, lambda deal, text: deal.appeal(reason=text)),
    ],
)
def test_an_empty_or_endless_text_is_refused_by_its_field(step: Step, write: Callable[..., Any], text: str) -> None:
    deal = supervised("saas").to(step)
    before = _rows()
    with pytest.raises(Refused) as refused:
        write(deal, text)
    assert refused.value.code == ("text_too_long" if text.strip() else "text_required")
    assert refused.value.field in ("description", "reason")
    assert _rows() == before


def test_more_than_ten_files_are_refused() -> None:
    deal = supervised("saas")
    before = _rows()
    with pytest.raises(Refused, match="too_many_files"):
        deal.submit(uploads=[upload(f"{number}.pdf") for number in range(11)])
    assert _rows() == before
