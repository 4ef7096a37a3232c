"""When a party may appeal (supervision.md, Appeals; R10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from koogallery import clock
from koogallery.kernel.policies import PolicySet
from supervision.states import Actor


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rule asks of a flow: whose turn it is since when, what was counted, and the closing date, if any."""

    is_license: bool
    turn: Actor | None
    turn_since: datetime
    customer_rejects: int
    seller_rejects: int
    closes_on: date | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Why an appeal is not possible yet: the code of the refusal and what its sentence names."""

    code: str
    params: dict[str, Any]


def is_silent(standing: Standing, *, party: Actor, hours: int, at: datetime) -> bool:
    """Whether the other side of `party` was silent for more than `hours` (R10); never during one's own turn."""
    return standing.turn is party.other and at - standing.turn_since > timedelta(hours=hours)


def is_recommended(standing: Standing, *, party: Actor, policies: PolicySet, at: datetime) -> bool:
    """Whether the page recommends an appeal: the other side was silent for too long."""
    return is_silent(standing, party=party, hours=policies["appeal.silence_hours"], at=at)


def gate(standing: Standing, *, party: Actor, policies: PolicySet, at: datetime) -> Gate | None:
    """Why `party` may not appeal at `at` by the policies stamped on the order, or None when it may."""
    if policies["appeal.mode"] == "anytime":
        return None
    blackout = policies["appeal.blackout_days"]
    if blackout is not None and standing.closes_on is not None:
        opens = clock.day_start(standing.closes_on - timedelta(days=blackout))
        if at >= opens:
            return Gate("appeal_blackout", {"days": blackout, "date": standing.closes_on})
    hours = policies["appeal.silence_hours"]
    if is_silent(standing, party=party, hours=hours, at=at):
        return None
    needed = needed_rejections(standing, policies=policies)
    if needed is not None and standing.customer_rejects >= needed:
        return None
    by_seller = policies["appeal.seller_rejects"]
    if party is Actor.BUYER and by_seller is not None and standing.seller_rejects >= by_seller:
        return None
    return Gate(
        "appeal_gate",
        {
            "customer": standing.customer_rejects,
            "customer_needed": needed,
            "seller": standing.seller_rejects,
            "seller_needed": by_seller,
            "hours": hours,
        },
    )


def needed_rejections(standing: Standing, *, policies: PolicySet) -> int | None:
    """How many rejections by the customer open the gate; None where they never do."""
    needed = policies["appeal.customer_rejects"]
    if needed is None:
        return None
    return int(needed["license"] if standing.is_license else needed["other"])
