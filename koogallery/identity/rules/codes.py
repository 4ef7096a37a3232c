"""Pictures of codes."""

from __future__ import annotations

import base64
from io import BytesIO

import qrcode
from qrcode.image.svg import SvgPathFillImage


def picture(text: str) -> str:
    """A QR code as the address of an SVG picture that a page may embed."""
    out = BytesIO()
    qrcode.make(text, image_factory=SvgPathFillImage, box_size=8).save(out)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
