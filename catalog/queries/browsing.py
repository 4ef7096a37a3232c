"""The orders that visitors browse in, kept by stretches: which products stand on which page of a selection."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connection

from catalog.queries import search
from catalog.queries.matching import Kept
from catalog.rules.facets import Selection
from koogallery.kernel import pagecache

SHORTEST = 2 * search.PER_PAGE
LONGEST = 16 * search.PER_PAGE

_stretches = Kept(1024)


class KeptEach(Kept):
    """As `Kept`, for values that are asked for and made many at a time."""

    def get_each(self, keys: Sequence[Any], make: Callable[[list[Any]], Mapping[Any, Any]]) -> list[Any]:
        """The values under keys, in their order; what is missing is made together, and left out if it is not."""
        version = pagecache.version()
        if version is None:
            made = make(list(keys))
            return [made[key] for key in keys if key in made]
        with self._lock:
            if self._version != version:
                self._kept.clear()
                self._version = version
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        missing = [key for key in keys if key not in found]
        if missing:
            made = make(missing)
            found.update(made)
            with self._lock:
                if self._version == version:
                    self._kept.update(made)
                    while len(self._kept) > self._most:
                        self._kept.popitem(last=False)
        return [found[key] for key in keys if key in found]


def browse(*, selection: Selection, sort: str, page: int) -> tuple[search.Found, Sequence[int]]:
    """A page of what is on sale within the selection, with the ids of its products in place of their cards."""
    sort = sort if search.ORDERS.get(sort) else "popularity"
    page = max(1, min(page, search.BROWSED_AT_MOST // search.PER_PAGE))
    counts = search.counts_of(selection)
    shown = min(counts.total, search.BROWSED_AT_MOST)
    found = search.Found(cards=[], counts=counts, page=page, pages=max(1, -(-shown // search.PER_PAGE)), sort=sort)
    return found, _ids(selection, sort, (page - 1) * search.PER_PAGE)


def _ids(selection: Selection, sort: str, first: int) -> Sequence[int]:
    """The products of a page; the stretch they stand in is kept until something shown changes."""
    start, length = stretch(first)
    kept: array[int] = _stretches.get((selection, sort, start), lambda: _walk(selection, sort, start, length))
    return kept[first - start : first - start + search.PER_PAGE]


def stretch(place: int) -> tuple[int, int]:
    """Start and length of the stretch that a place of an order stands in; they grow towards the end."""
    start, length = 0, SHORTEST
    while place >= start + length:
        start += length
        length = min(2 * length, LONGEST)
    return start, length


def _walk(selection: Selection, sort: str, start: int, length: int) -> array[int]:
    conditions, params = search._filters(selection)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT product_id FROM catalog_productsearch {where} "  # noqa: S608 (constants; values are parameters)
            f"ORDER BY {search.ORDERS[sort]} LIMIT %s OFFSET %s",
            [*params, length, start],
        )
        return array("q", [row[0] for row in cursor.fetchall()])
