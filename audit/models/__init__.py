from audit.models.digest import TraceDigest, TraceSeal, TraceWriter
from audit.models.trace import Trace

__all__ = ["Trace", "TraceDigest", "TraceSeal", "TraceWriter"]
