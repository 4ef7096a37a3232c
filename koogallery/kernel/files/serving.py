"""How a stored file is given out: always as an attachment, never shown in the page's own origin."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from koogallery.kernel.files import checking, storing
from koogallery.kernel.files.formats import FORMATS
from koogallery.kernel.reasons import Missing

if TYPE_CHECKING:
    from koogallery.kernel.models import StoredFile

logger = logging.getLogger(__name__)

UNKNOWN = "application/octet-stream"


def response(stored: StoredFile) -> StreamingHttpResponse:
    """The file as a download, streamed from the storage and unsealed on the way; who may have it decides the caller.

    Raises `Missing` when the storage does not hold it.
    """
    name = checking.clean_name(stored.name)
    found = FORMATS.get(name.rpartition(".")[2].lower())
    try:
        content = storing.read(key=stored.key, sealed=stored.sealed)
    except FileNotFoundError:
        logger.error("stored_file_lost", extra={"number": stored.number, "key": stored.key})
        raise Missing(f"file {stored.number}") from None
    headers = {
        "Content-Length": str(stored.size),
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return StreamingHttpResponse(content, content_type=found.content_type if found else UNKNOWN, headers=headers)
