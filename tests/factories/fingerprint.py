"""A fingerprint of the tables that an operation might touch: what was refused has left them all as they were."""

from __future__ import annotations

from functools import cache

from django.db import connection


def rows_of(*prefixes: str) -> dict[str, str]:
    """A fingerprint of the rows of each table whose name begins with one of these, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(prefixes))
        return dict(cursor.fetchall())


@cache
def _statement(prefixes: tuple[str, ...]) -> str:
    tables = [name for name in sorted(connection.introspection.table_names()) if name.startswith(prefixes)]
    rows = "SELECT '{0}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {0} t"
    return " UNION ALL ".join(rows.format(table) for table in tables)
