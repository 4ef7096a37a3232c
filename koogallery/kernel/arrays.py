"""PostgreSQL's arrays as text, for statements that take thousands of rows as one array per column.

    cursor.execute("INSERT … SELECT * FROM unnest(%s::bigint[], %s::text[])", [array(ids), array(names)])

The driver looks at every element's type and escapes it by itself, which takes longer than the insert. Here all values
are quoted together as what they print; the cast in the statement says what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

_BETWEEN = "\x00"

_moment = lru_cache(maxsize=4096)(str)
"""A chunk's moments go into several columns of several tables; printing one takes longer than finding it again."""


def array(values: Iterable[object]) -> str:
    """An array literal of texts, numbers, booleans, moments, dates, UUIDs or JSON texts; None becomes NULL.

    Raises `ValueError` for a text with a NUL character, which PostgreSQL cannot store.
    """
    given = list(values)
    if not given:
        return "{}"
    if None in given:
        return "{" + ",".join("NULL" if value is None else array([value])[1:-1] for value in given) + "}"
    joined = _BETWEEN.join(map(_moment if type(given[0]) is datetime else str, given))
    if joined.count(_BETWEEN) != len(given) - 1:
        raise ValueError("A text holds a NUL character.")
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_BETWEEN, '","')
    return '{"' + quoted + '"}'
