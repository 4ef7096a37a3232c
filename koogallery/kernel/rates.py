"""How often somebody may ask: a count per minute in Redis. A limit guards against floods, it decides nothing."""

from __future__ import annotations

import hashlib
import logging

from django.conf import settings
from django.core.cache import cache

from koogallery import clock

logger = logging.getLogger(__name__)


def is_within(*, what: str, who: str, per_minute: int) -> bool:
    """Count one request of `who` and say whether it is within the limit of this minute of real time.

    Always so in a rehearsal. Without Redis everybody may ask, which is logged: the site stays up.
    """
    if settings.REHEARSAL:
        return True
    key = f"rate:{what}:{who}:{int(clock.real_now().timestamp() // 60)}"
    try:
        cache.add(key, 0, timeout=120)
        return int(cache.incr(key)) <= per_minute
    except Exception:  # the cache's own errors, and a key that left between the two calls
        logger.exception("rate_store_failed", extra={"what": what})
        return True


def is_new(*, what: str, who: str, seconds: int) -> bool:
    """Note that something was asked for and say whether it was not within this time; always so without Redis."""
    try:
        return bool(cache.add(_asked(what, who), 1, timeout=seconds))
    except Exception:  # the cache's own errors
        logger.exception("rate_store_failed", extra={"what": what})
        return True


def forget(*, what: str, who: str) -> None:
    """Let what `is_new` noted be new again."""
    try:
        cache.delete(_asked(what, who))
    except Exception:  # the cache's own errors
        logger.exception("rate_store_failed", extra={"what": what})


def _asked(what: str, who: str) -> str:
    return f"asked:{what}:{hashlib.sha256(who.encode()).hexdigest()}"
