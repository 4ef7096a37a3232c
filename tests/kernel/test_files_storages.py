"""Both storages, a folder and an S3-compatible server: store, read, give out, sweep what no row refers to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from koogallery import clock
from koogallery.kernel import files, guard
from koogallery.kernel.files import storing, sweeping
from koogallery.kernel.models import StoredFile
from koogallery.kernel.sweeps import sweeps
from koogallery.settings import environment
from tests.factories.files import PDF, sent

pytestmark = pytest.mark.django_db

BUCKET = "attachments-of-the-test"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


def use(settings: Settings, chosen: dict[str, Any]) -> None:
    """Make these the settings of the storage `attachments`."""
    settings.STORAGES = {**settings.STORAGES, "attachments": chosen}


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each storage in turn, empty, as the environment chooses it."""
    for name in ("BUCKET", "ENDPOINT", "REGION", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"ATTACHMENTS_{name}", raising=False)
    if request.param == "bucket":
        address = request.getfixturevalue("server")
        keys = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-key", "region_name": "eu-central-1"}
        client = boto3.client("s3", endpoint_url=address, **keys)
        bucket = f"{BUCKET}-{os.urandom(4).hex()}"
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        monkeypatch.setenv("ATTACHMENTS_BUCKET", bucket)
        monkeypatch.setenv("ATTACHMENTS_ENDPOINT", address)
        monkeypatch.setenv("ATTACHMENTS_REGION", "eu-central-1")
        monkeypatch.setenv("ATTACHMENTS_ACCESS_KEY", "an-id")
        monkeypatch.setenv("ATTACHMENTS_SECRET_KEY", "a-key")
    use(settings, environment.attachments(tmp_path / "attachments"))
    assert type(storages["attachments"]).__name__ == {"folder": "Folder", "bucket": "S3Storage"}[request.param]
    return str(request.param)


def row(upload: files.Upload, number: str = "FILE1") -> StoredFile:
    """The row that refers to an upload."""
    with guard.opened("test"):
        return StoredFile.objects.create(
            number=number,
            key=upload.key,
            name=upload.name,
            size=upload.size,
            sha256=upload.sha256,
            content_type=upload.content_type,
            sealed=upload.sealed,
            uploaded_at=clock.now(),
        )


@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_stored_is_read_and_given_out(place: str, sealed: bool) -> None:
    content = PDF + os.urandom(3_000_000)
    upload = files.receive([sent("验收.pdf", content)], owner=4, key="stored-and-read", sealed=sealed)[0]
    assert b"".join(files.read(key=upload.key, sealed=sealed)) == content
    response = files.response(row(upload))
    assert b"".join(response) == content  # type: ignore[arg-type]
    assert response["Content-Length"] == str(len(content))


@pytest.mark.parametrize("sealed", [False, True])
def test_storing_again_keeps_one_object_under_the_same_key(place: str, sealed: bool) -> None:
    first = files.receive([sent("a.pdf")], owner=4, key="sent-twice-in-a-row", sealed=sealed)
    second = files.receive([sent("a.pdf")], owner=4, key="sent-twice-in-a-row", sealed=sealed)
    assert first == second
    assert [key for key, _at in storing.listing()] == [first[0].key]
    assert b"".join(files.read(key=first[0].key, sealed=sealed)) == PDF


def test_a_lost_object_is_told_at_once(place: str) -> None:
    upload = files.receive([sent("a.pdf")], owner=4, key="to-be-lost-again")[0]
    storing.remove(upload.key)
    with pytest.raises(FileNotFoundError):
        files.read(key=upload.key, sealed=False)


def test_the_sweep_removes_what_is_older_than_two_days_and_no_row_refers_to(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    referred, unreferred = (
        files.receive([sent("a.pdf", PDF + letter)], owner=4, key=f"swept-form-{letter.decode()}")[0]
        for letter in (b"1", b"2")
    )
    row(referred)
    assert sweeping.remove_unreferred() == 0
    later = clock.real_now() + timedelta(days=2, minutes=1)
    monkeypatch.setattr(sweeping.clock, "real_now", lambda: later)
    assert sweeping.remove_unreferred() == 1
    assert [key for key, _at in storing.listing()] == [referred.key]
    assert unreferred.key != referred.key
    assert sweeping.remove_unreferred() == 0


def test_the_sweep_works_in_portions(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        files.receive([sent("a.pdf", PDF + bytes([number]))], owner=4, key="many-at-once-1")
    monkeypatch.setattr(sweeping, "BATCH", 2)
    monkeypatch.setattr(sweeping, "UNREFERRED_FOR", timedelta(days=-1))
    assert sweeping.remove_unreferred() == 5
    assert list(storing.listing()) == []


def test_the_sweep_is_registered_and_removes_remains_of_broken_uploads(settings: Settings, tmp_path: Path) -> None:
    settings.INCOMING_FILES = tmp_path / "incoming"
    use(settings, environment.attachments(tmp_path / "attachments"))
    settings.INCOMING_FILES.mkdir()
    old, new = (settings.INCOMING_FILES / name for name in ("old.upload", "new.upload"))
    for path in (old, new):
        path.write_bytes(b"x")
    past = (clock.real_now() - timedelta(days=3)).timestamp()
    os.utime(old, (past, past))
    sweeps["unreferred-files"].run(clock.now())
    sweeping.remove_unreferred()
    assert not old.exists()
    assert new.exists()


def test_folders_of_swept_forms_go_with_their_files(settings: Settings, tmp_path: Path) -> None:
    use(settings, environment.attachments(tmp_path / "attachments"))
    upload = files.receive([sent("a.pdf")], owner=4, key="a-form-with-one-file")[0]
    storing.remove(upload.key)
    assert not (tmp_path / "attachments" / "4" / "a-form-with-one-file").exists()
