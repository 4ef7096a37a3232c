"""Every act from every state leads where the table says, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from koogallery.kernel.reasons import Refused
from koogallery.tickets.models import TicketMessage
from koogallery.tickets.states import MOVES, Act, TicketState
from tests.factories.tickets import Case, opened

pytestmark = pytest.mark.django_db

WAYS: dict[TicketState, tuple[str, ...]] = {
    TicketState.OPEN: (),
    TicketState.IN_PROGRESS: ("assign",),
    TicketState.WAITING: ("answer",),
    TicketState.RESOLVED: ("resolve",),
    TicketState.CLOSED: ("close",),
}
ACTS: dict[Act, str] = {
    Act.REPLY: "reply",
    Act.ASSIGN: "assign",
    Act.ANSWER: "answer",
    Act.RESOLVE: "resolve",
    Act.CLOSE: "close",
}


def case_at(state: TicketState) -> Case:
    case = opened()
    for way in WAYS[state]:
        getattr(case, way)()
    assert case.state == state
    return case


def test_every_act_but_the_opening_has_its_row() -> None:
    assert set(MOVES) == set(ACTS) == set(Act) - {Act.OPEN}


@pytest.mark.parametrize("state", TicketState)
@pytest.mark.parametrize("act", ACTS)
def test_an_act_leads_where_the_table_says_or_is_refused_and_changes_nothing(act: Act, state: TicketState) -> None:
    case = case_at(state)
    before: list[Any] = list(TicketMessage.objects.values_list("act", "text"))
    target = MOVES[act].get(state)
    if target is None:
        with pytest.raises(Refused) as caught:
            getattr(case, ACTS[act])()
        assert caught.value.code == "ticket_state"
        assert case.state == state
        assert list(TicketMessage.objects.values_list("act", "text")) == before
        return
    ticket = getattr(case, ACTS[act])()
    assert ticket.state == target
    assert ticket.changed_at == case.at
    assert [told for told, _text in TicketMessage.objects.values_list("act", "text")][-1] == act
    assert (ticket.closed_at is not None) == (target is TicketState.CLOSED)
    assert (ticket.resolved_at is not None) == (TicketState.RESOLVED in (target, state) and target != TicketState.OPEN)
