"""The evidence bundle of a flow: one ZIP, streamed, with a hash of everything in it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from koogallery import clock
from koogallery.kernel import files
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from supervision.models import Flow
from supervision.queries.evidence import Bundle, Entry, bundle_of
from supervision.queries.flows import party_flow
from supervision.rules.evidence import Written, manifest

MODE = 0o644 << 16
UNIX = 3


@operation(
    "exportEvidence",
    resource_type="Supervision",
    roles={Role.BUYER, Role.SELLER, Role.OPERATOR},
    targets={"flow": party_flow},
    read=True,
    default_allowed=True,
)
def export(call: Call, *, flow: Flow) -> Bundle:
    """Collect what happened in a flow, the same for both sides; for operations the traces of both besides."""
    bundle = bundle_of(call, flow)
    describe(entries=len(bundle.entries), traces=call.role is Role.OPERATOR)
    return bundle


def archive(bundle: Bundle) -> Iterator[bytes]:
    """The ZIP in chunks, whatever its size; the same case gives the same bytes. The manifest is its last entry.

    A file that the storage has lost is listed there as missing.
    """
    pipe = _Pipe()
    written: list[Written] = []
    with zipfile.ZipFile(pipe, "w") as target:
        for entry in bundle.entries:
            yield from _add(target, pipe, entry, at=bundle.stamped_at, written=written)
        heading = {"order": bundle.order_number, "flow": bundle.flow_number}
        last = Entry("manifest.json", manifest(heading, written))
        yield from _add(target, pipe, last, at=bundle.stamped_at, written=[])
    yield pipe.take()


def _add(
    target: zipfile.ZipFile, pipe: _Pipe, entry: Entry, *, at: datetime, written: list[Written]
) -> Iterator[bytes]:
    """Write one entry and note its size and hash."""
    recorded = entry.file.sha256 if entry.file is not None else ""
    try:
        chunks = files.read(key=entry.file.key, sealed=entry.file.sealed) if entry.file else iter((entry.content,))
    except FileNotFoundError:
        size = entry.file.size if entry.file is not None else 0
        written.append(Written(entry.name, size=size, sha256=recorded, is_missing=True))
        return
    size, digest = 0, hashlib.sha256()
    with target.open(_header(entry, at=at), "w") as place:
        for chunk in chunks:
            place.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if ready := pipe.take():
                yield ready
    written.append(Written(entry.name, size=size, sha256=digest.hexdigest(), recorded=recorded))


def _header(entry: Entry, *, at: datetime) -> zipfile.ZipInfo:
    """The header of an entry: sent files as they are, texts packed."""
    local = at.astimezone(clock.platform_zone())
    info = zipfile.ZipInfo(entry.name, date_time=(local.year, local.month, local.day, local.hour, local.minute, 0))
    info.compress_type = zipfile.ZIP_STORED if entry.file is not None else zipfile.ZIP_DEFLATED
    info.external_attr, info.create_system = MODE, UNIX
    return info


class _Pipe(io.RawIOBase):
    """What an archive writes, until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        """What was written since it was last taken."""
        ready = bytes(self._held)
        self._held.clear()
        return ready
