"""How files arrive: each is written to disk as it comes, and nothing is kept of what is too large."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload

from koogallery.kernel.files.formats import MAX_SIZE

MAX_FILES_PER_REQUEST = 30
MAX_REQUEST_SIZE = 20 * MAX_SIZE + 5 * 1024 * 1024
"""The largest request with files in bytes: ten proofs, ten license files, and the rest of the form."""


class ReceivedFile(TemporaryUploadedFile):
    """An upload on disk. `is_too_large` and `is_surplus` files hold no bytes: they only tell the form what was sent."""

    def __init__(self, name: str, content_type: str | None, *, charset: str | None, extra: dict[str, Any] | None):
        folder = incoming()
        content = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115  closed with the request
        UploadedFile.__init__(self, content, name, content_type, 0, charset, extra)
        self.content: IO[bytes] = content  # type: ignore[assignment]
        self.length = 0
        self.sha256 = ""
        self.is_too_large = False
        self.is_surplus = False


def incoming() -> Path:
    """The folder in which uploads lie until they are stored; made when it is missing."""
    folder = Path(settings.INCOMING_FILES)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class BoundedUploadHandler(FileUploadHandler):
    """Writes uploads of signed-in visitors to disk and drops those of others, whom no form asks for a file.

    A file that grows beyond 50.0 MB loses its bytes at once, the rest of it is read past; so does every file after
    the thirtieth. The digest is computed on the way. A request's memory stays at one chunk. A request that is larger
    than any form is not read: at once when it says so, else as soon as it is.
    """

    file: ReceivedFile

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.files = 0
        self.received = 0
        self.digest = hashlib.sha256()

    def handle_raw_input(
        self, input_data: Any, META: dict[str, Any], content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        if content_length > MAX_REQUEST_SIZE:
            raise RequestDataTooBig(f"The request has {content_length} bytes, more than {MAX_REQUEST_SIZE}.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        user = getattr(self.request, "user", None)
        if user is not None and not user.is_authenticated:
            raise SkipFile
        self.files += 1
        self.digest = hashlib.sha256()
        self.file = ReceivedFile(
            self.file_name or "", self.content_type, charset=self.charset, extra=self.content_type_extra
        )
        self.file.is_surplus = self.files > MAX_FILES_PER_REQUEST

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > MAX_REQUEST_SIZE:
            raise StopUpload(connection_reset=True)
        if self.file.is_too_large or self.file.is_surplus:
            return
        if self.file.length + len(raw_data) > MAX_SIZE:
            self.file.is_too_large = True
            self.file.content.seek(0)
            self.file.content.truncate()
            self.file.length = 0
            return
        self.file.content.write(raw_data)
        self.file.length += len(raw_data)
        self.digest.update(raw_data)

    def file_complete(self, file_size: int) -> ReceivedFile:
        self.file.sha256 = self.digest.hexdigest()
        self.file.size = self.file.length
        self.file.content.flush()
        self.file.content.seek(0)
        return self.file
