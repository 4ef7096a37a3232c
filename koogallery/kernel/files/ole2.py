"""The container of the old office formats, read as far as it takes to name what lies at its top.

A file of sectors: a header, a table that chains the sectors (FAT), and a directory whose entries form a tree.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import IO

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HEADER = 512
ENTRY = 128
MAX_DIRECTORY = 4 * 1024 * 1024
"""The largest directory in bytes that is read."""

_LAST = 0xFFFFFFFA
"""From here on a number is no sector's."""
_SMALL = 4096
"""Streams below this size in bytes lie in a stream of their own."""
_STREAM, _ROOT = 2, 5


class Broken(ValueError):
    """The container is cut off, or its tables lead nowhere."""


def streams(content: IO[bytes]) -> set[str]:
    """The names, in lower case, of the streams at the top of a container. Raises `Broken`."""
    return _Container(content).streams()


class _Container:
    def __init__(self, content: IO[bytes]) -> None:
        self.content = content
        self.length = content.seek(0, 2)
        head = self._read(0, HEADER)
        if not head.startswith(SIGNATURE) or head[28:30] != b"\xfe\xff" or head[30] not in (9, 12):
            raise Broken("no header")
        self.size = 1 << head[30]
        self.directory_at, self.first_list = (int.from_bytes(head[at : at + 4], "little") for at in (48, 68))
        self.chains = self._chains(_numbers(head[76:]))

    def streams(self) -> set[str]:
        """The names of the streams beside the root, each whole as far as its chain tells."""
        directory = b"".join(self._sector(number) for number in self._chain(self.directory_at, MAX_DIRECTORY))
        if len(directory) < ENTRY or directory[66] != _ROOT:
            raise Broken("no root")
        found, waiting, seen = set(), [_number(directory, 76)], set[int]()
        while waiting:
            number = waiting.pop()
            entry = directory[number * ENTRY : (number + 1) * ENTRY]
            if number in seen or len(entry) < ENTRY:
                continue
            seen.add(number)
            waiting += [_number(entry, 68), _number(entry, 72)]
            if entry[66] == _STREAM and self._is_whole(entry):
                length = max(0, int.from_bytes(entry[64:66], "little") - 2)
                found.add(entry[: min(length, 62)].decode("utf-16-le", "replace").lower())
        return found

    def _is_whole(self, entry: bytes) -> bool:
        """Whether a stream holds something, and its sectors lie in the file."""
        size = _number(entry, 120)
        if not 0 < size <= self.length:
            return False
        if size < _SMALL:
            return True
        return sum(self.size for _sector in self._chain(_number(entry, 116), self.length)) >= size

    def _chains(self, listed: array[int]) -> array[int]:
        """The table that says which sector follows which; what does not fit into the header is listed in sectors."""
        following, seen = self.first_list, set[int]()
        while following < _LAST:
            if following in seen:
                raise Broken("a list without end")
            seen.add(following)
            more = _numbers(self._sector(following))
            following = more.pop()
            listed.extend(more)
        used = [number for number in listed if number < _LAST]
        if len(used) * self.size > self.length:
            raise Broken("a table larger than its file")
        chains = array("I")
        for number in used:
            chains.extend(_numbers(self._sector(number)))
        return chains

    def _chain(self, first: int, limit: int) -> Iterator[int]:
        """The sectors of a chain, of up to `limit` bytes."""
        number, left = first, limit // self.size + 1
        while number < _LAST:
            left -= 1
            if left < 0 or number >= len(self.chains) or (number + 1) * self.size >= self.length:
                raise Broken("a chain that leads nowhere")
            yield number
            number = self.chains[number]

    def _sector(self, number: int) -> bytes:
        return self._read((number + 1) * self.size, self.size)

    def _read(self, at: int, count: int) -> bytes:
        self.content.seek(at)
        found = self.content.read(count)
        if len(found) < count:
            raise Broken("cut off")
        return found


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _numbers(data: bytes) -> array[int]:
    return array("I", struct.unpack(f"<{len(data) // 4}I", data))
