"""The storage `attachments`: where a file lies, what it holds, and how it is read back."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.files.uploadedfile import UploadedFile

from koogallery.kernel.files import sealing
from koogallery.kernel.files.streaming import incoming
from koogallery.kernel.reasons import Refused

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024


class Folder(FileSystemStorage):
    """A folder that no address leads to; storing again under a key replaces what lies there."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(location=location, allow_overwrite=True)

    def url(self, name: str | None) -> str:
        """No file has an address of its own."""
        raise ValueError("Attachments are given out by views alone.")


def attachments() -> Storage:
    """The storage of sent files."""
    return storages["attachments"]


def key_of(*, owner: int | None, key: str, sha256: str, sealed: bool) -> str:
    """Where a content lies: the same account, form and content have the same place, however often it is sent."""
    form = re.sub(r"[^\w-]", "", key)[:64] or "form"
    return f"{owner or 0}/{form}/{sha256}{'.sealed' if sealed else ''}"


def put(file: UploadedFile, *, key: str, sealed: bool) -> None:
    """Store an upload under `key`, over what the same form has stored there before.

    Raises `Refused("file_storage_unavailable")`.
    """
    file.seek(0)
    if not sealed:
        _save(key, file)
        return
    with sealing.sealed_copy(file, folder=incoming()) as copy:
        _save(key, File(copy))


def _save(key: str, content: File[Any]) -> None:
    try:
        saved = attachments().save(key, content)
    except Exception as fault:  # what storages raise when they are away differs
        logger.exception("file_not_stored", extra={"key": key})
        raise Refused("file_storage_unavailable") from fault
    if saved != key:
        attachments().delete(saved)
        raise RuntimeError("The storage `attachments` must store again under the same key.")


def read(*, key: str, sealed: bool) -> Reading:
    """The plain content in chunks.

    Raises, at once, `FileNotFoundError` when the storage does not hold it and `Refused("file_storage_unavailable")`.
    """
    try:
        handle = attachments().open(key, "rb")
    except FileNotFoundError:
        raise
    except Exception as fault:  # as above
        logger.exception("file_not_read", extra={"key": key})
        raise Refused("file_storage_unavailable") from fault
    return Reading(handle, sealed=sealed)


class Reading:
    """The chunks of an open file; `close` is called by whoever serves it, read to the end or not."""

    def __init__(self, handle: IO[bytes] | File[Any], *, sealed: bool) -> None:
        self.handle = handle
        self.chunks = sealing.unsealed(handle) if sealed else iter(lambda: handle.read(CHUNK), b"")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.chunks)
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Give back the file."""
        self.handle.close()


def remove(key: str) -> None:
    """Remove an object and, in a file system, the folder of its form when nothing else lies there."""
    storage = attachments()
    storage.delete(key)
    if isinstance(storage, FileSystemStorage):
        try:
            Path(storage.path(key)).parent.rmdir()
        except OSError:
            return


def listing() -> Iterator[tuple[str, datetime]]:
    """Every object's key and when it was stored, by the storage's own clock."""
    storage = attachments()
    if isinstance(storage, FileSystemStorage):
        root = Path(storage.base_location)
        for path in root.rglob("*"):
            if path.is_file():
                yield path.relative_to(root).as_posix(), datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        return
    bucket: Any = storage.bucket  # type: ignore[attr-defined]
    for found in bucket.objects.all():
        yield found.key, found.last_modified
