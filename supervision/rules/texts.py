"""What people write in a flow: descriptions, reasons, messages."""

from __future__ import annotations

from koogallery.kernel.reasons import Refused

MAX_CHARACTERS = 1000


def written(text: str, *, field: str) -> str:
    """The text without surrounding space. Raises `Refused("text_required")` or `Refused("text_too_long")`."""
    clean = text.replace("\r\n", "\n").strip()
    if not clean:
        raise Refused("text_required", field=field)
    if len(clean) > MAX_CHARACTERS:
        raise Refused("text_too_long", field=field, limit=MAX_CHARACTERS, length=len(clean))
    return clean


def optional(text: str, *, field: str) -> str:
    """The same for a comment that may be left out."""
    return written(text, field=field) if text.strip() else ""
