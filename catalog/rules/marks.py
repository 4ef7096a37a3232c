"""Marks: one bit of a product's row for every piece of text that many products have.

A piece is what a query may ask for: a run of three letters or more anywhere in a word, the first two letters of a word,
a word of one letter, a Chinese character or two that stand together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from catalog.rules import words

WIDTH = 120
MOST = WIDTH * 8
SHORTEST_RUN = 3


def pieces_of(word: str) -> Iterator[str]:
    """Every piece by which a word of a normalised document is found; some may come twice."""
    if words.is_chinese(word[0]):
        yield from word
        yield from words.bigrams(word)
        return
    yield word[:2]
    for length in range(SHORTEST_RUN, len(word) + 1):
        yield from _runs(word, length)


def frequent_pieces(counts: Mapping[str, int], *, least: int) -> list[str]:
    """The pieces that about `least` products have, or more, most frequent first; `counts` are products per token.

    A product with two words that share a piece counts twice for it. A piece's own pieces are always among them.
    """
    found: Counter[str] = Counter()
    latin = {}
    for word, products in counts.items():
        if words.is_chinese(word[0]):
            found[word] += products
        else:
            found[word[:2]] += products
            latin[word] = products
    found = Counter({piece: products for piece, products in found.items() if products >= least})
    length, shorter = SHORTEST_RUN, None
    while latin and (shorter is None or shorter):
        runs: Counter[str] = Counter()
        with_runs = {}
        for word, products in latin.items():
            own = {
                run for run in _runs(word, length) if shorter is None or (run[1:] in shorter and run[:-1] in shorter)
            }
            for run in own:
                runs[run] += products
            if own:
                with_runs[word] = products
        shorter = {run for run, products in runs.items() if products >= least}
        found.update({run: runs[run] for run in shorter})
        latin, length = with_runs, length + 1
    return [piece for piece, _products in sorted(found.items(), key=lambda each: (-each[1], len(each[0]), each[0]))][
        :MOST
    ]


def _runs(word: str, length: int) -> list[str]:
    return [word[start : start + length] for start in range(len(word) - length + 1)]


class Marks:
    """The marks of documents, for a list of frequent pieces. Bit n, from the lowest of the first byte, is piece n."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self._bits = {piece: 1 << place for place, piece in enumerate(pieces[:MOST])}
        self._known: dict[str, int] = {}

    def of(self, document: str) -> bytes:
        """The marks of a normalised document, `WIDTH` bytes."""
        marks = 0
        if self._bits:
            for word in document.split():
                if word not in self._known:
                    self._known[word] = self._of_word(word)
                marks |= self._known[word]
        return marks.to_bytes(WIDTH, "little")

    def _of_word(self, word: str) -> int:
        marks = 0
        for piece in pieces_of(word):
            marks |= self._bits.get(piece, 0)
        return marks
