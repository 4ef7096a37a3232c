"""Public numbers: unguessable, speakable, unique by constraint."""

from __future__ import annotations

import os
import secrets
import string
import uuid
from collections.abc import Iterable
from datetime import datetime

from koogallery import clock

DRAWN = 12
"""Random bytes for a code of six: so many more than it takes that each code is as likely as any other."""
ALPHABET = string.ascii_uppercase + string.digits


def random_code(length: int) -> str:
    """`length` random capitals and digits."""
    return _code(secrets.randbelow(len(ALPHABET) ** length), length)


def _code(drawn: int, length: int) -> str:
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


def numbered_each(prefix: str, *, moments: Iterable[datetime]) -> list[str]:
    """`numbered` for many moments: one draw for all, one printing for all of a minute."""
    given = list(moments)
    drawn = os.urandom(DRAWN * len(given))
    minutes: dict[datetime, str] = {}
    numbers = []
    for place, at in enumerate(given):
        minute = at.replace(second=0, microsecond=0)
        if (begins := minutes.get(minute)) is None:
            begins = minutes[minute] = f"{prefix}{at.astimezone(clock.platform_zone()):%y%m%d%H%M}"
        random = int.from_bytes(drawn[place * DRAWN : (place + 1) * DRAWN])
        numbers.append(begins + _code(random, 6))
    return numbers


def public_id() -> str:
    """32 hexadecimal digits of a random UUID, as the interfaces of sellers expect identifiers."""
    return uuid.uuid4().hex


def token() -> str:
    """An unguessable URL-safe token of 32 bytes."""
    return secrets.token_urlsafe(32)
