"""The outbox: what is to be told to the outside is a row of the same transaction, delivered by a worker.

    outbox.put("mail", key=f"order-paid:{order.number}", payload={...}, at=call.at)

    @outbox.handler("mail", once=True)
    def deliver(payload: dict, key: str) -> None: ...     # raises to be tried again

Tries back off; after `MAX_TRIES` the message is parked where an operations manager sees it. A handler with `once`
is never started twice for a message whose first start did not report its end: such a message is parked as uncertain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from koogallery import clock
from koogallery.kernel import hints, jsontext
from koogallery.kernel.arrays import array
from koogallery.kernel.inserting import insert_new
from koogallery.kernel.models import OutboxMessage

logger = logging.getLogger(__name__)

MAX_TRIES = 12
LEASE = timedelta(seconds=90)
BUDGET_SECONDS = 10.0


@dataclass(frozen=True)
class Handler:
    """Who delivers a kind of message."""

    deliver: Callable[[dict[str, Any], str], None]
    once: bool


_handlers: dict[str, Handler] = {}


def handler(kind: str, *, once: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare who delivers messages of `kind`."""

    def declare(deliver: Callable[..., None]) -> Callable[..., None]:
        _handlers[kind] = Handler(deliver=deliver, once=once)
        return deliver

    return declare


class Waiting(NamedTuple):
    """A message to be put: its kind, the key that makes it unique, what it holds, and when it may leave."""

    kind: str
    key: str
    payload: dict[str, Any]
    at: datetime


_PUT = """
INSERT INTO kernel_outboxmessage (kind, key, payload, created_at, next_try_at, attempts, error)
SELECT kind, key, payload, created_at, next_try_at, 0, ''
FROM unnest(%s::text[], %s::text[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[])
    AS g(kind, key, payload, created_at, next_try_at)
"""


def put(kind: str, *, key: str, payload: dict[str, Any], at: datetime) -> None:
    """Write a message with the running transaction; a message with the same key is written once."""
    put_many([Waiting(kind=kind, key=key, payload=payload, at=at)])


def put_many(messages: Iterable[Waiting]) -> None:
    """Write messages with the running transaction in one statement; what was written before is left out."""
    rows = list(messages)
    if not rows:
        return
    moments = array(message.at for message in rows)
    given = [
        array(message.kind for message in rows),
        array(message.key for message in rows),
        array(jsontext.text(message.payload) for message in rows),
        moments,
        moments,
    ]
    insert_new(_PUT, given, rows=len(rows))
    nudge()


def nudge() -> None:
    """Ask a worker, after commit, to deliver what is waiting; losing this hint loses nothing."""
    from koogallery.kernel.tasks import deliver_outbox  # tasks import this module

    hints.give(deliver_outbox)


def next_due() -> datetime | None:
    """When the next waiting message is due."""
    return (
        OutboxMessage.objects.filter(next_try_at__isnull=False)
        .order_by("next_try_at")
        .values_list("next_try_at", flat=True)
        .first()
    )


def deliver_due(upto: datetime) -> int:
    """Deliver messages due at or before `upto`; return how many were tried.

    Stops after some seconds of a slow server, so that sweeps and other tasks get their turn, and asks for another one.
    """
    tried, until = 0, clock.monotonic() + BUDGET_SECONDS
    while (message := _claim(upto)) is not None:
        _deliver(message, upto)
        tried += 1
        if clock.monotonic() > until:
            nudge()
            break
    return tried


def retry(message: OutboxMessage, *, at: datetime) -> None:
    """Put a parked message back in the queue (an operations manager's “try again”)."""
    OutboxMessage.objects.filter(pk=message.pk, parked_at__isnull=False).update(
        parked_at=None, started_at=None, attempts=0, next_try_at=at
    )
    nudge()


def backoff(attempts: int) -> timedelta:
    """Wait before the next try: 10 s, doubling, at most one hour."""
    return min(timedelta(seconds=10 * 2 ** max(0, attempts - 1)), timedelta(hours=1))


def _claim(upto: datetime) -> OutboxMessage | None:
    with transaction.atomic():
        message = (
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(next_try_at__lte=upto)
            .order_by("next_try_at", "pk")
            .first()
        )
        if message is None:
            return None
        known = _handlers.get(message.kind)
        if known is not None and known.once and message.started_at is not None:
            message.next_try_at, message.parked_at = None, upto
            message.error = "Uncertain: the process stopped while this was being sent."
            message.save(update_fields=["next_try_at", "parked_at", "error"])
            return message
        message.attempts += 1
        message.started_at = upto
        message.next_try_at = upto + max(LEASE, backoff(message.attempts))
        message.save(update_fields=["attempts", "started_at", "next_try_at"])
    return message


def _deliver(message: OutboxMessage, upto: datetime) -> None:
    if message.parked_at is not None:
        return
    try:
        _handlers[message.kind].deliver(message.payload, message.key)
    except Exception as fault:
        logger.warning("outbox_try_failed", extra={"kind": message.kind, "key": message.key, "error": str(fault)})
        message.error = f"{type(fault).__name__}: {fault}"[:2000]
        message.started_at = None
        if message.attempts >= MAX_TRIES:
            message.next_try_at, message.parked_at = None, upto
        else:
            message.next_try_at = upto + backoff(message.attempts)
        message.save(update_fields=["error", "started_at", "next_try_at", "parked_at"])
    else:
        message.delivered_at, message.next_try_at, message.error = clock.now(), None, ""
        message.save(update_fields=["delivered_at", "next_try_at", "parked_at", "error"])


def pending_count() -> int:
    """How many messages wait; for metrics."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kernel_outboxmessage WHERE next_try_at IS NOT NULL")
        return int(cursor.fetchone()[0])
