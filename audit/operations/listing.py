"""Looking at traces and taking them away. Only the export leaves a trace of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit import queries
from audit.models import Trace
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced

READERS = {Role.BUYER, Role.SELLER}


@operation("queryTraceList", resource_type="Trace", roles=READERS, read=True)
def look(call: Call) -> None:
    """List the account's traces."""
    untraced()


@operation("queryTraceDetail", resource_type="Trace", roles=READERS, read=True, targets={"trace": queries.own_trace})
def look_at(call: Call, *, trace: Trace) -> Trace:
    """Show one trace of the account."""
    untraced()
    return trace


@operation("exportTraces", resource_type="Trace", roles=READERS, read=True)
def export(call: Call, *, format: str, filters: Mapping[str, Any]) -> None:
    """Take the filtered traces away as a file."""
    describe(resource_id="traces", resource_name=f"traces.{format}")
