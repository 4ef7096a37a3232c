"""What the words of a query mean to the database, and which words were meant when nothing is found.

A word is a part of words: `doc` stands for every word that contains it. Where one of those is frequent, trigrams would
read half the catalogue; then the mask of frequent words is asked, and the rare words that contain it are looked up in
the vocabulary. Chinese is matched by pairs of characters, words of one or two letters by how a word begins.
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
MOST_RARE_WORDS = 200


@dataclass(frozen=True, slots=True)
class Wide:
    """A word that many products have: frequent itself (`is_whole`) or a part of the frequent words in `mask`."""

    word: str
    mask: int
    is_whole: bool

    @property
    def pattern(self) -> str:
        """What stands in the documents meant."""
        return words.pattern_of(self.word)


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on `catalog_productsearch` that an index serves, and the wide words besides."""

    query: str
    conditions: tuple[str, ...] = ()
    params: tuple[Any, ...] = ()
    wide: tuple[Wide, ...] = ()

    @property
    def is_selective(self) -> bool:
        """Whether an index narrows it down; else only wide words are asked for, or nothing."""
        return bool(self.conditions)


@dataclass(frozen=True, slots=True)
class Frequent:
    """The words and runs of three letters that too many products have."""

    masks: dict[str, int]
    trigrams: frozenset[str]

    def mask_with(self, part: str) -> int:
        """The bits of the frequent words that contain a part."""
        found = 0
        for word, bit in self.masks.items():
            if part in word:
                found |= bit
        return found


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


def _read_frequent() -> Frequent:
    profile = SearchProfile.objects.filter(pk=1).first()
    if profile is None:
        return Frequent({}, frozenset())
    masks = {word: 1 << bit for bit, word in enumerate(profile.frequent_words)}
    return Frequent(masks, frozenset(profile.frequent_trigrams))


_frequent = PerVersion(_read_frequent)


def frequent() -> Frequent:
    """What is frequent now; kept per process until something shown changes."""
    found: Frequent = _frequent()
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
            if bit := known.masks.get(part):
                wide.append(Wide(word=part, mask=bit, is_whole=True))
            elif len(part) < 3:
                conditions.append("tokens @@ %s::tsquery")
                params.append(f"'{part}'" if len(part) < 2 or words.is_chinese(part[0]) else f"'{part}':*")
            elif mask := known.mask_with(part):
                wide.append(Wide(word=part, mask=mask, is_whole=False))
            elif all(run in known.trigrams for run in words.trigrams(part)):
                conditions.append("tokens @@ %s::tsquery")
                params.append(f"'{part}':*")
            else:
                conditions.append("document LIKE %s")
                params.append(f"%{part}%")
    return Match(query=asked, conditions=tuple(conditions), params=tuple(params), wide=tuple(wide))


def wide_conditions(wide: tuple[Wide, ...]) -> tuple[list[str], list[Any]]:
    """Wide words as conditions on the mask, which search and facet rows both have."""
    conditions: list[str] = []
    params: list[Any] = []
    for each in wide:
        rare = [] if each.is_whole else _products_without(each)
        if rare:
            conditions.append("(frequent & %s <> 0 OR product_id = ANY(%s::bigint[]))")
            params += [each.mask, rare]
        else:
            conditions.append("frequent & %s <> 0")
            params.append(each.mask)
    return conditions, params


def _products_without(wide: Wide) -> list[int]:
    """The products that have the word only in words without its frequent ones, of the most used such words."""
    known = frequent()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word FROM catalog_vocabulary WHERE word LIKE %s ORDER BY products DESC LIMIT %s",
            [f"%{wide.word}%", MOST_RARE_WORDS],
        )
        rare = [row[0] for row in cursor.fetchall()]
        meant = [word for word, bit in known.masks.items() if bit & wide.mask]
        rare = [word for word in rare if not any(each in word for each in meant)]
        if not rare:
            return []
        cursor.execute(
            "SELECT product_id FROM catalog_productsearch WHERE tokens @@ %s::tsquery AND frequent & %s = 0",
            [" | ".join(f"'{word}'" for word in rare), wide.mask],
        )
        return [row[0] for row in cursor.fetchall()]


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
