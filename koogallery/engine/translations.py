"""The message catalogues, without GNU gettext: `python -m koogallery.engine.translations extract|compile|check`.

`extract` brings locale/*/LC_MESSAGES/django.po up to date with code and templates, `compile` writes the .mo files that
Django reads (`make run` and `make test` do it), `check` names what has no translation and exits with 1.
"""

from __future__ import annotations

import io
import string
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("koogallery", "audit", "billing", "catalog", "orders", "supervision", "unsubscriptions", "templates")
LANGUAGES = ("zh_Hans",)
FIRST_EXTRACTED = datetime(2026, 11, 22, tzinfo=UTC)
"""Kept in the files' headers, so that an extraction that finds nothing new changes nothing."""
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def catalogue_path(language: str) -> Path:
    """Where the translations of a language stand."""
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def _sources() -> Iterator[Path]:
    for name in SOURCES:
        folder = ROOT / name
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".py", ".html", ".txt"} and "__pycache__" not in path.parts:
                yield path


def _python_of(path: Path) -> bytes:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text.encode()
    from django.utils.translation.template import templatize  # Django stays out of a plain compile

    python = templatize(text, origin=str(path))
    return "\n".join(line.lstrip() for line in python.splitlines()).encode()


def collect() -> Catalog:
    """Every translatable text of code and templates, with where it stands."""
    found = Catalog(charset="utf-8", fuzzy=False)
    for path in _sources():
        rows = extract("python", io.BytesIO(_python_of(path)), keywords=KEYWORDS, comment_tags=())
        for line, texts, comments, context in rows:
            if texts and (texts if isinstance(texts, str) else texts[0]):
                place = str(path.relative_to(ROOT))
                found.add(
                    texts, locations=[(place, line)], auto_comments=comments, context=context, flags=_flags(texts)
                )
    return found


def _flags(texts: str | tuple[str, ...]) -> set[str]:
    first = texts if isinstance(texts, str) else texts[0]
    return {"python-format"} if "%(" in first or "%s" in first else set()


def read(language: str) -> Catalog:
    """The translations of a language as they stand."""
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language, charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> Catalog:
    """Bring a language's file up to date: new texts empty, vanished ones dropped, nothing guessed."""
    catalogue = read(language)
    catalogue.update(collect(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    catalogue.project, catalogue.version, catalogue.msgid_bugs_address = "KooGallery", "1", "SECURITY.md"
    catalogue.header_comment = "# Translations of KooGallery; kept up to date by `make messages`."
    catalogue.last_translator = catalogue.language_team = "KooGallery"
    catalogue.creation_date = catalogue.revision_date = FIRST_EXTRACTED
    path = catalogue_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(
            file, catalogue, width=0, sort_by_file=False, omit_header=False, include_lineno=False, no_location=True
        )
    return catalogue


def compile_catalogues(folder: Path) -> list[Path]:
    """Compile every .po file under `folder` that is newer than its .mo file; the files written."""
    written = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with open(source, "rb") as file:
            catalogue = read_po(file, locale=source.parts[-3])
        draft = target.with_suffix(".mo.draft")
        with open(draft, "wb") as file:
            write_mo(file, catalogue)
        draft.replace(target)
        written.append(target)
    return written


def missing(language: str) -> list[str]:
    """Texts of code and templates that `language` does not have, and translations whose placeholders differ."""
    have = read(language)
    faults = []
    for message in collect():
        if not message.id:
            continue
        stored: Message | None = have.get(message.id, message.context)
        text = stored.string if stored else None
        parts = (text,) if isinstance(text, str) else tuple(text or ())
        first = message.id if isinstance(message.id, str) else message.id[-1]
        if not parts or not all(parts):
            faults.append(f"no translation: {first!r}")
        elif any(_placeholders(part) != _placeholders(first) for part in parts if part):
            faults.append(f"other placeholders: {first!r} → {parts[0]!r}")
    return faults


def _placeholders(text: str) -> set[str]:
    named = {part.split(")", 1)[0] for part in text.split("%(")[1:]}
    try:
        braces = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:
        braces = set()
    return named | {name for name in braces if name.isidentifier()}


def main(arguments: list[str]) -> int:
    """The command line; see the module's text."""
    verb = arguments[0] if arguments else ""
    if verb == "extract":
        for language in LANGUAGES:
            update(language)
            print(f"{language}: {len(missing(language))} without translation")
    elif verb == "compile":
        compile_catalogues(ROOT / "locale")
    elif verb == "check":
        faults = [f"{language}: {fault}" for language in LANGUAGES for fault in missing(language)]
        print("\n".join(faults))
        return 1 if faults else 0
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
