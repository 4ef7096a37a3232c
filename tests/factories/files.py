"""Small files of every accepted type, whose contents are what their names say."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
RAR = b"Rar!\x1a\x07\x01\x00" + b"\x00" * 24
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 16 + b"\x3e\x00\x03\x00\xfe\xff\x09\x00" + b"\x00" * 480


def picture(kind: str) -> bytes:
    """A picture of 2 × 2 dots."""
    target = io.BytesIO()
    Image.new("RGB", (2, 2), "teal").save(target, kind)
    return target.getvalue()


def zipped(names: Iterable[str]) -> bytes:
    """An archive with a little text under each name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "text")
    return target.getvalue()


def office(folder: str, *more: str) -> bytes:
    """A document of the new office formats, whose parts lie in `folder`."""
    return zipped(["[Content_Types].xml", "_rels/.rels", f"{folder}/document.xml", *more])


CONTENTS: dict[str, bytes] = {
    "bmp": picture("BMP"),
    "jpg": picture("JPEG"),
    "jpeg": picture("JPEG"),
    "png": picture("PNG"),
    "gif": picture("GIF"),
    "doc": OLE2,
    "docx": office("word"),
    "xls": OLE2,
    "xlsx": office("xl"),
    "ppt": OLE2,
    "pptx": office("ppt"),
    "pdf": PDF,
    "rar": RAR,
    "zip": zipped(["a.txt"]),
}


def sent(name: str = "proof.pdf", content: bytes | None = None) -> SimpleUploadedFile:
    """An upload as a form gets it; its content is that of its extension unless one is given."""
    return SimpleUploadedFile(name, CONTENTS[name.rpartition(".")[2].lower()] if content is None else content)
