"""Guarded models: rows that change only inside a running operation (R17).

The model refuses `save`, `delete` and every bulk form; a connection wrapper refuses raw writes to its table. Sweeps
and migrations open the guard by name. Guarded tables use `on_delete=PROTECT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import post_migrate, pre_migrate

_opened: ContextVar[tuple[str, ...]] = ContextVar("guard_opened", default=())


class Unguarded(RuntimeError):
    """A guarded row would have been changed outside an operation."""


@contextmanager
def opened(name: str) -> Iterator[None]:
    """Let guarded rows be written inside the block; `name` says by whom, for the error of a nested fault."""
    token = _opened.set((*_opened.get(), name))
    try:
        yield
    finally:
        _opened.reset(token)


def running() -> str:
    """The operation, sweep or migration that has the guard open; empty when closed."""
    stack = _opened.get()
    return stack[-1] if stack else ""


def _require(model: type[models.Model], verb: str) -> None:
    if not _opened.get():
        raise Unguarded(f"{model._meta.label} may be changed only by an operation; {verb} was called outside one.")


class GuardedQuerySet(models.QuerySet):
    """A query set whose writes need a running operation."""

    def _guarded(verb: str) -> Callable[..., Any]:  # type: ignore[misc]
        def write(self: GuardedQuerySet, *args: Any, **kwargs: Any) -> Any:
            _require(self.model, verb)
            return getattr(super(), verb)(*args, **kwargs)

        write.__name__ = verb
        write.alters_data = True  # type: ignore[attr-defined]
        return write

    update = _guarded("update")
    delete = _guarded("delete")
    bulk_create = _guarded("bulk_create")
    bulk_update = _guarded("bulk_update")
    _raw_delete = _guarded("_raw_delete")
    del _guarded


GuardedManager = models.Manager.from_queryset(GuardedQuerySet)


class GuardedModel(models.Model):
    """Base of every row that holds money, state or rights."""

    objects = GuardedManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        _require(type(self), "save")
        super().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        _require(type(self), "delete")
        return super().delete(*args, **kwargs)


@lru_cache(maxsize=1)
def _guarded_tables() -> re.Pattern[str]:
    tables = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, GuardedModel))
    names = "|".join(re.escape(table) for table in tables) or "(?!)"
    verbs = r"INSERT\s+INTO|MERGE\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|COPY"
    return re.compile(rf'\b(?:{verbs})(?:\s+ONLY)?\s+(?:"?public"?\.)?"?({names})"?(?![\w])', re.I)


def wrapper(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Refuse a write to a guarded table while no operation runs."""
    if not _opened.get():
        text = sql if isinstance(sql, str) else sql.as_string(context["connection"].connection)
        found = _guarded_tables().search(text) if _might_write(text) else None
        if found:
            raise Unguarded(f"A raw write to {found.group(1)} outside an operation.")
    return execute(sql, params, many, context)


def _might_write(sql: str) -> bool:
    return not sql.startswith("SELECT") and sql.lstrip()[:8].upper().startswith(
        ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "COPY", "MERGE", "WITH", "/*", "--", "EXPLAIN")
    )


def install(sender: Any = None, connection: Any = None, **kwargs: Any) -> None:
    """Put the wrapper on a new connection (signal `connection_created`)."""
    if connection is not None and wrapper not in connection.execute_wrappers:
        connection.execute_wrappers.append(wrapper)


_migrating: list[Any] = []


def _open_for_migration(**kwargs: Any) -> None:
    if not _migrating:
        _migrating.append(_opened.set((*_opened.get(), "migrate")))


def close_after_migration() -> None:
    """Close the guard that migrations opened."""
    if _migrating:
        _opened.reset(_migrating.pop())


def listen_to_migrations() -> None:
    """Open the guard while migrations run (they are the one named operation that Django itself starts)."""
    pre_migrate.connect(_open_for_migration, dispatch_uid="guard-open", weak=False)
    post_migrate.connect(_close_when_done, dispatch_uid="guard-close", weak=False)


def _close_when_done(sender: Any = None, **kwargs: Any) -> None:
    last = list(apps.get_app_configs())[-1]
    if sender is None or sender.label == last.label:
        close_after_migration()
