"""The edge: uploads of a form become checked, scanned and stored files; those of a refused form are kept for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta

from django.core import signing
from django.core.files.uploadedfile import UploadedFile

from koogallery.kernel.files import checking, scanning, storing
from koogallery.kernel.files.recording import Upload
from koogallery.kernel.reasons import Refused

MAX_FILES = 10
KEPT_FOR = timedelta(hours=24)
SALT = "koogallery.files.kept"


def receive(
    sent: Iterable[UploadedFile],
    *,
    owner: int | None,
    key: str,
    sealed: bool = False,
    max_files: int = MAX_FILES,
    field: str = "files",
) -> list[Upload]:
    """Check, scan and store uploads for the account `owner`, all or none; `key` is the form's idempotency key.

    The same form with the same files gives equal uploads again (R18). Raises `Refused`, naming `field`, with
    `too_many_files`, `file_type`, `file_double_extension`, `file_too_large`, `file_empty`, `file_content`,
    `file_infected`, `file_scan_unavailable` or `file_storage_unavailable`.
    """
    files = list(sent)
    check_count(len(files), max_files=max_files, field=field)
    found = [examine(file, owner=owner, key=key, sealed=sealed, field=field) for file in files]
    try:
        for file, upload in zip(files, found, strict=True):
            storing.put(file, key=upload.key, sealed=sealed)
    except Refused as refused:
        refused.field = field
        raise
    return found


def check_count(count: int, *, max_files: int, field: str = "files") -> None:
    """Raise `Refused("too_many_files")` for more than `max_files`."""
    if count > max_files:
        raise Refused("too_many_files", field=field, limit=max_files)


def examine(file: UploadedFile, *, owner: int | None, key: str, sealed: bool, field: str = "files") -> Upload:
    """Check and scan one upload; what it will be once it is stored. Raises `Refused`, naming `field`."""
    try:
        name, found = checking.check(file)
        scanning.scan(file, name=name)
    except Refused as refused:
        refused.field = field
        raise
    sha256 = getattr(file, "sha256", "") or _digest(file)
    return Upload(
        key=storing.key_of(owner=owner, key=key, sha256=sha256, sealed=sealed),
        name=name,
        size=file.size or 0,
        sha256=sha256,
        content_type=found.content_type,
        sealed=sealed,
    )


def _digest(file: UploadedFile) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def keep_token(upload: Upload, *, owner: int | None) -> str:
    """A signed text by which a refused form finds its stored upload again, for 24 hours and for this account."""
    return signing.dumps({"owner": owner, **asdict(upload)}, salt=SALT)


def kept(token: str, *, owner: int | None) -> Upload | None:
    """The upload of a token; None when it is forged, too old or another account's."""
    try:
        found = signing.loads(token, salt=SALT, max_age=KEPT_FOR)
    except signing.BadSignature:
        return None
    if found.pop("owner") != owner:
        return None
    return Upload(**found)
