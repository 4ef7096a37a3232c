"""The demand board: "not found what you need?" reaches operations managers."""

from __future__ import annotations

from django.db.models import Q

from catalog.models import DemandRequest
from catalog.states import DEMAND_MOVES, DemandState
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Missing, Refused


@operation("submitDemand", resource_type="Demand", roles={Role.BUYER, Role.ANONYMOUS}, once=True, default_allowed=True)
def submit(call: Call, *, subject: str, description: str, email: str, searched_for: str = "") -> DemandRequest:
    """Tell operations managers what was not found; answered by e-mail. Raises `Refused("invalid_input")`."""
    for field, text in (("subject", subject), ("description", description), ("email", email)):
        if not text.strip():
            raise Refused("invalid_input", field=field)
    return DemandRequest.objects.create(
        account=call.account,
        user=call.user,
        subject=subject.strip()[:120],
        description=description.strip()[:4000],
        email=email.strip(),
        searched_for=searched_for.strip()[:120],
        made_at=call.at,
    )


def _locked(call: Call, key: int | str) -> DemandRequest:
    demand = DemandRequest.objects.select_for_update().filter(Q(pk=key)).first()
    if demand is None:
        raise Missing(f"No demand {key}.")
    return demand


@operation("answerDemand", resource_type="Demand", roles={Role.OPERATOR}, targets={"demand": _locked})
def answer(call: Call, *, demand: DemandRequest, text: str) -> DemandRequest:
    """Note the answer. Raises `Refused("reason_missing")` or `Refused("state_move")`."""
    if not text.strip():
        raise Refused("reason_missing", field="text")
    DEMAND_MOVES.check(DemandState(demand.state), DemandState.ANSWERED)
    demand.state, demand.answer, demand.answered_at = DemandState.ANSWERED, text.strip(), call.at
    demand.save(update_fields=["state", "answer", "answered_at"])
    return demand
