"""Signatures of version 1.0: the request's `authToken`, the answer's `Body-Sign`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from orders.saas.signing_v2 import TIME_WINDOW, SignatureCheck

SIGN_TYPE = "HMAC-SHA256"
_BODY_SIGN = re.compile(r'\s*sign_type="HMAC-SHA256",\s*signature="([A-Za-z0-9+/=]+)"\s*')


def time_stamp(moment: datetime) -> str:
    """A moment as version 1.0 writes it: UTC, `yyyyMMddHHmmssSSS`."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y%m%d%H%M%S}{utc.microsecond // 1000:03d}"


def parse_time_stamp(text: str) -> datetime:
    """The inverse of `time_stamp`. Raises `ValueError`."""
    if not re.fullmatch(r"[0-9]{17}", text):
        raise ValueError("A version 1.0 time stamp has 17 digits.")
    return datetime.strptime(f"{text}000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)


def auth_token(*, key: str, params: Mapping[str, str]) -> str:
    """base64(HMAC-SHA256(key + timeStamp, "k=v&…")) over the parameters sorted by name, without `authToken`."""
    text = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "authToken")
    return _hmac(f"{key}{params['timeStamp']}", text.encode())


def body_sign(*, key: str, body: bytes) -> str:
    """The header `Body-Sign` of an answer."""
    return f'sign_type="{SIGN_TYPE}", signature="{_hmac(key, body)}"'


def check_body_sign(*, key: str, body: bytes, header: str | None) -> bool:
    """Whether an answer's `Body-Sign` is that of its body; case and quotes matter."""
    found = _BODY_SIGN.fullmatch(header or "")
    return found is not None and hmac.compare_digest(found.group(1), _hmac(key, body))


def check_request(*, key: str, params: Mapping[str, str], now: datetime) -> SignatureCheck:
    """What a seller's server checks: presence, time window of 60 seconds, token."""
    if not params.get("authToken") or not params.get("timeStamp"):
        return SignatureCheck.MISSING
    try:
        sent_at = parse_time_stamp(params["timeStamp"])
    except ValueError:
        return SignatureCheck.MISSING
    if abs(now - sent_at) > TIME_WINDOW:
        return SignatureCheck.STALE
    expected = auth_token(key=key, params=params).encode()
    good = hmac.compare_digest(params["authToken"].encode(), expected)
    return SignatureCheck.OK if good else SignatureCheck.WRONG


def _hmac(key: str, text: bytes) -> str:
    return base64.b64encode(hmac.new(key.encode(), text, hashlib.sha256).digest()).decode()
