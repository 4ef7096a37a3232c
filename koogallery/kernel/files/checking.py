"""Whether a file is accepted: name, extension, size and content (supervision.md, quality.md)."""

from __future__ import annotations

import mimetypes
import unicodedata

from django.core.files.uploadedfile import UploadedFile

from koogallery.kernel.files.formats import FORMATS, MAX_SIZE, SHOWN_LIMIT, SHOWN_TYPES, Format
from koogallery.kernel.reasons import Refused

MAX_NAME = 200
UNNAMED = "file"

# What systems start, open or interpret by its extension, besides what Python's own table of types knows.
_STARTED = """
    apk app application asp aspx bash bin cab cer cgi chm class cmd com command cpl crt deb desktop dll dmg docm dotm
    elf exe fon gadget hta htaccess htm html htx img inf ins iso jar js jse jsp jspx ksh lib lnk mht mhtml msc msh msi
    msp mst ocx ods odp odt osx out pem php php3 php4 php5 php7 php8 phar phps pht phtml pif pkg pl potm ppam ppsm
    pptm prg ps1 ps2 psc1 py pyc pyd pyo pyw rb reg rpm rtf run scf scr sct settingcontent sh shb shs shtml so svg
    svgz swf sys tar tgz gz bz2 xz 7z tmp url vb vbe vbs vhd vhdx vxd wasm ws wsc wsf wsh xht xhtml xll xlam xlsb
    xlsm xltm xml xsl xslt zsh
""".split()  # noqa: SIM905
_KNOWN = {extension[1:] for extension in mimetypes.MimeTypes(filenames=()).types_map[True] if len(extension) > 2}
EXTENSIONS = frozenset({*FORMATS, *_KNOWN, *_STARTED})
"""Extensions that may not stand before the last one."""


def clean_name(sent: str) -> str:
    """A sent name without path, control and invisible characters, at most 200 characters, its extension kept."""
    name = unicodedata.normalize("NFC", sent).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C" and letter not in "\u2028\u2029")
    name = " ".join(name.split()).strip(". ") or UNNAMED
    if len(name) <= MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 20:
        return name[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(extension) - 1].rstrip('. ')}.{extension}"


def check_name(sent: str) -> tuple[str, Format]:
    """The cleaned name and its format. Raises `Refused("file_double_extension")`, `Refused("file_type")`."""
    name = clean_name(sent)
    first, *others = name.split(".")
    between = {part.strip().lower() for part in others[:-1]}
    if first and between & EXTENSIONS:
        raise Refused("file_double_extension", name=name)
    found = FORMATS.get(others[-1].strip().lower()) if others else None
    if found is None:
        raise Refused("file_type", name=name, types=SHOWN_TYPES)
    return name, found


def check(file: UploadedFile) -> tuple[str, Format]:
    """The cleaned name and the format of an upload; the file is left at its beginning.

    Raises `Refused` with `file_type`, `file_double_extension`, `file_too_large`, `file_empty` or `file_content`.
    """
    name, found = check_name(file.name or "")
    if getattr(file, "is_too_large", False) or (file.size or 0) > MAX_SIZE:
        raise Refused("file_too_large", name=name, limit=SHOWN_LIMIT)
    if not file.size:
        raise Refused("file_empty", name=name)
    if not found.matches(file):
        raise Refused("file_content", name=name)
    file.seek(0)
    return name, found
