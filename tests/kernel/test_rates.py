"""The rate limit: by name and visitor, a minute long, never in a rehearsal, open and logged without Redis."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from koogallery.kernel import rates


def ask(times: int, *, who: str = "192.0.2.1", what: str = "test") -> list[bool]:
    return [rates.is_within(what=what, who=who, per_minute=2) for _ in range(times)]


@pytest.fixture(autouse=True)
def _one_minute(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of a test fall into one minute."""
    moment = rates.clock.real_now()
    monkeypatch.setattr(rates.clock, "real_now", lambda: moment)


def test_what_is_beyond_the_limit_is_refused_for_this_visitor_and_purpose_only() -> None:
    assert ask(4) == [True, True, False, False]
    assert ask(1, who="192.0.2.2") == ask(1, what="other") == [True]


def test_a_rehearsal_knows_no_limit(settings: Settings) -> None:
    settings.REHEARSAL = True
    assert ask(5) == [True] * 5


def test_without_redis_everybody_may_ask_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(rates.cache, "add", gone)
    with caplog.at_level("ERROR", logger="koogallery.kernel.rates"):
        assert ask(3) == [True] * 3
    assert "rate_store_failed" in caplog.text


def test_what_was_asked_for_lately_is_not_new_until_it_is_forgotten() -> None:
    asked = [rates.is_new(what="test", who=who, seconds=60) for who in ("a", "a", "b")]
    assert asked == [True, False, True]
    rates.forget(what="test", who="a")
    assert rates.is_new(what="test", who="a", seconds=60)


def test_without_redis_everything_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(rates.cache, "add", gone)
    monkeypatch.setattr(rates.cache, "delete", gone)
    assert rates.is_new(what="test", who="a", seconds=60)
    rates.forget(what="test", who="a")
