"""How files are given out: as attachments, streamed, unsealed on the way (quality.md)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.signals import request_finished
from django.db import close_old_connections
from pytest_django import Settings

from koogallery import clock
from koogallery.kernel import files
from koogallery.kernel.models import StoredFile
from koogallery.kernel.reasons import Missing
from tests.factories.files import CONTENTS, PDF, sent

MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _connections_stay() -> Iterator[None]:
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


def stored(name: str = "proof.pdf", content: bytes | None = None, *, sealed: bool = False, **fields: Any) -> StoredFile:
    """A row of a received file, not saved."""
    upload = files.receive([sent(name, content)], owner=5, key="a-form-of-a-test", sealed=sealed)[0]
    row = StoredFile(number="FILE1", key=upload.key, name=upload.name, size=upload.size, sha256=upload.sha256)
    row.content_type, row.sealed, row.uploaded_at = upload.content_type, upload.sealed, clock.now()
    for column, value in fields.items():
        setattr(row, column, value)
    return row


@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_is_given_out_as_it_came(sealed: bool) -> None:
    response = files.response(stored(sealed=sealed))
    assert response.getvalue() == PDF
    assert response["Content-Length"] == str(len(PDF))
    response.close()


def test_a_file_is_never_shown_in_place() -> None:
    response = files.response(stored())
    assert response["Content-Disposition"] == 'attachment; filename="proof.pdf"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    response.close()


@pytest.mark.parametrize("extension", CONTENTS)
def test_the_content_type_is_ours_not_the_senders(extension: str) -> None:
    response = files.response(stored(f"a.{extension.upper()}", content_type="text/html"))
    assert response["Content-Type"] == files.FORMATS[extension].content_type
    assert "html" not in response["Content-Type"]
    response.close()


def test_chinese_names_and_quotes_travel_safely() -> None:
    response = files.response(stored("验收证明.pdf"))
    assert response["Content-Disposition"] == ("attachment; filename*=utf-8''%E9%AA%8C%E6%94%B6%E8%AF%81%E6%98%8E.pdf")
    response.close()
    response = files.response(stored(name="a.pdf"))
    response.close()
    tricky = stored()
    tricky.name = '../"a"\r\nX-Header: 1; .pdf'
    response = files.response(tricky)
    assert response["Content-Disposition"] == 'attachment; filename="\\"a\\"X-Header: 1; .pdf"'
    response.close()


def test_a_lost_object_is_missing(settings: Settings) -> None:
    row = stored()
    storages["attachments"].delete(row.key)
    with pytest.raises(Missing):
        files.response(row)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_large_file_is_given_out_with_little_memory(sealed: bool) -> None:
    row = stored(content=PDF + b"\x00" * 20 * MEGABYTE, sealed=sealed)
    tracemalloc.start()
    try:
        response = files.response(row)
        size = sum(len(chunk) for chunk in response)  # type: ignore[arg-type, misc]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    response.close()
    assert size == row.size == len(PDF) + 20 * MEGABYTE
    assert peak < 12 * MEGABYTE


def test_attachments_lie_apart_from_what_the_site_serves(settings: Settings) -> None:
    place = Path(storages["attachments"].path("1/form/x"))  # type: ignore[attr-defined]
    assert not place.is_relative_to(Path(settings.MEDIA_ROOT))
    with pytest.raises(ValueError, match="by views alone"):
        storages["attachments"].url("1/form/x")
