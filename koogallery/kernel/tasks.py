"""Celery entry points of the kernel. A task is a hint: due columns and the outbox are the truth."""

from __future__ import annotations

from celery import shared_task

from koogallery import clock
from koogallery.kernel import outbox, sweeps


@shared_task(name="kernel.tick", ignore_result=True)
def tick() -> dict[str, int]:
    """Run every sweep that has something due; beat calls this every few seconds."""
    return sweeps.tick()


@shared_task(name="kernel.run_sweep", ignore_result=True)
def run_sweep(name: str) -> int:
    """Run one sweep now."""
    return sweeps.sweeps[name].run(clock.now())


@shared_task(name="kernel.deliver_outbox", ignore_result=True)
def deliver_outbox() -> int:
    """Deliver waiting messages."""
    return outbox.deliver_due(clock.now())
