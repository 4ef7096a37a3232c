"""Measurements and the table that shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement. `ratio` is measured over its limit or baseline in the same run, None where there is none."""

    what: str
    target: str
    measured: str
    ratio: float | None
    passed: bool | None

    @property
    def verdict(self) -> str:
        return {True: "pass", False: "FAIL", None: "–"}[self.passed]


HEADINGS = ("What", "Target", "Measured", "Ratio", "")


def render(rows: Iterable[Row]) -> str:
    """The table as text, its columns as wide as their widest cell."""
    cells = [
        (row.what, row.target, row.measured, "" if row.ratio is None else f"{row.ratio:.3g}", row.verdict)
        for row in rows
    ]
    widths = [max(_width(line[column]) for line in (HEADINGS, *cells)) for column in range(len(HEADINGS))]
    lines = [_line(HEADINGS, widths), "  ".join("─" * width for width in widths)]
    lines += [_line(line, widths) for line in cells]
    return "\n".join(lines)


def _line(cells: Iterable[str], widths: list[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """Columns a text takes on a terminal, where Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
