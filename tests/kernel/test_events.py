"""Events reach their subscribers in order, in the publisher's transaction, with their faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction

from koogallery.kernel import events
from koogallery.kernel.models import OutboxMessage


@dataclass(frozen=True)
class Happened:
    number: int


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    events.event(Happened)
    yield
    events.DECLARED.remove(Happened)
    del events._handlers[Happened]


@pytest.mark.django_db
def test_handlers_run_in_the_order_of_subscription() -> None:
    heard: list[str] = []
    events.subscribe(Happened, lambda happened: heard.append(f"first {happened.number}"))
    events.subscribe(Happened, lambda happened: heard.append(f"second {happened.number}"))
    with transaction.atomic():
        events.publish(Happened(7))
    assert heard == ["first 7", "second 7"]


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_a_handler_passes_and_undoes_what_was_done() -> None:
    from koogallery import clock

    def fail(happened: Happened) -> None:
        OutboxMessage.objects.create(kind="x", key="x", created_at=clock.now())
        raise RuntimeError

    events.subscribe(Happened, fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        events.publish(Happened(1))
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        events.publish(Happened(1))


def test_what_was_not_declared_cannot_be_heard() -> None:
    with pytest.raises(KeyError):
        events.subscribe(str, print)
