"""Operations of the trace service."""

from audit.operations import digesting, listing, tracking
from audit.recording import record, record_many, system_traces

__all__ = ["digesting", "listing", "record", "record_many", "system_traces", "tracking"]
