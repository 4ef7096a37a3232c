"""What a document says, without how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from koogallery.kernel.documents import typesetting
from koogallery.kernel.money import Money

Words = str | Promise
"""A text in the document's language, or a lazy translation, which becomes one."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who issues or receives a document: a name, and under it address, tax number and the like."""

    name: str
    lines: Sequence[Words] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value; amounts, moments and dates are shown as on pages (R1)."""

    label: Words
    value: Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a numeric one stands right and is as wide as it needs, the others share the rest by weight."""

    label: Words
    numeric: bool = False
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; cells may be texts, amounts, moments, dates or nothing. The last total is the result.

    Raises `ValueError` for a table without columns or a row of another length.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    totals: Sequence[tuple[Words, Money]] = ()
    title: Words = ""

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("A table needs columns.")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"Every row needs {len(self.columns)} cells.")


@dataclass(frozen=True, slots=True)
class Document:
    """One document on A4. `link` is an absolute address, shown as a QR code over `link_label`, which can be clicked."""

    title: Words
    number: str
    language: str
    issued_at: datetime
    issuer: Party
    recipient: Party | None = None
    facts: Sequence[Fact] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[Words] = ()
    footer: Words = ""
    link: str = ""
    link_label: Words = ""

    def pdf(self) -> bytes:
        """The document as a PDF, in its language and the display zone in force; equal documents give equal bytes.

        Raises `ValueError` for an issuing moment without a zone.
        """
        return typesetting.pdf(self)
