"""From when on a delivered term runs (policy `period.start`)."""

from __future__ import annotations

from datetime import datetime

from koogallery.kernel.policies import PolicySet


def period_start(policies: PolicySet, *, accepted_at: datetime, enabling_at: datetime | None) -> datetime:
    """The enabling time if the seller gave one and the policy takes it, else the acceptance."""
    takes_enabling = policies["period.start"] == "enabling_or_acceptance"
    return enabling_at if takes_enabling and enabling_at is not None else accepted_at
