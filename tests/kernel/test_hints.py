"""Hints to workers: one that has not begun is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.db import transaction

from koogallery.kernel import hints

pytestmark = pytest.mark.django_db(transaction=True)


class Task:
    """Counts how often a worker was asked."""

    name = "tests.hinted"

    def __init__(self) -> None:
        self.asked = 0

    def delay(self) -> None:
        """Ask."""
        self.asked += 1


@pytest.fixture
def task() -> Iterator[Task]:
    hints.begin(Task.name)
    yield Task()
    hints.begin(Task.name)


def test_many_commits_ask_once_until_the_task_begins(task: Task) -> None:
    for _turn in range(3):
        with transaction.atomic():
            hints.give(task)
            assert task.asked == 0 or _turn
    assert task.asked == 1
    hints.begin(Task.name)
    hints.give(task)
    assert task.asked == 2


def test_what_is_rolled_back_asks_nobody(task: Task) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        hints.give(task)
        raise ZeroDivisionError
    assert task.asked == 0


def test_a_lost_task_is_asked_for_again_after_some_seconds(task: Task, settings: Any) -> None:
    hints.give(task)
    line = redis.Redis.from_url(settings.REDIS_URL)
    assert 0 < line.ttl("koogallery:asked:tests.hinted") <= hints.LIFETIME_SECONDS


def test_without_redis_the_commit_stands(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(url: str) -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(hints, "_client", away)
    with transaction.atomic():
        hints.give(task)
    hints.begin(Task.name)
    assert task.asked == 0
