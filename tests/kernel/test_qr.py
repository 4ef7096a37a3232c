"""A QR code says what was put into it, as a picture for pages and as one for mail."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import pytest
import zxingcpp
from PIL import Image

from koogallery.kernel import qr

LINK = "https://koogallery.example/console/offers/PO202701050001/?from=mail&name=云图"


def decoded(png: bytes) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(png)).convert("L"))]


def test_the_png_decodes_to_the_text() -> None:
    assert decoded(qr.png(LINK)) == [LINK]


def test_equal_texts_give_equal_pictures_and_others_do_not() -> None:
    assert qr.png(LINK) == qr.png(LINK)
    assert qr.svg(LINK) == qr.svg(LINK)
    assert qr.png(LINK) != qr.png(LINK + "x")


def test_the_svg_is_a_square_of_nothing_but_shapes() -> None:
    picture = ElementTree.fromstring(qr.svg("otpauth://totp/<script>"))
    names = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert names <= {"svg", "rect", "path"}
    assert picture.get("width") == picture.get("height")
    assert "script" not in qr.svg("otpauth://totp/<script>")


def test_the_address_of_an_svg_holds_the_svg() -> None:
    head, _, content = qr.svg_address(LINK).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == qr.svg(LINK)


def test_more_than_fits_is_an_error() -> None:
    with pytest.raises(ValueError):
        qr.png("x" * 3000)
