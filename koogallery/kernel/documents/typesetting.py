"""From a described document to a PDF: its values become texts, the texts travel as JSON into `document.typ`.

Nothing in them is read as markup. Fonts come from pinned packages, never from the machine; nothing is fetched.
"""

from __future__ import annotations

import ctypes
import json
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pylopdf_fonts_zh_cn
from django.utils import translation
from django.utils.translation import gettext as _

from koogallery.kernel import display, qr

if TYPE_CHECKING:
    import typst

    from koogallery.kernel.documents.describing import Document, Party, Table

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "document.typ"

_LANGUAGES = {"zh-hans": ("zh", "CN")}
_DIRECTING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def pdf(document: Document) -> bytes:
    """The bytes of a document: tagged after PDF/UA-1, fonts embedded as subsets, dated to its issuing moment.

    A letter that no font has is shown as a box, and leaves the file without the mark of PDF/UA.
    """
    if document.issued_at.tzinfo is None:
        raise ValueError("A moment needs a zone.")
    with translation.override(document.language):
        words = json.dumps(_described(document), ensure_ascii=False)
    return _typeset(words, at=document.issued_at.astimezone(UTC).replace(microsecond=0))


def _typeset(words: str, *, at: datetime) -> bytes:
    import typst  # here, since it takes 9 MB of every process that imports it

    def compiled(*standards: typst.PDFStandard) -> bytes:
        return typst.compile(
            TEMPLATE,
            root=FOLDER,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"document": words},
            pdf_standards=[*standards],
            timestamp=at,
        )

    try:
        return compiled("ua-1")
    except typst.TypstError:
        return compiled()
    finally:
        _forget()


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    """Noto Sans SC for both scripts; Typst's own fonts serve the few Latin letters that it lacks."""
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[pylopdf_fonts_zh_cn.sans_path().parent])


def _forget() -> None:
    """Give back what Typst keeps for a next draft, which never comes.

    Its memory of a compilation ends with the eleventh after it; then the C library returns what is free (glibc alone).
    Without this a worker keeps 20 MB more, and far more after one long document.
    """
    import typst

    nothing = typst.Compiler(font_paths=_fonts(), ignore_system_fonts=True)
    for _time in range(11):
        nothing.compile(b"", format="svg")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _described(document: Document) -> dict[str, Any]:
    language, region = _LANGUAGES.get(document.language, (document.language.partition("-")[0], None))
    return {
        "title": _text(document.title),
        "number": _text(document.number),
        "language": language,
        "region": region,
        "issuer": _party(_("Issued by"), document.issuer),
        "recipient": _party(_("Issued to"), document.recipient) if document.recipient else None,
        "facts": [
            [_("Issued"), _text(document.issued_at)],
            *([_text(fact.label), _text(fact.value)] for fact in document.facts),
        ],
        "tables": [_table(table) for table in document.tables],
        "notes": [_text(note) for note in document.notes],
        "notes_title": _("Notes"),
        "footer": _text(document.footer),
        "page": _("Page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"},
        "link": document.link,
        "link_label": _text(document.link_label),
        "code": qr.svg(document.link) if document.link else "",
        "code_label": _("QR code of %(link)s") % {"link": document.link},
    }


def _party(role: str, party: Party) -> dict[str, Any]:
    return {"role": role, "name": _text(party.name), "lines": [_text(line) for line in party.lines if str(line)]}


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": _text(table.title) if table.title else "",
        "columns": [
            {"label": _text(column.label), "numeric": column.numeric, "weight": column.weight}
            for column in table.columns
        ],
        "rows": [[_text(cell) for cell in row] for row in table.rows],
        "totals": [[_text(label), _text(amount)] for label, amount in table.totals],
    }


def _text(value: Any) -> str:
    """A value as it is read (R1), composed, without control characters and orders to turn the direction of text."""
    text = display.value_text(value) if value not in (None, "") else display.NOTHING
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    return "".join(
        letter
        for letter in text
        if letter == "\n" or (unicodedata.category(letter) not in {"Cc", "Cs"} and letter not in _DIRECTING)
    )
