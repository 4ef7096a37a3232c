"""QR codes: for pages and documents as SVG, for mail as PNG."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from itertools import groupby

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pil import PilImage

BOX = 6
"""Pixels of a module; the quiet zone of four modules belongs to every picture."""


def png(text: str) -> bytes:
    """The code as a PNG, equal for equal texts. Raises `ValueError` for more than fits in a code (2,331 bytes)."""
    out = BytesIO()
    _code(text).make_image(image_factory=PilImage).save(out)
    return out.getvalue()


def svg(text: str) -> str:
    """The code as an SVG, black on white. Raises `ValueError` for more than fits in a code (2,331 bytes)."""
    rows = _code(text).get_matrix()
    size = len(rows)
    bars = "".join(_bars(row, y) for y, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size * BOX}" height="{size * BOX}" '
        f'viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path d="{bars}"/></svg>'
    )


def svg_address(text: str) -> str:
    """The SVG as an address that a page may embed as a picture."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(text).encode()).decode()


def _code(text: str) -> qrcode.QRCode:
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=BOX)
    code.add_data(text)
    code.make()
    return code


def _bars(row: Sequence[bool | None], y: int) -> str:
    """The dark modules of a row, neighbours as one bar."""
    bars, x = "", 0
    for dark, modules in groupby(row, bool):
        width = len(list(modules))
        if dark:
            bars += f"M{x} {y}h{width}v1h-{width}z"
        x += width
    return bars
