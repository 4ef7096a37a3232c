"""The canonical form of a trace, its hash and its seal: what a digest signs and an auditor computes again.

A trace is hashed as the JSON of its public fields (`FIELDS`), keys sorted, no spaces, UTF-8, moments in milliseconds
since 1970. The same JSON is a line of the JSON Lines export, so that an export can be checked without the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

SERVICE_TYPE = "marketplace"
API_VERSION = "v1"
TRACKER = "system"

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, without a float on the way."""
    passed = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000


def text(value: Any) -> str:
    """The canonical JSON of a value."""
    return _encode(value)


def filler(fields: Mapping[str, Any], names: Iterable[str]) -> Callable[[Mapping[str, str]], str]:
    """A function from the canonical texts of values at `names` to the canonical text of `fields` with these values.

    For many traces that are alike: what they share is written once.
    """
    marks = {name: f"\x00{name}\x00" for name in sorted(names)}
    rest, pieces = text({**fields, **marks}), []
    for name, mark in marks.items():
        before, _, rest = rest.partition(text(mark))
        pieces.append((before, name))

    def fill(values: Mapping[str, str]) -> str:
        return "".join([before + values[name] for before, name in pieces]) + rest

    return fill


def trace_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a trace's public fields, as 64 hexadecimal digits."""
    return text_hash(text(fields))


def text_hash(canonical: str) -> str:
    """SHA-256 of a canonical text, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def seal(digest: str, *, key: bytes) -> str:
    """A keyed mark of a trace hash, made with the installation's key when the row is written."""
    return hmac.digest(key, bytes.fromhex(digest), "sha256").hex()
