"""What the words of a query mean to the database, and which words were meant when nothing is found.

A word is a part of words: `doc` stands for every word that contains it. What many products have is a bit of their
marks, and read there; anything else few have, and an index finds them: trigrams from three letters on, else tokens.
Chinese is matched by pairs of characters, words of one or two letters by how a word begins.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from catalog.models import SearchProfile
from catalog.rules import words
from koogallery.kernel import pagecache

CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class Wide:
    """A part that many products have; `place` is its bit in their marks."""

    word: str
    place: int

    @property
    def pattern(self) -> str:
        """What stands in the documents meant."""
        return words.pattern_of(self.word)


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on `catalog_productsearch` that an index serves, and the wide parts besides."""

    query: str
    conditions: tuple[str, ...] = ()
    params: tuple[Any, ...] = ()
    wide: tuple[Wide, ...] = ()

    @property
    def is_selective(self) -> bool:
        """Whether an index narrows it down; else only wide parts are asked for, or nothing."""
        return bool(self.conditions)


class PerVersion:
    """A value that holds as long as nothing shown has changed; made anew each time while Redis is away."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._kept: tuple[int, Any] | None = None

    def __call__(self) -> Any:
        version = pagecache.version()
        if self._kept is not None and version is not None and self._kept[0] == version:
            return self._kept[1]
        value = self._make()
        if version is not None:
            self._kept = (version, value)
        return value


class Kept:
    """Values by key, as long as nothing shown has changed; the least recently used leave first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._version: int | None = None
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value kept under a key, or a new one."""
        version = pagecache.version()
        if version is None:
            return make()
        with self._lock:
            if self._version != version:
                self._kept.clear()
                self._version = version
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            if self._version == version:
                self._kept[key] = value
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return value


def _read_frequent() -> dict[str, int]:
    profile = SearchProfile.objects.filter(pk=1).first()
    return {piece: place for place, piece in enumerate(profile.frequent_pieces)} if profile else {}


_frequent = PerVersion(_read_frequent)


def frequent() -> dict[str, int]:
    """The frequent pieces and their places in the marks; kept per process until something shown changes."""
    found: dict[str, int] = _frequent()
    return found


def match_of(asked: str) -> Match:
    """The conditions of normalised words."""
    known = frequent()
    conditions: list[str] = []
    params: list[Any] = []
    wide: list[Wide] = []
    for word in asked.split():
        parts = words.bigrams(word) if words.is_chinese(word[0]) else [word]
        for part in parts:
            if (place := known.get(part)) is not None:
                wide.append(Wide(word=part, place=place))
            elif words.is_chinese(part[0]) or len(part) < 3:
                conditions.append("tokens @@ %s::tsquery")
                params.append(f"'{part}'" if len(part) < 2 or words.is_chinese(part[0]) else f"'{part}':*")
            else:
                conditions.append("document LIKE %s")
                params.append(f"%{part}%")
    return Match(query=asked, conditions=tuple(conditions), params=tuple(params), wide=tuple(wide))


def wide_conditions(wide: tuple[Wide, ...]) -> tuple[list[str], list[Any]]:
    """Wide parts as conditions on the marks, which search and facet rows both have.

    PostgreSQL expects few rows of `= 1` and nearly all of `<> 0`, which is nearer to what these are.
    """
    return ["get_bit(marks, %s) <> 0"] * len(wide), [each.place for each in wide]


def correct(asked: str) -> str:
    """The query with each unknown word replaced by the nearest known one; empty when nothing can be corrected."""
    changed, corrected = False, []
    for word in asked.split():
        near = None if words.is_chinese(word[0]) else _nearest(word)
        changed = changed or near is not None
        corrected.append(near or word)
    return " ".join(corrected) if changed else ""


def _nearest(word: str) -> str | None:
    if not words.typos_allowed(word):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM catalog_vocabulary WHERE word = %s", [word])
        if cursor.fetchone():
            return None
        cursor.execute(
            "SELECT word, products FROM catalog_vocabulary WHERE word = ANY(%s)", [sorted(words.one_typo_away(word))]
        )
        if near := words.closest(word, cursor.fetchall()):
            return near
        if words.typos_allowed(word) < 2:
            return None
        cursor.execute(
            "SELECT word, products FROM catalog_vocabulary WHERE word %% %s AND length(word) BETWEEN %s AND %s "
            "ORDER BY similarity(word, %s) DESC, products DESC LIMIT %s",
            [word, len(word) - 2, len(word) + 2, word, CANDIDATES],
        )
        return words.closest(word, cursor.fetchall())
