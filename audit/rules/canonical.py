"""The canonical form of a trace, its hash and its seal: what a digest signs and an auditor computes again.

A trace is hashed as the JSON of its public fields (`FIELDS`), keys sorted, no spaces, UTF-8, moments in milliseconds
since 1970. The same JSON is a line of the JSON Lines export, so that an export can be checked without the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SERVICE_TYPE = "marketplace"
API_VERSION = "v1"
TRACKER = "system"


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, without a float on the way."""
    passed = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000


def text(value: Any) -> str:
    """The canonical JSON of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def trace_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a trace's public fields, as 64 hexadecimal digits."""
    return hashlib.sha256(text(fields).encode("utf-8", "surrogatepass")).hexdigest()


def seal(digest: str, *, key: bytes) -> str:
    """A keyed mark of a trace hash, made with the installation's key when the row is written."""
    return hmac.new(key, bytes.fromhex(digest), hashlib.sha256).hexdigest()
