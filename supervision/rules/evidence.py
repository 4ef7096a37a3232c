"""The form of an evidence bundle: names, stable JSON, the manifest. Pure: the same case gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from koogallery import clock
from koogallery.kernel.money import Money

MAX_NAME, MAX_EXTENSION = 150, 10
UNSAFE = '\\/:*?"<>|'


@dataclass(frozen=True, slots=True)
class Written:
    """An entry of a bundle as it went into the archive; `recorded` is the hash noted when the file was sent."""

    name: str
    size: int
    sha256: str
    recorded: str = ""
    is_missing: bool = False
    is_unavailable: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the manifest lists it."""
        found: dict[str, Any] = {"name": self.name, "size": self.size, "sha256": self.sha256}
        if self.is_missing:
            found["missing"] = True
        elif self.is_unavailable:
            found["unavailable"] = True
        if self.recorded and self.recorded != self.sha256:
            found["recorded_sha256"] = self.recorded
        return found


def json_bytes(value: Any) -> bytes:
    """Readable JSON with sorted keys, UTF-8; moments in the platform zone."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=_plain) + "\n").encode(
        "utf-8", "surrogatepass"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(clock.platform_zone()).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Money):
        return {"amount": format(value.rounded().amount, "f"), "currency": value.currency}
    return str(value)


def manifest(heading: Mapping[str, Any], entries: Iterable[Written]) -> bytes:
    """`manifest.json`: every entry but itself, in the order of the archive."""
    return json_bytes({**heading, "entries": [entry.to_json() for entry in entries]})


def file_name(number: int, name: str) -> str:
    """Where a sent file lies in the bundle: numbered in the order of sending, so that no name stands twice.

    A long name loses the end of its stem, never its extension.
    """
    clean = "".join("_" if each in UNSAFE or ord(each) < 32 else each for each in name).strip(". ") or "file"
    stem, dot, extension = clean.rpartition(".")
    if not stem or len(extension) > MAX_EXTENSION:
        stem, dot, extension = clean, "", ""
    return f"files/{number:03d}-{stem[: MAX_NAME - len(dot + extension)]}{dot}{extension}"


def agreement_name(number: int, *, subject: str, version: int, language: str) -> str:
    """Where a signed text lies in the bundle."""
    clean = "".join(each if each.isalnum() or each in "-_" else "-" for each in subject)
    return f"agreements/{number:02d}-{clean}-{version}-{language}.txt"
