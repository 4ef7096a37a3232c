"""From a checked upload to a row, inside an operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from koogallery.kernel import ids
from koogallery.kernel.calls import Call

if TYPE_CHECKING:
    from koogallery.kernel.models import StoredFile


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that passed every check and lies in the storage under `key`; `size` is in bytes."""

    key: str
    name: str
    size: int
    sha256: str
    content_type: str
    sealed: bool = False


def record(call: Call, uploads: Sequence[Upload]) -> list[StoredFile]:
    """Make rows of uploads, in order, with one statement; called inside an operation."""
    from koogallery.kernel.models import StoredFile  # this package loads before the app registry is ready

    if not uploads:
        return []
    return StoredFile.objects.bulk_create(
        [
            StoredFile(
                number=ids.public_id(),
                key=upload.key,
                name=upload.name,
                size=upload.size,
                sha256=upload.sha256,
                content_type=upload.content_type,
                sealed=upload.sealed,
                owner_id=call.account_id,
                uploaded_by=str(call.user or "")[:150],
                uploaded_at=call.at,
            )
            for upload in uploads
        ]
    )
