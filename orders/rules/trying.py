"""When a call to a seller's server is tried, and when trying ends (purchase.md, SaaS interface)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orders.saas.activities import Activity


@dataclass(frozen=True, slots=True)
class Schedule:
    """Tries every `spacing` from the first on, for as long as `window`; after `eager`, if given, every `later`."""

    spacing: timedelta
    window: timedelta
    eager: timedelta | None = None
    later: timedelta = timedelta(minutes=15)

    def next_try(self, *, first: datetime, after: datetime) -> datetime:
        """The first moment of the schedule that is later than `after`, at most the end of the window."""
        spacing, start = self.spacing, first
        if self.eager is not None and after >= first + self.eager:
            spacing, start = self.later, first + self.eager
        steps = max(0, (after - start) // spacing) + 1
        return min(start + steps * spacing, first + self.window)


_SPACING = timedelta(minutes=3)
CREATION = Schedule(spacing=_SPACING, window=timedelta(minutes=180))
LATER = Schedule(spacing=_SPACING, window=timedelta(hours=1))
INFORMATION = Schedule(spacing=timedelta(minutes=1), window=timedelta(hours=24), eager=timedelta(hours=1))
ONCE = Schedule(spacing=timedelta(minutes=1), window=timedelta(minutes=1))


def schedule_of(activity: str, *, test: bool = False) -> Schedule:
    """Creation is tried at 0, 3, … 177 minutes; a debug once; information is asked for a day, all else for an hour."""
    if test:
        return ONCE
    if activity == Activity.NEW_INSTANCE:
        return CREATION
    return INFORMATION if activity == Activity.QUERY_INSTANCE else LATER
