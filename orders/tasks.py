"""Celery entry points of orders. A task is a hint: the due columns are the truth."""

from __future__ import annotations

from celery import shared_task

from koogallery import clock
from koogallery.kernel import hints, rehearsal
from orders.operations import interface_calls


@shared_task(name="orders.make_calls", ignore_result=True)
def make_calls() -> int:
    """Make the calls to sellers' servers that are due."""
    hints.begin("orders.make_calls")
    with rehearsal.beside_walks() as free:
        return interface_calls.run_due(clock.now()) if free else 0
