"""What people write in a ticket."""

from __future__ import annotations

from koogallery.kernel.reasons import Refused

MAX_SUBJECT = 120
MAX_CHARACTERS = 4000


def written(text: str, *, field: str, limit: int = MAX_CHARACTERS) -> str:
    """The text without surrounding space. Raises `Refused("text_required")` or `Refused("text_too_long")`."""
    clean = text.replace("\r\n", "\n").strip()
    if not clean:
        raise Refused("text_required", field=field)
    if len(clean) > limit:
        raise Refused("text_too_long", field=field, limit=limit, length=len(clean))
    return clean
