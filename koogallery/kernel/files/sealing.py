"""Files encrypted at rest with the field keys, in chunks, so that neither way holds a whole file in memory.

A sealed file is a mark, then for each chunk the length of its token (four bytes) and the token (Fernet). In every chunk
stand its number and whether it is the last one, so that none can be left out, repeated or moved unnoticed.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cryptography.fernet import InvalidToken

from koogallery.kernel.fields import keys_in_force

MARK = b"KGS1"
CHUNK = 1024 * 1024
_LENGTH = struct.Struct(">I")
_PLACE = struct.Struct(">I?")
LONGEST_TOKEN = 2 * CHUNK


def seal(source: IO[bytes] | Any, target: IO[bytes]) -> None:
    """Write the encrypted form of `source` to `target`."""
    fernet = keys_in_force()
    target.write(MARK)
    number, chunk = 0, source.read(CHUNK)
    while True:
        following = source.read(CHUNK)
        token = fernet.encrypt(_PLACE.pack(number, not following) + chunk)
        target.write(_LENGTH.pack(len(token)))
        target.write(token)
        if not following:
            return
        number, chunk = number + 1, following


@contextmanager
def sealed_copy(source: IO[bytes] | Any, *, folder: Path) -> Iterator[IO[bytes]]:
    """A temporary file with the encrypted form of `source`, at its beginning; gone afterwards."""
    with tempfile.NamedTemporaryFile(suffix=".sealed", dir=folder) as copy:
        seal(source, copy)  # type: ignore[arg-type]
        copy.flush()
        copy.seek(0)
        yield copy  # type: ignore[misc]


def unsealed(source: IO[bytes] | Any) -> Iterator[bytes]:
    """The plain chunks of a sealed file. Raises `InvalidToken` for a wrong key and for any change of the file."""
    fernet = keys_in_force()
    if source.read(len(MARK)) != MARK:
        raise InvalidToken("This file is not sealed.")
    number, is_last = 0, False
    while not is_last:
        head = source.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        if not 0 < length <= LONGEST_TOKEN:
            raise InvalidToken("The sealed file was cut off.")
        plain = fernet.decrypt(source.read(length))
        place, is_last = _PLACE.unpack(plain[: _PLACE.size])
        if place != number:
            raise InvalidToken("The sealed file's chunks are not in their order.")
        number += 1
        yield plain[_PLACE.size :]
    if source.read(1):
        raise InvalidToken("The sealed file was added to.")
