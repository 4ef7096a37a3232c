"""Sealed files: encrypted at rest in chunks, and refused when anything of them was changed."""

from __future__ import annotations

import io
import os

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.files.storage import storages
from pytest_django import Settings

from koogallery.kernel import files
from koogallery.kernel.files import sealing
from tests.factories.files import PDF, sent

CHUNK = 1000


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CHUNK", CHUNK)


def sealed(content: bytes) -> bytes:
    """The sealed form of a content."""
    target = io.BytesIO()
    sealing.seal(io.BytesIO(content), target)
    return target.getvalue()


def opened(content: bytes) -> bytes:
    """What a sealed form holds."""
    return b"".join(sealing.unsealed(io.BytesIO(content)))


def parts(content: bytes) -> list[bytes]:
    """The chunks of a sealed form, each with its length."""
    found, at = [], len(sealing.MARK)
    while at < len(content):
        length = 4 + int.from_bytes(content[at : at + 4], "big")
        found.append(content[at : at + length])
        at += length
    return found


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 7])
def test_any_size_comes_back_as_it_was(size: int) -> None:
    content = os.urandom(size)
    assert opened(sealed(content)) == content


@pytest.mark.usefixtures("_small_chunks")
def test_a_sealed_file_that_was_changed_cut_or_reordered_is_refused() -> None:
    whole = sealed(os.urandom(3 * CHUNK))
    first, second, third = parts(whole)
    changed = bytearray(whole)
    changed[200] ^= 1
    for broken in (
        bytes(changed),
        whole[:-10],
        sealing.MARK + first + second,
        sealing.MARK + first + third,
        sealing.MARK + second + first + third,
        whole + first,
        whole + b"x",
        sealing.MARK,
        b"",
        PDF,
        sealing.MARK + b"\xff\xff\xff\xff" + b"x" * 100,
    ):
        with pytest.raises(InvalidToken):
            opened(broken)


def test_a_new_key_first_and_the_old_behind_it_opens_what_the_old_one_sealed(settings: Settings) -> None:
    old, new = settings.FIELD_KEYS[0], Fernet.generate_key().decode()
    content = sealed(b"license")
    settings.FIELD_KEYS = [new, old]
    assert opened(content) == b"license"
    settings.FIELD_KEYS = [new]
    with pytest.raises(InvalidToken):
        opened(content)


def test_the_storage_holds_nothing_readable_while_size_and_digest_are_those_of_the_content() -> None:
    upload = files.receive([sent("license.pdf")], owner=3, key="sealing-a-license", sealed=True)[0]
    plain = files.receive([sent("license.pdf")], owner=3, key="sealing-a-license")[0]
    assert (upload.size, upload.sha256, upload.sealed) == (len(PDF), plain.sha256, True)
    assert upload.key != plain.key
    with storages["attachments"].open(upload.key) as stored:
        content = stored.read()
    assert content.startswith(sealing.MARK)
    assert b"PDF" not in content
    assert b"".join(files.read(key=upload.key, sealed=True)) == PDF
    assert b"".join(files.read(key=plain.key, sealed=False)) == PDF
