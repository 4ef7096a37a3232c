"""Canonical JSON: keys sorted, no spaces, letters as they are; names that mappings share are written once.

    text({"product": name, "order": number})      # '{"order":"CS26…","product":"…"}'

Sweeps write thousands of small mappings that have the same names. The general encoder looks at each anew, which takes
longer than PostgreSQL needs for the row.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def text(value: Any) -> str:
    """The canonical JSON of a value. Raises `TypeError` for what JSON does not know."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int:
        return str(value)
    if kind is not dict or not value:
        return _encode(value)
    shape = _shape(tuple(value))
    if shape is None:
        return _encode(value)
    form, names = shape
    return form % tuple(
        [encode_basestring(item) if type(item) is str else text(item) for item in map(value.__getitem__, names)]
    )


@lru_cache(maxsize=1024)
def _shape(names: tuple[Any, ...]) -> tuple[str, list[str]] | None:
    """A form with a place for each value, and the order of the places; None unless all names are texts."""
    if not all(type(name) is str for name in names):
        return None
    ordered = sorted(names)
    places = [encode_basestring(name).replace("%", "%%") + ":%s" for name in ordered]
    return "{" + ",".join(places) + "}", ordered
