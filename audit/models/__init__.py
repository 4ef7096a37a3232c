from audit.models.digest import TraceDigest, TraceSeal
from audit.models.trace import Trace

__all__ = ["Trace", "TraceDigest", "TraceSeal"]
