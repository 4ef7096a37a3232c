"""Celery entry points of the kernel. A task is a hint: due columns and the outbox are the truth."""

from __future__ import annotations

from celery import shared_task

from koogallery import clock
from koogallery.kernel import hints, outbox, rehearsal, sweeps


@shared_task(name="kernel.tick", ignore_result=True)
def tick() -> dict[str, int]:
    """Run every sweep that has something due; beat calls this every few seconds."""
    with rehearsal.beside_walks() as free:
        return sweeps.tick() if free else {}


@shared_task(name="kernel.run_sweep", ignore_result=True)
def run_sweep(name: str) -> int:
    """Run one sweep now."""
    with rehearsal.beside_walks() as free:
        return sweeps.sweeps[name].run(clock.now()) if free else 0


@shared_task(name="kernel.deliver_outbox", ignore_result=True)
def deliver_outbox() -> int:
    """Deliver waiting messages."""
    hints.begin("kernel.deliver_outbox")
    with rehearsal.beside_walks() as free:
        return outbox.deliver_due(clock.now()) if free else 0
