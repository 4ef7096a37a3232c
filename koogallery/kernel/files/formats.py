"""The types of files that are accepted, and how the content of each is told from others (supervision.md)."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from PIL import Image

from koogallery.kernel.files import ole2

MAX_SIZE = 52_428_800
"""The largest file in bytes: 50.0 MB."""

SHOWN_LIMIT = "50.0"

MAX_DIRECTORY = 4 * 1024 * 1024
"""The largest list of parts, in bytes, that is read of an office document."""

RAR = (b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_END = b"PK\x05\x06"
ZIP_END_SIZE = 22
LONGEST_COMMENT = 65_535

Content = IO[bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """One accepted type: its extension, the content type it is served with, and whether a content is of it."""

    extension: str
    content_type: str
    matches: Callable[[Content], bool]


def _head(content: Content, length: int) -> bytes:
    content.seek(0)
    return content.read(length)


def _image(kind: str) -> Callable[[Content], bool]:
    def matches(content: Content) -> bool:
        content.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(content, formats=[kind]) as picture:
                    picture.verify()
        except Image.DecompressionBombError:
            return True  # a true picture with very many dots; nothing here unpacks it
        except Exception:  # what Pillow raises for broken files differs from format to format
            return False
        return True

    return matches


def _ole2(*names: str) -> Callable[[Content], bool]:
    """A document of the old office formats: its container holds, at the top, the stream of that program."""

    def matches(content: Content) -> bool:
        try:
            return not ole2.streams(content).isdisjoint(names)
        except ole2.Broken:
            return False

    return matches


def _pdf(content: Content) -> bool:
    return _head(content, 64).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ").startswith(b"%PDF-")


def _rar(content: Content) -> bool:
    return _head(content, 8).startswith(RAR)


def _zip(content: Content) -> bool:
    if not _head(content, 4).startswith(ZIP):
        return False
    content.seek(0)
    return zipfile.is_zipfile(content)


def _office(folder: str) -> Callable[[Content], bool]:
    def matches(content: Content) -> bool:
        if not _zip(content) or _directory_size(content) > MAX_DIRECTORY:
            return False
        try:
            with zipfile.ZipFile(content) as parts:
                names = parts.namelist()
        except Exception:  # a directory that lies about itself fails in many ways
            return False
        has_macros = any(name.lower().endswith("vbaproject.bin") for name in names)
        return "[Content_Types].xml" in names and any(name.startswith(folder) for name in names) and not has_macros

    return matches


def _directory_size(content: Content) -> int:
    """How many bytes the list of parts takes, as the archive's end says."""
    content.seek(0, 2)
    whole = content.tell()
    content.seek(max(0, whole - ZIP_END_SIZE - LONGEST_COMMENT))
    tail = content.read()
    at = tail.rfind(ZIP_END)
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else whole


_OPEN_XML = "application/vnd.openxmlformats-officedocument."

FORMATS: dict[str, Format] = {
    each.extension: each
    for each in (
        Format("bmp", "image/bmp", _image("BMP")),
        Format("jpg", "image/jpeg", _image("JPEG")),
        Format("jpeg", "image/jpeg", _image("JPEG")),
        Format("png", "image/png", _image("PNG")),
        Format("gif", "image/gif", _image("GIF")),
        Format("doc", "application/msword", _ole2("worddocument")),
        Format("docx", f"{_OPEN_XML}wordprocessingml.document", _office("word/")),
        Format("xls", "application/vnd.ms-excel", _ole2("workbook", "book")),
        Format("xlsx", f"{_OPEN_XML}spreadsheetml.sheet", _office("xl/")),
        Format("ppt", "application/vnd.ms-powerpoint", _ole2("powerpoint document")),
        Format("pptx", f"{_OPEN_XML}presentationml.presentation", _office("ppt/")),
        Format("pdf", "application/pdf", _pdf),
        Format("rar", "application/vnd.rar", _rar),
        Format("zip", "application/zip", _zip),
    )
}
"""Accepted types by extension, in the order in which pages name them."""

SHOWN_TYPES = ", ".join(extension.upper() for extension in FORMATS)
ACCEPT = ",".join(f".{extension}" for extension in FORMATS)
"""What a file control offers to choose."""
