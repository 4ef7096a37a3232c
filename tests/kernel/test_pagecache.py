"""The version of kept pages when Redis hangs: one request asks, no other waits (ENGINEERING: page cache)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from koogallery import clock
from koogallery.kernel import pagecache


class HangingRedis:
    """Answers nobody until told to fail."""

    def __init__(self) -> None:
        self.asked = 0
        self.reached = threading.Event()
        self.give_up = threading.Event()

    def get(self, key: str) -> bytes:
        self.asked += 1
        self.reached.set()
        self.give_up.wait(10)
        raise redis.TimeoutError


@pytest.fixture
def hanging() -> Iterator[HangingRedis]:
    pagecache.forget()
    line = HangingRedis()
    pagecache._version.client = line  # type: ignore[assignment]
    yield line
    line.give_up.set()
    pagecache.forget()


def test_while_one_request_asks_a_hanging_redis_no_other_waits_or_asks(hanging: HangingRedis) -> None:
    with ThreadPoolExecutor(4) as threads:
        asking = threads.submit(pagecache.version)
        try:
            assert hanging.reached.wait(5)
            others = [threads.submit(pagecache.version) for _ in range(3)]
            assert [other.result(timeout=5) for other in others] == [None] * 3
        finally:
            hanging.give_up.set()
        assert asking.result(timeout=5) is None
    assert pagecache.version() is None
    assert hanging.asked == 1


def test_a_version_long_past_is_not_shown_while_redis_hangs(hanging: HangingRedis) -> None:
    pagecache._version.value, pagecache._version.wait = 7, pagecache.POLL_SECONDS
    pagecache._version.asked_at = clock.monotonic() - 3
    with pagecache._version.lock:
        assert pagecache.version() is None
        pagecache._version.asked_at = clock.monotonic() - 0.3
        assert pagecache.version() == 7


def test_the_pause_after_a_failure_begins_when_it_was_found_out(
    hanging: HangingRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(100, 200))
    monkeypatch.setattr(clock, "monotonic", lambda: float(next(seconds)))
    hanging.give_up.set()
    began = 100.0
    assert pagecache.version() is None
    assert pagecache._version.asked_at > began + 1


def test_who_got_the_lock_after_an_answer_does_not_ask_again(
    hanging: HangingRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(pagecache, "_is_fresh", lambda: next(answers))
    pagecache._version.value = 9
    assert pagecache.version() == 9
    assert hanging.asked == 0
