"""Declared events: how a lower room tells an upper one, in the same transaction.

Handlers run in the order of subscription; an exception passes to the publisher. Subscribe only in `apps.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction

E = TypeVar("E")
_handlers: dict[type, list[Callable[[Any], None]]] = {}
DECLARED: list[type] = []


def event(cls: type[E]) -> type[E]:
    """Declare a frozen dataclass as an event; the list of declared events is documented and pinned by a test."""
    DECLARED.append(cls)
    _handlers[cls] = []
    return cls


def subscribe(cls: type[E], handler: Callable[[E], None]) -> None:
    """Let `handler` hear of every `cls`. Raises `KeyError` when `cls` was not declared."""
    _handlers[cls].append(handler)


def is_heard(cls: type[Any]) -> bool:
    """Whether anybody hears of `cls`; who publishes many need not fetch rows for nobody."""
    return bool(_handlers[cls])


def publish(happened: Any) -> None:
    """Tell the subscribers, inside the running transaction. Raises `RuntimeError` outside of one."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{type(happened).__name__} was published outside a transaction.")
    for handler in _handlers[type(happened)]:
        handler(happened)
