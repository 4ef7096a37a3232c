"""Which moment decides a policy's value for an order: data for the “what if” page (spec: Policies)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery import clock
from koogallery.kernel import display, policies
from koogallery.kernel.policies import POLICIES, PROOF_REQUIRED_FROM, PolicySet

BY_MOMENT = ("autorenew.", "ppu.", "tags.", "trace.", "login.", "grace_days", "retention_days")
BY_CHANGE_ORDER = ("change.", "proration.")

STAMPED = gettext_lazy("stamped on the order when it was placed")
CHANGE = gettext_lazy("a change order placed at that moment")
MOMENT = gettext_lazy("in force at that moment")


@dataclass(frozen=True, slots=True)
class Answer:
    """One policy's value and why it applies."""

    name: str
    value: str
    why: str
    differs: bool


def answers(*, order: Any | None, at: datetime) -> list[Answer]:
    """Every policy's value for an order (or for one placed at the moment) at a moment, with the reason."""
    now = policies.in_force(at)
    stamped: PolicySet = order.policies if order is not None else now
    placed = order.placed_at if order is not None else at
    return [_answer(name, stamped=stamped, now=now, placed=placed) for name in POLICIES]


def _answer(name: str, *, stamped: PolicySet, now: PolicySet, placed: datetime) -> Answer:
    scope: Any
    if name.startswith(BY_MOMENT):
        chosen, scope = now, MOMENT
    elif name.startswith(BY_CHANGE_ORDER):
        chosen, scope = now, CHANGE
    else:
        chosen, scope = stamped, STAMPED
    value = policies.text_of(chosen[name])
    if name == "flow.proof_required" and chosen[name] == "from_2025_03_26":
        required = clock.platform_date(placed) >= PROOF_REQUIRED_FROM
        value = policies.text_of(required)
        scope = _("orders placed from %(day)s on; this one was placed on %(placed)s") % {
            "day": display.date_text(PROOF_REQUIRED_FROM),
            "placed": display.date_text(clock.platform_date(placed)),
        }
    why = _("%(source)s: %(scope)s") % {"source": source_text(chosen, name), "scope": scope}
    return Answer(
        name=name, value=value, why=why, differs=name in chosen.overrides or chosen[name] != PolicySet()[name]
    )


def source_text(chosen: PolicySet, name: str) -> str:
    """Where a value comes from, in words."""
    if name in chosen.overrides:
        return _("chosen by an administrator")
    return _("pack %(pack)s") % {"pack": chosen.pack}
