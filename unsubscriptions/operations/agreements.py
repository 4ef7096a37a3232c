"""Special agreements with single orders, kept by operations."""

from __future__ import annotations

from typing import Any

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused
from orders.operations import returning
from orders.states import OrderType
from supervision.rules import texts
from unsubscriptions.models import SpecialAgreement
from unsubscriptions.queries.requests import any_line_locked
from unsubscriptions.states import Way

OFFICERS = {Role.OPERATOR}


def _live_locked(call: Call, number: Any) -> SpecialAgreement:
    agreements = SpecialAgreement.objects.select_for_update(of=("self",)).select_related("line", "account")
    found = agreements.filter(line__number=str(number)[:30], ended_at__isnull=True).first()
    if found is None:
        raise Missing(f"special agreement of {number}")
    return found


@operation(
    "setSpecialAgreement", resource_type="Subscription", roles=OFFICERS, targets={"line": any_line_locked}, once=True
)
def set_agreement(call: Call, *, line: Any, way: str, note: str) -> SpecialAgreement:
    """Agree for one order line whether it can be given back, whatever the table says; replaces an earlier agreement.

    Raises `Refused("text_required")` without a note, `Refused("invalid_input")` for another way,
    `Refused("unsub_follow_up")` for a line that is no purchase.
    """
    words = texts.written(note, field="note")
    if way not in (Way.NEGOTIATED, Way.NEVER):
        raise Refused("invalid_input", field="way")
    if line.order.type != OrderType.NEW:
        raise Refused("unsub_follow_up")
    SpecialAgreement.objects.filter(line=line, ended_at__isnull=True).update(ended_at=call.at)
    agreed = SpecialAgreement.objects.create(
        line=line,
        account_id=line.order.account_id,
        way=way,
        note=words,
        granted_at=call.at,
        granted_by=call.user,
    )
    returning.keep_agreement(line, way=way)
    describe(resource=agreed, account_id=line.order.account_id, way=way, line=line.number)
    return agreed


@operation(
    "endSpecialAgreement", resource_type="Subscription", roles=OFFICERS, targets={"agreement": _live_locked}, once=True
)
def end_agreement(call: Call, *, agreement: SpecialAgreement) -> SpecialAgreement:
    """Let the table count again for an order line; `agreement` is given by the line's number."""
    agreement.ended_at = call.at
    agreement.save(update_fields=["ended_at"])
    returning.keep_agreement(agreement.line, way="")
    describe(line=agreement.line.number)
    return agreement
