"""What supervision publishes upwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from koogallery.kernel.events import event
from supervision.models import Flow


@event
@dataclass(frozen=True, slots=True, kw_only=True)
class AppealEnded:
    """An appeal was decided or withdrawn and its effects are carried out; the flow stood still for `stood`."""

    flow: Flow
    appeal: str
    stood: timedelta
    at: datetime
