"""Parked work, looked at by an operations manager: try again what was given up."""

from __future__ import annotations

from typing import Any

from koogallery.kernel import outbox
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.models import OutboxMessage, SweepFailure
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing

OPERATORS = {Role.OPERATOR, Role.SYSTEM}


def parked_message(call: Call, key: Any) -> OutboxMessage:
    """A parked outgoing message, locked. Raises `Missing`."""
    message = OutboxMessage.objects.select_for_update().filter(pk=key, parked_at__isnull=False).first()
    if message is None:
        raise Missing(f"No parked message {key}.")
    return message


def parked_row(call: Call, key: Any) -> SweepFailure:
    """A sweep's failed row, locked. Raises `Missing`."""
    failure = SweepFailure.objects.select_for_update().filter(pk=key).first()
    if failure is None:
        raise Missing(f"No failed row {key}.")
    return failure


@operation("retryMessage", resource_type="OutboxMessage", roles=OPERATORS, targets={"message": parked_message})
def retry_message(call: Call, *, message: OutboxMessage) -> OutboxMessage:
    """Put a parked outgoing message back in the queue."""
    describe(resource_id=str(message.pk), resource_name=str(message), attempts=message.attempts)
    outbox.retry(message, at=call.at)
    return message


@operation("retrySweepRow", resource_type="SweepFailure", roles=OPERATORS, targets={"failure": parked_row})
def retry_sweep_row(call: Call, *, failure: SweepFailure) -> SweepFailure:
    """Let a sweep try a row again at its next run, from a first attempt."""
    describe(resource_id=str(failure.pk), resource_name=str(failure), attempts=failure.attempts)
    SweepFailure.objects.filter(pk=failure.pk).update(attempts=0, parked_at=None, next_try_at=call.at)
    return failure
