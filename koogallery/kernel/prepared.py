"""Queries asked again and again: their SQL is made once per process, and planned once per connection.

    _USER = Prepared(lambda: User.objects.select_related("account").filter(pk=Given("pk"), is_active=True))

    user = _USER.first(pk=user_id)

Building and compiling a query set takes longer than PostgreSQL needs to answer it. Only values may differ from call to
call. `cursor` is for SQL of one's own that gains by the same.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError
from psycopg._queries import PostgresQuery
from psycopg.sql import Literal
from psycopg.types.datetime import TimestamptzLoader

Row = TypeVar("Row")


class Given(models.Expression):
    """The place of a value that each call gives by name."""

    allowed_default = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A place for the value."""
        return "%s", (self,)


class GivenEach(Given):
    """The place of a list of values of one PostgreSQL type, for `__in`."""

    def __init__(self, name: str, kind: str = "bigint") -> None:
        super().__init__(name)
        self.kind = kind

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A place for the list."""
        return f"(SELECT unnest(%s::{self.kind}[]))", (self,)


class Prepared(Generic[Row]):
    """A query set whose conditions hold `Given` places; `build` is called once, at the first question."""

    def __init__(self, build: Callable[[], models.QuerySet[Any, Row]]) -> None:
        self._build = build
        self._made: _Made[Row] | None = None

    def all(self, **given: Any) -> list[Row]:
        """The rows for these values, in the order of the query set. Raises `KeyError` when one is missing."""
        made = self._made or self._make()
        if made.queryset.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("Rows are locked inside a transaction only.")
        values = [given[name] for name in made.names]
        asked = made.queryset._chain()  # type: ignore[attr-defined]
        asked.query.get_compiler = lambda *args, **kwargs: _answering(made, values)
        return list(asked)

    def first(self, **given: Any) -> Row | None:
        """The first row for these values; the query set itself is to say `[:1]` when there may be many."""
        found = self.all(**given)
        return found[0] if found else None

    def _make(self) -> _Made[Row]:
        queryset = self._build()
        compiler = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        sql, names = _with_constants(*compiler.as_sql())
        converters = compiler.get_converters([column for column, *_rest in compiler.select[: compiler.col_count]])
        compiler.connection = None
        self._made = _Made(queryset, compiler, sql, names, converters)
        return self._made


@dataclass(frozen=True, slots=True)
class Question(Generic[Row]):
    """Rows to ask for: the function that builds their query set with `Given` places, and the values for these.

    `counted` builds the same rows without what only their display needs, for counting them.
    """

    build: Callable[[], models.QuerySet[Any, Row]]
    given: Mapping[str, Any]
    counted: Callable[[], models.QuerySet[Any, Row]] | None = None


class PreparedCounts:
    """How many rows each of several query sets has, counted to `limit`, in one statement made once.

    Their conditions hold `Given` places; `build` is called at the first question.
    """

    def __init__(self, build: Callable[[], Mapping[str, models.QuerySet[Any, Any]]], *, limit: int) -> None:
        self._build = build
        self._limit = limit
        self._made: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None
        self._none: dict[str, int] = {}

    def all(self, **given: Any) -> dict[str, int]:
        """The counts under the names of their query sets. Raises `KeyError` when a value is missing."""
        sql, names, counted = self._made or self._make()
        if not counted:
            return dict(self._none)
        with cursor() as line:
            line.execute(sql, [given[name] for name in names])
            row = line.fetchone()
        return {**self._none, **dict(zip(counted, row, strict=True))}

    def _make(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        parts, places, counted, none = [], [], [], {}
        for name, queryset in self._build().items():
            none[name] = 0
            limited = queryset.order_by().values("pk")[: self._limit]
            try:
                sql, values = limited.query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
            except EmptyResultSet:
                continue
            parts.append(f"(SELECT count(*) FROM ({sql}) counted)")  # noqa: S608 - compiled by the ORM
            places += values
            counted.append(name)
        self._none = none
        self._made = (*_with_constants(f"SELECT {', '.join(parts)}", places), tuple(counted))
        return self._made


@dataclass(frozen=True, slots=True)
class _Made(Generic[Row]):
    queryset: models.QuerySet[Any, Row]
    compiler: SQLCompiler
    sql: str
    names: tuple[str, ...]
    converters: dict[int, Any]


def _with_constants(sql: str, places: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    """The SQL with what never changes written into it, so that partial indexes are found; the names of the rest."""
    left, names = iter(places), []
    connection.ensure_connection()

    def put(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%%"
        place = next(left)
        if isinstance(place, Given):
            names.append(place.name)
            return "%s"
        return Literal(place).as_string(connection.connection).replace("%", "%%")

    return re.sub("%[%s]", put, sql), tuple(names)


def _answering(made: _Made[Any], values: list[Any]) -> SQLCompiler:
    """The compiler as it was when it had made the SQL, which it asks with these values instead of making it again."""
    answering = copy.copy(made.compiler)
    answering.connection = connections[DEFAULT_DB_ALIAS]

    def execute_sql(*args: Any, **kwargs: Any) -> list[Any]:
        with cursor() as line:
            line.execute(made.sql, values)
            rows = line.fetchall()
        return [[row[: answering.col_count] for row in rows] if answering.has_extra_select else rows]

    answering.execute_sql = execute_sql  # type: ignore[method-assign, assignment]
    answering.get_converters = lambda expressions: made.converters  # type: ignore[method-assign]
    return answering


class _Cursor(ServerBindingCursor):
    """Tells the SQL of a planned statement, too, to whoever lists queries."""

    def _send_query_prepared(self, name: bytes, pgq: PostgresQuery, *, binary: bool | None = None) -> None:
        super()._send_query_prepared(name, pgq, binary=binary)  # type: ignore[misc]
        self._query = pgq


class _UnplannedCursor(ServerBindingCursor):
    """Has every statement planned for its values."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Send a statement that no plan is kept of."""
        return super().execute(query, params, **options | {"prepare": False})  # type: ignore[misc]


@contextmanager
def cursor(*, planned: bool = True) -> Iterator[CursorWrapper]:
    """A cursor whose statements PostgreSQL keeps planned; values go beside the SQL, so each needs a clear type.

    After how many uses a plan is kept, and whether at all, the settings say (`prepare_threshold`). Not `planned`,
    statements are planned for the values of each use: for arrays of a sweep's chunk, whose sizes decide. The driver
    reads moments by itself: Django's reader takes twenty times as long and gives the same where the connection's zone
    is UTC.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    line = database.connection
    usual, line.cursor_factory = line.cursor_factory, _Cursor if planned else _UnplannedCursor
    try:
        opened = database.cursor()
    finally:
        line.cursor_factory = usual
    with opened:
        if database.timezone_name == "UTC":
            opened.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        yield opened
