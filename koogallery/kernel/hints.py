"""Hints to workers: of each task one that has not begun is enough, however many commits ask for it.

    hints.give(deliver_outbox)           # after the commit, by whoever wrote what the task looks for

    @shared_task(name="kernel.deliver_outbox")
    def deliver_outbox() -> int:
        hints.begin("kernel.deliver_outbox")     # before it looks

What is committed before the task begins is seen by it; what comes later asks again. Losing a hint loses nothing: the
due column or the outbox row is the truth, and beat's tick looks at it every few seconds.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

from koogallery.kernel.operations import after_commit

logger = logging.getLogger(__name__)

LIFETIME_SECONDS = 5
"""A task that was lost is asked for again after this time."""


def give(task: Any) -> None:
    """Ask a worker, after commit, to run `task`, unless it was asked and has not begun."""
    after_commit(lambda: _ask(task))


def begin(name: str) -> None:
    """The task of this name looks from now on: whoever commits later is to ask again."""
    try:
        _client(settings.REDIS_URL).delete(_key(name))
    except redis.RedisError:
        logger.warning("hint_not_cleared", extra={"task": name})


def _ask(task: Any) -> None:
    if _client(settings.REDIS_URL).set(_key(task.name), 1, nx=True, ex=LIFETIME_SECONDS):
        task.delay()


def _key(name: str) -> str:
    return f"koogallery:asked:{name}"


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, health_check_interval=30)
