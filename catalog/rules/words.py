"""Words of a text as search compares them, and words that differ by a typo."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_WORD = 40
MOST_WORDS = 8
NOT_WORDS = re.compile(r"[^a-z0-9]+")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def is_chinese(letter: str) -> bool:
    """Whether a character is written without blanks between words: Chinese, and Japanese or Korean alike."""
    return (
        "\u3400" <= letter <= "\u9fff"
        or "\uf900" <= letter <= "\ufaff"
        or "\u3040" <= letter <= "\u30ff"
        or "\uac00" <= letter <= "\ud7af"
        or letter >= "\U00020000"
    )


def normalised(text: str) -> str:
    """The text without case, accents and punctuation; one blank between words and around Chinese runs."""
    if text.isascii():
        return NOT_WORDS.sub(" ", text.lower()).strip()
    parts: list[str] = []
    before = ""
    for letter in unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold():
        if unicodedata.combining(letter):
            continue
        kind = "c" if is_chinese(letter) else "w" if letter.isalnum() else ""
        if kind != before and parts and parts[-1] != " ":
            parts.append(" ")
        if kind:
            parts.append(letter)
        before = kind
    return unicodedata.normalize("NFKC", "".join(parts)).strip()


def words_of(text: str) -> list[str]:
    """The distinct words of a text in their order; a run of Chinese is one word."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in normalised(text).split()))


def bigrams(word: str) -> list[str]:
    """The pairs of neighbouring characters of a Chinese run; a single character stands alone."""
    return [word] if len(word) < 2 else [word[index : index + 2] for index in range(len(word) - 1)]


def tokens_of(document: str) -> list[str]:
    """What a normalised document is found by as a whole: its words; for Chinese its characters and their pairs."""
    found: dict[str, None] = {}
    for word in document.split():
        if is_chinese(word[0]):
            found.update(dict.fromkeys(word))
            found.update(dict.fromkeys(bigrams(word)))
        else:
            found[word[:LONGEST_WORD]] = None
    return list(found)


def pattern_of(word: str) -> str:
    """What stands in a normalised document for a word: a part of words from three letters on, of two a beginning."""
    if is_chinese(word[0]) or len(word) > 2:
        return word
    return f" {word} " if len(word) == 1 else f" {word}"


def trigrams(word: str) -> list[str]:
    """The runs of three characters inside a word."""
    return [word[index : index + 3] for index in range(len(word) - 2)]


def one_typo_away(word: str) -> set[str]:
    """Every word that one swap, missing, wrong or extra letter makes of `word`."""
    splits = [(word[:index], word[index:]) for index in range(len(word) + 1)]
    found = {left + right[1:] for left, right in splits if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    found |= {left + letter + right[1:] for left, right in splits if right for letter in LETTERS}
    found |= {left + letter + right for left, right in splits for letter in LETTERS}
    found.discard(word)
    return found


def distance(one: str, other: str, *, limit: int = 2) -> int:
    """Damerau–Levenshtein distance with swaps of neighbours (each pair once); `limit` + 1 when it is farther."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, start=1):
        two_before, before, row = before, row, [index] + [0] * len(other)
        for place, facing in enumerate(other, start=1):
            cost = 0 if letter == facing else 1
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + cost)
            if index > 1 and place > 1 and letter == other[place - 2] and one[index - 2] == facing:
                row[place] = min(row[place], two_before[place - 2] + 1)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def typos_allowed(word: str) -> int:
    """How many typos a word of this length may have and still be meant: none below three letters, two from seven."""
    return 0 if len(word) < 3 else 1 if len(word) < 7 else 2


def closest(word: str, known: Iterable[tuple[str, int]]) -> str | None:
    """The known word nearest to `word` within the typos allowed; among equals the one more products use."""
    allowed = typos_allowed(word)
    ranked = sorted(
        (gap, -products, candidate)
        for candidate, products in known
        if 0 < (gap := distance(word, candidate, limit=allowed)) <= allowed
    )
    return ranked[0][2] if ranked else None


def marked(text: str, query: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, each with whether it matches a word of the query; parts join to the text again."""
    lowered = text.lower()
    spans: list[tuple[int, int]] = []
    for word in query.lower().split():
        start = lowered.find(word)
        if start >= 0 and len(lowered) == len(text):
            spans.append((start, start + len(word)))
    place = 0
    for start, end in sorted(spans):
        if start < place:
            continue
        if start > place:
            yield text[place:start], False
        yield text[start:end], True
        place = end
    if place < len(text):
        yield text[place:], False
