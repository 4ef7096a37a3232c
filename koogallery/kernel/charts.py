"""Charts as SVG made on the server: bars and lines with direct labels; the numbers stand in a table behind a toggle.

Positions are whole pixels of a 640 × 200 drawing; amounts stay exact and are shown as the caller words them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, TOP, FOOT, SIDE = 640, 200, 22, 24, 4
LABELS = 12


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a chart: what it is of, how large, how it is worded; `expected` marks a forecast."""

    label: Any
    value: Decimal | int
    text: str = ""
    expected: bool = False

    @property
    def shown(self) -> str:
        return self.text or f"{self.value:,}"


def bars(points: Sequence[Point]) -> SafeString:
    """A bar for each point; negative values count as nothing."""
    heights = _heights(points)
    slot = (WIDTH - 2 * SIDE) // max(len(points), 1)
    width = max(2, min(44, slot * 7 // 10))
    few = len(points) <= LABELS
    drawn = [
        (
            "bar-soft" if point.expected else "bar",
            SIDE + index * slot + (slot - width) // 2,
            HEIGHT - FOOT - height,
            width,
            height,
            f"{point.label}: {point.shown}",
        )
        for index, (point, height) in enumerate(zip(points, heights, strict=True))
    ]
    shapes = format_html_join(
        "", '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="3"><title>{}</title></rect>', drawn
    )
    peak = max(range(len(points)), key=lambda index: heights[index], default=0)
    words = [
        ("value", SIDE + index * slot + slot // 2, HEIGHT - FOOT - heights[index] - 6, point.shown)
        for index, point in enumerate(points)
        if heights[index] and (index == peak or (few and len(points) <= 7))
    ]
    return _drawing(shapes, words, _names(points, [SIDE + i * slot + slot // 2 for i in range(len(points))]))


def line(points: Sequence[Point]) -> SafeString:
    """A line through the points, with its last value written at its end."""
    heights = _heights(points)
    steps = max(len(points) - 1, 1)
    across = [SIDE + 20 + index * (WIDTH - 2 * SIDE - 100) // steps for index in range(len(points))]
    places = [(x, HEIGHT - FOOT - height) for x, height in zip(across, heights, strict=True)]
    if not places:
        return _drawing(SafeString(""), [], [])
    path = " ".join(f"{x},{y}" for x, y in places)
    floor = HEIGHT - FOOT
    shapes = format_html(
        '<polygon class="area" points="{},{} {} {},{}"/><polyline class="line" points="{}"/>'
        '<circle class="dot" cx="{}" cy="{}" r="4"/>',
        places[0][0],
        floor,
        path,
        places[-1][0],
        floor,
        path,
        *places[-1],
    )
    end = ("value start", places[-1][0] + 9, places[-1][1] + 4, points[-1].shown)
    return _drawing(shapes, [end], _names(points, across))


def _heights(points: Sequence[Point]) -> list[int]:
    top = max((point.value for point in points), default=0)
    room = HEIGHT - TOP - FOOT
    if top <= 0:
        return [0 for _ in points]
    return [int(Decimal(max(point.value, 0)) * room / Decimal(top)) for point in points]


def _names(points: Sequence[Point], across: Sequence[int]) -> list[tuple[str, int, int, str]]:
    every = -(-len(points) // LABELS) or 1
    last = len(points) - 1
    return [
        ("name", across[index], HEIGHT - 6, str(point.label))
        for index, point in enumerate(points)
        if (last - index) % every == 0
    ]


def _drawing(shapes: SafeString, values: Sequence[tuple], names: Sequence[tuple]) -> SafeString:
    floor = HEIGHT - FOOT
    words = format_html_join(
        "",
        '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>',
        [(css, x, y, "start" if "start" in css else "middle", text) for css, x, y, text in [*values, *names]],
    )
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-hidden="true" focusable="false">'
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}" stroke-width="1"/>{}{}</svg>',
        WIDTH,
        HEIGHT,
        WIDTH,
        floor,
        floor,
        shapes,
        words,
    )
