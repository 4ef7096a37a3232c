"""Operations of the trace service."""

from audit.recording import record, record_many

__all__ = ["record", "record_many"]
