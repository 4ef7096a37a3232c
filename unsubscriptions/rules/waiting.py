"""How long a seller may be silent: reminders and the advice to appeal. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from koogallery.kernel.policies import PolicySet


def next_reminder(*, reminded_at: datetime | None, policies: PolicySet) -> datetime | None:
    """From when on the seller may be reminded again; None for at once."""
    if reminded_at is None:
        return None
    return reminded_at + timedelta(hours=policies["reminder.cooldown_hours"])


def recommends_appeal(*, turn_since: datetime, at: datetime, policies: PolicySet) -> bool:
    """Whether the seller has been silent for so long that the page recommends an appeal (R10)."""
    return at > turn_since + timedelta(hours=policies["appeal.silence_hours"])


def refund_due(*, began_at: datetime, policies: PolicySet) -> datetime:
    """Until when the money is to be back."""
    return began_at + timedelta(hours=policies["refund.sla_hours"])
