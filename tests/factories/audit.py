"""Traces for tests, written the way operations write them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from audit import recording
from audit.models import Trace
from koogallery.kernel.calls import Call, system_call
from koogallery.kernel.operations import Rating, TraceEntry, registry


def trace(
    name: str = "choosePolicies",
    *,
    call: Call | None = None,
    at: datetime | None = None,
    account_id: int | None = None,
    rating: Rating = Rating.NORMAL,
    resource_id: str = "R-1",
    resource_name: str = "a thing",
    project: str = "",
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
) -> Trace:
    """One written trace of a registered operation."""
    caller = call or system_call(at=at)
    entry = TraceEntry(
        operation=registry[name],
        call=caller,
        trace_id=uuid.uuid4(),
        rating=rating,
        code="200" if rating is Rating.NORMAL else "refused",
        message="",
        request=request or {},
        response=response or {},
        resource_id=resource_id,
        resource_name=resource_name,
        account_id=account_id if account_id is not None else caller.account_id,
        project=project,
    )
    recording.record(entry)
    return Trace.objects.get(trace_id=entry.trace_id)
