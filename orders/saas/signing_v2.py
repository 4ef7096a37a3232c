"""Signatures of version 2.0: requests, order queries, usage reports, and the header form `x-sign`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

TIME_WINDOW = timedelta(seconds=60)
NONCE_LENGTH = 64


class SignatureCheck(StrEnum):
    """What the check of a signature found."""

    OK = "ok"
    MISSING = "missing"
    STALE = "stale"
    WRONG = "wrong"
    REPLAYED = "replayed"


Remember = Callable[[str], bool]
"""Stores a nonce for at least twice the time window; false when it is stored already."""


class NonceMemory:
    """Nonces of the last minutes in this process, for all its threads; several processes need a shared store."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, nonce: str, *, now: datetime) -> bool:
        """Store a nonce; false when it was used within twice the time window."""
        with self._lock:
            while self._seen and next(iter(self._seen.values())) < now - 2 * TIME_WINDOW:
                self._seen.popitem(last=False)
            if nonce in self._seen:
                return False
            self._seen[nonce] = now
            return True


def new_nonce() -> str:
    """64 random hexadecimal capitals."""
    return secrets.token_hex(NONCE_LENGTH // 2).upper()


def timestamp(moment: datetime) -> str:
    """A moment as version 2.0 writes it: 13 digits, milliseconds since 1970 UTC."""
    return str((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def parse_timestamp(text: str) -> datetime:
    """The inverse of `timestamp`. Raises `ValueError`."""
    if not re.fullmatch(r"[0-9]{13}", text):
        raise ValueError("A version 2.0 timestamp has 13 digits.")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))


def compact(body: Mapping[str, Any]) -> bytes:
    """The JSON that is signed and sent: keys ascending, no blanks, members that are null dropped, UTF-8."""
    return json.dumps(_without_nulls(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(member) for member in value]
    return value


def body_hash(*, key: str, body: bytes) -> str:
    """hex(HMAC-SHA256(key, body)) in small letters; an order query has the empty body."""
    return _hex(key, body)


def signature(*, key: str, nonce: str, timestamp: str, body: bytes) -> str:
    """hex(HMAC-SHA256(key, key + nonce + timestamp + bodyHash))."""
    return _hex(key, f"{key}{nonce}{timestamp}{body_hash(key=key, body=body)}".encode())


def x_sign(*, key: str, nonce: str, timestamp: str, body: bytes) -> str:
    """The header form: hex(HMAC-SHA256(key, key + nonce + timestamp + body)), without an inner hash."""
    return _hex(key, f"{key}{nonce}{timestamp}".encode() + body)


def usage_signature(*, key: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature of a usage report: base64(HMAC-SHA256(key, "ts=…&nonce=…&body=…")); `body` is `compact`."""
    text = f"ts={timestamp}&nonce={nonce}&body=".encode() + body
    return base64.b64encode(hmac.new(key.encode(), text, hashlib.sha256).digest()).decode()


def sign_query(*, key: str, nonce: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three URL parameters of a signed request."""
    stamp = timestamp(at)
    return {
        "signature": signature(key=key, nonce=nonce, timestamp=stamp, body=body),
        "timestamp": stamp,
        "nonce": nonce,
    }


def check_request(
    *, key: str, query: Mapping[str, str], body: bytes, now: datetime, remember: Remember
) -> SignatureCheck:
    """Check a request signed by URL parameters: a seller's server its calls, the marketplace its order queries.

    Letters of the signature may be capitals. `remember` is asked only about a nonce whose signature is right.
    """
    sent, stamp, nonce = query.get("signature", ""), query.get("timestamp", ""), query.get("nonce", "")
    expected = signature(key=key, nonce=nonce, timestamp=stamp, body=body)
    return _check(sent=sent.lower(), expected=expected, stamp=stamp, nonce=nonce, now=now, remember=remember)


def check_order_query(*, key: str, query: Mapping[str, str], now: datetime, remember: Remember) -> SignatureCheck:
    """Check a seller's order query: as `check_request`, with the hash of the empty body."""
    return check_request(key=key, query=query, body=b"", now=now, remember=remember)


def check_usage_report(
    *, key: str, sent: str, timestamp: str, nonce: str, report: Mapping[str, Any], now: datetime, remember: Remember
) -> SignatureCheck:
    """Check a usage report; `report` is its parsed JSON body, signed in compact form with keys ascending."""
    expected = usage_signature(key=key, timestamp=timestamp, nonce=nonce, body=compact(report))
    return _check(sent=sent, expected=expected, stamp=timestamp, nonce=nonce, now=now, remember=remember)


def _check(*, sent: str, expected: str, stamp: str, nonce: str, now: datetime, remember: Remember) -> SignatureCheck:
    if not sent or not nonce or len(nonce) > 2 * NONCE_LENGTH:
        return SignatureCheck.MISSING
    try:
        sent_at = parse_timestamp(stamp)
    except ValueError:
        return SignatureCheck.MISSING
    if abs(now - sent_at) > TIME_WINDOW:
        return SignatureCheck.STALE
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        return SignatureCheck.WRONG
    return SignatureCheck.OK if remember(nonce) else SignatureCheck.REPLAYED


def _hex(key: str, text: bytes) -> str:
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
