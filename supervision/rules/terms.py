"""From when on a delivered term runs (policy `period.start`)."""

from __future__ import annotations

from datetime import datetime

from koogallery.kernel.policies import PolicySet


def runs_from_enabling(policies: PolicySet) -> bool:
    """Whether the term runs from the enabling time where the seller gave one."""
    return bool(policies["period.start"] == "enabling_or_acceptance")


def period_start(policies: PolicySet, *, accepted_at: datetime, enabling_at: datetime | None) -> datetime:
    """The enabling time if the seller gave one and the policy takes it, else the acceptance."""
    return enabling_at if enabling_at is not None and runs_from_enabling(policies) else accepted_at
