"""The evidence bundle of a flow: one ZIP, streamed, with a hash of everything in it."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from koogallery import clock
from koogallery.kernel import files
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.models import Flow
from supervision.queries.evidence import Bundle, Entry, bundle_of
from supervision.queries.flows import party_flow
from supervision.rules.evidence import Written, manifest

logger = logging.getLogger(__name__)

MODE = 0o644 << 16
UNIX = 3


@operation(
    "exportEvidence",
    resource_type="Supervision",
    action="marketplace:supervision:view",
    roles={Role.BUYER, Role.SELLER},
    targets={"flow": party_flow},
    read=True,
    default_allowed=True,
)
def export(call: Call, *, flow: Flow) -> Bundle:
    """Collect what happened in a flow, the same for both sides. Raises `Refused("file_storage_unavailable")`."""
    return _bundle(call, flow)


@operation(
    "exportAppealEvidence",
    resource_type="Supervision",
    action="marketplace:appeal:exportEvidence",
    roles={Role.OPERATOR},
    targets={"flow": party_flow},
)
def export_for_appeal(call: Call, *, flow: Flow) -> Bundle:
    """The same with the traces of both parties, for whom decides appeals; both parties' lists show that it was read.

    Not a read, which every operations manager may do. Raises `Refused("file_storage_unavailable")`.
    """
    return _bundle(call, flow)


def _bundle(call: Call, flow: Flow) -> Bundle:
    bundle = bundle_of(call, flow)
    first = next((entry.file for entry in bundle.entries if entry.file is not None), None)
    if first is not None:
        _check_storage(first.key, sealed=first.sealed)
    describe(entries=len(bundle.entries), traces=call.role is Role.OPERATOR)
    return bundle


def _check_storage(key: str, *, sealed: bool) -> None:
    """Refuse before anything is sent when the storage is away; a file that it lost is listed as missing instead."""
    try:
        files.read(key=key, sealed=sealed).close()
    except FileNotFoundError:
        return


def archive(bundle: Bundle) -> Iterator[bytes]:
    """The ZIP in chunks, whatever its size; the same case gives the same bytes. The manifest is its last entry.

    A file that the storage has lost is listed there as missing, one that it does not give now as unavailable.
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
    if entry.file is None:
        with target.open(_header(entry, at=at), "w") as place:
            place.write(entry.content)
        digest = hashlib.sha256(entry.content).hexdigest()
        written.append(Written(entry.name, size=len(entry.content), sha256=digest))
        return
    yield from _add_file(target, pipe, entry, at=at, written=written)


def _add_file(
    target: zipfile.ZipFile, pipe: _Pipe, entry: Entry, *, at: datetime, written: list[Written]
) -> Iterator[bytes]:
    """Write a sent file; the storage gets it back also when the download breaks off."""
    file = entry.file
    assert file is not None
    try:
        chunks = files.read(key=file.key, sealed=file.sealed)
    except FileNotFoundError:
        written.append(Written(entry.name, size=file.size, sha256=file.sha256, is_missing=True))
        return
    except Refused:
        written.append(Written(entry.name, size=file.size, sha256=file.sha256, is_unavailable=True))
        return
    size, digest, broke = 0, hashlib.sha256(), False
    try:
        with target.open(_header(entry, at=at), "w") as place:
            while (chunk := _next(chunks, entry.name)) is not None:
                if broke := not chunk:
                    break
                place.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if ready := pipe.take():
                    yield ready
    finally:
        chunks.close()
    written.append(
        Written(entry.name, size=size, sha256=digest.hexdigest(), recorded=file.sha256, is_unavailable=broke)
    )


def _next(chunks: Iterator[bytes], name: str) -> bytes | None:
    """The next chunk; None at the end, nothing when the storage breaks off."""
    try:
        return next(chunks, None)
    except Exception:  # what storages raise when they go away differs
        logger.exception("evidence_file_broke_off", extra={"entry": name})
        return b""


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
