"""Public numbers: unguessable, speakable, unique by constraint."""

from __future__ import annotations

import secrets
import string
import uuid
from datetime import datetime

from koogallery import clock

ALPHABET = string.ascii_uppercase + string.digits


def random_code(length: int) -> str:
    """`length` random capitals and digits."""
    drawn = secrets.randbelow(len(ALPHABET) ** length)
    code = []
    for _ in range(length):
        drawn, place = divmod(drawn, len(ALPHABET))
        code.append(ALPHABET[place])
    return "".join(code)


def order_number(at: datetime) -> str:
    """`CS` + yyMMddHHmm in the platform zone + 5 random characters (purchase.md)."""
    return numbered("CS", at=at, length=5)


def numbered(prefix: str, *, at: datetime, length: int = 6) -> str:
    """`prefix` + yyMMddHHmm in the platform zone + `length` random characters."""
    return f"{prefix}{at.astimezone(clock.platform_zone()):%y%m%d%H%M}{random_code(length)}"


def public_id() -> str:
    """32 hexadecimal digits of a random UUID, as the interfaces of sellers expect identifiers."""
    return uuid.uuid4().hex


def token() -> str:
    """An unguessable URL-safe token of 32 bytes."""
    return secrets.token_urlsafe(32)
