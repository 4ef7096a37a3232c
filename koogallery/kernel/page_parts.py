"""Parts of pages that several rooms show alike, as their templates take them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Banner:
    """The sentence on top of a page: how things stand, whose turn it is, since when, until when."""

    tone: str
    icon: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file that can be downloaded; `size` in bytes. A `sealed` one is shown only behind the eye."""

    name: str
    url: str
    size: int
    sealed: bool = False
