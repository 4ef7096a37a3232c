"""Small files of every accepted type, whose contents are what their names say."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
RAR = b"Rar!\x1a\x07\x01\x00" + b"\x00" * 24


def ole2(*names: str, inside: Iterable[str] = (), size: int = 5_000) -> bytes:
    """A container with streams of `size` bytes at its top, and others in a storage: the old office formats' form."""
    inner, free, end = list(inside), 0xFFFFFFFF, 0xFFFFFFFE
    length = -(-size // 512)
    entries: list[tuple[str, int, int, int, int]] = []  # name, kind, right sibling, child, first sector
    sector = 1 + -(-(len(names) + len(inner) + 2) * 128 // 512)
    directory = list(range(1, sector))
    chains = [0xFFFFFFFD, *[number + 1 for number in directory[:-1]], end]
    storage = len(names) + 1 if inner else free
    entries.append(("Root Entry", 5, free, 1 if names else storage, end))
    for place, name in enumerate((*names, "ObjectPool", *inner), start=1):
        kind = 1 if place == len(names) + 1 else 2
        is_last = place in (len(names) + (1 if inner else 0), len(names) + 1, len(names) + 1 + len(inner))
        child = place + 1 if kind == 1 and inner else free
        entries.append((name, kind, free if is_last else place + 1, child, sector if kind == 2 else end))
        if kind == 2:
            chains += [*range(sector + 1, sector + length), end]
            sector += length
    head = bytearray(ole2_head(first_directory=1))
    head[76:80] = (0).to_bytes(4, "little")
    body = b"".join(number.to_bytes(4, "little") for number in [*chains, *[free] * (128 - len(chains))])
    assert len(body) == 512
    listed = b"".join(_entry(*entry, size=size) for entry in entries)
    return (
        bytes(head)
        + body
        + listed.ljust(len(directory) * 512, b"\x00")
        + b"text" * ((sector - 1 - len(directory)) * 128)
    )


def ole2_head(*, first_directory: int) -> bytes:
    """The header of a container whose sectors have 512 bytes."""
    start = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 16 + b"\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00"
    numbers = [0, 0, 1, first_directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0]
    return (start.ljust(40, b"\x00") + b"".join(each.to_bytes(4, "little") for each in numbers[1:])).ljust(512, b"\xff")


def _entry(name: str, kind: int, right: int, child: int, first: int, *, size: int) -> bytes:
    coded = name.encode("utf-16-le")
    numbers = (0xFFFFFFFF, right, child)
    start = coded.ljust(64, b"\x00") + (len(coded) + 2).to_bytes(2, "little") + bytes([kind, 1])
    tail = first.to_bytes(4, "little") + (size if kind == 2 else 0).to_bytes(8, "little")
    return start + b"".join(each.to_bytes(4, "little") for each in numbers) + b"\x00" * 36 + tail


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
    "doc": ole2("WordDocument", "1Table"),
    "docx": office("word"),
    "xls": ole2("Workbook"),
    "xlsx": office("xl"),
    "ppt": ole2("Current User", "PowerPoint Document"),
    "pptx": office("ppt"),
    "pdf": PDF,
    "rar": RAR,
    "zip": zipped(["a.txt"]),
}


def sent(name: str = "proof.pdf", content: bytes | None = None) -> SimpleUploadedFile:
    """An upload as a form gets it; its content is that of its extension unless one is given."""
    return SimpleUploadedFile(name, CONTENTS[name.rpartition(".")[2].lower()] if content is None else content)
