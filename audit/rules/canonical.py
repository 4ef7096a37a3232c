"""The canonical form of a trace, its hash and its seal: what a digest signs and an auditor computes again.

A trace is hashed as the JSON of its public fields (`FIELDS`), keys sorted, no spaces, UTF-8, moments in milliseconds
since 1970. The same JSON is a line of the JSON Lines export, so that an export can be checked without the database.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from koogallery.kernel import jsontext

SERVICE_TYPE = "marketplace"
API_VERSION = "v1"
TRACKER = "system"

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, without a float on the way."""
    return (moment - _START) // _MILLISECOND


text = jsontext.text
"""The canonical JSON of a value."""


def filler(fields: Mapping[str, Any], names: Sequence[str]) -> Callable[[Sequence[str]], str]:
    """A function from the canonical texts of values, in the order of `names`, to the text of `fields` with them.

    For many traces that are alike: what they share is written once.
    """
    marks = {name: f"\x00{name}\x00" for name in names}
    rest, form = text({**fields, **marks}), ""
    ordered = sorted(names)
    for name in ordered:
        before, _, rest = rest.partition(text(marks[name]))
        form += before.replace("%", "%%") + "%s"
    form += rest.replace("%", "%%")
    places = itemgetter(*[names.index(name) for name in ordered])

    def fill(values: Sequence[str]) -> str:
        return form % places(values)

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
