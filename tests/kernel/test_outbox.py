"""What is to be told outside leaves once, is tried again with patience, and is parked when nothing helps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from koogallery import clock
from koogallery.kernel import outbox, parked
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import OutboxMessage

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class Outside:
    """A recipient that may be down."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.down = False

    def take(self, payload: dict[str, Any], key: str) -> None:
        if self.down:
            raise ConnectionError("down")
        self.heard.append(key)


@pytest.fixture(params=[False, True], ids=["again", "once"])
def outside(request: pytest.FixtureRequest) -> Iterator[Outside]:
    recipient = Outside()
    outbox.handler("test", once=request.param)(recipient.take)
    yield recipient
    del outbox._handlers["test"]


def put(key: str = "k", at: datetime = AT) -> None:
    outbox.put("test", key=key, payload={"n": 1}, at=at)


def deliver(at: datetime) -> int:
    with clock.at(at):
        return outbox.deliver_due(at)


def test_a_message_leaves_once_however_often_it_is_put(outside: Outside) -> None:
    put()
    put()
    assert outbox.next_due() == AT
    assert deliver(AT - timedelta(seconds=1)) == 0
    assert deliver(AT) == 1
    put()
    assert deliver(AT + timedelta(days=1)) == 0
    assert outside.heard == ["k"]
    assert OutboxMessage.objects.get().delivered_at == AT


def test_a_message_goes_with_its_transaction(outside: Outside) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        put()
        raise RuntimeError
    assert deliver(AT) == 0


def test_a_failed_try_is_repeated_later_and_later(outside: Outside) -> None:
    outside.down = True
    put()
    waits, moment = [], AT
    for _try in range(5):
        deliver(moment)
        following = outbox.next_due()
        assert following is not None
        waits.append((following - moment).total_seconds())
        moment = following
    assert waits == [10, 20, 40, 80, 160]
    outside.down = False
    deliver(moment)
    assert outside.heard == ["k"]


def test_after_the_last_try_it_is_parked_and_trying_again_sends_it(outside: Outside) -> None:
    outside.down = True
    put()
    put("other", AT + timedelta(days=9))
    moment = AT
    for _try in range(outbox.MAX_TRIES):
        deliver(moment)
        moment += timedelta(hours=1)
    message = OutboxMessage.objects.get(key="k")
    assert (message.attempts, message.next_try_at) == (outbox.MAX_TRIES, None)
    assert message.error == "ConnectionError: down"
    outside.down = False
    parked.retry_message(system_call(at=moment), message=message.pk)
    deliver(moment)
    assert outside.heard == ["k"]
    assert OutboxMessage.objects.get(key="k").parked_at is None


def test_one_that_fails_does_not_hold_up_the_next(outside: Outside) -> None:
    outbox.put("unknown kind", key="x", payload={}, at=AT - timedelta(minutes=1))
    put()
    deliver(AT)
    assert outside.heard == ["k"]
    assert "KeyError" in OutboxMessage.objects.get(key="x").error


def test_a_process_that_dies_while_sending_leaves_it_uncertain_or_repeated() -> None:
    class Killed(BaseException):
        pass

    heard: list[str] = []

    def die(payload: dict[str, Any], key: str) -> None:
        heard.append(key)
        if len(heard) <= 2:
            raise Killed

    outbox.handler("once", once=True)(die)
    outbox.handler("again")(die)
    try:
        outbox.put("once", key="once", payload={}, at=AT)
        outbox.put("again", key="again", payload={}, at=AT)
        for _message in range(2):
            with pytest.raises(Killed):
                deliver(AT)
        deliver(AT + outbox.LEASE + timedelta(seconds=1))
    finally:
        del outbox._handlers["once"], outbox._handlers["again"]
    assert heard == ["once", "again", "again"]
    uncertain = OutboxMessage.objects.get(key="once")
    assert uncertain.parked_at is not None
    assert uncertain.error.startswith("Uncertain")
    assert OutboxMessage.objects.get(key="again").delivered_at is not None


@pytest.mark.parametrize("count", [2, 200])
def test_of_many_messages_only_those_with_new_keys_are_put(count: int) -> None:
    first = [outbox.Waiting(kind="test", key=f"k{n}", payload={"n": n}, at=AT) for n in range(count)]
    again = [outbox.Waiting(kind="test", key=f"k{n}", payload={"n": -1}, at=AT) for n in range(count // 2, 2 * count)]
    outbox.put_many(first)
    outbox.put_many(again)
    kept = dict(OutboxMessage.objects.values_list("key", "payload"))
    assert kept == {f"k{n}": {"n": n if n < count else -1} for n in range(2 * count)}
