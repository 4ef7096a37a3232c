"""Backup and restore: one command each, and what comes back is what was there."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from koogallery.kernel import files
from koogallery.kernel.files import storing
from koogallery.settings import environment
from tests.factories.files import PDF, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = {**settings.STORAGES, "attachments": environment.attachments(tmp_path / "attachments")}
    (settings.MEDIA_ROOT / "proofs").mkdir(parents=True)
    (settings.MEDIA_ROOT / "proofs" / "delivery.pdf").write_bytes(b"%PDF-1.7 proof of delivery")
    return tmp_path


def fingerprint() -> dict[str, str]:
    """A digest of every table's rows."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM {name} t")
            found[name] = hashlib.sha256(cursor.fetchone()[0].encode()).hexdigest()
    return found


def test_what_is_restored_equals_what_was_backed_up(folder: Path, settings: Settings) -> None:
    ContentType.objects.create(app_label="of_the_backup", model="row")
    before = fingerprint()
    archive = folder / "backup.tar"
    call_command("backup", str(archive))

    ContentType.objects.create(app_label="after_the_backup", model="row")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE unknown_to_the_backup (id int)")
    (settings.MEDIA_ROOT / "proofs" / "delivery.pdf").write_bytes(b"overwritten")
    (settings.MEDIA_ROOT / "later.txt").write_text("later")

    call_command("restore", str(archive), "--replace")
    assert fingerprint() == before
    assert (settings.MEDIA_ROOT / "proofs" / "delivery.pdf").read_bytes() == b"%PDF-1.7 proof of delivery"
    assert not (settings.MEDIA_ROOT / "later.txt").exists()


def test_attachments_come_back_as_they_were_sealed_ones_included(folder: Path) -> None:
    plain, sealed = (
        files.receive([sent("proof.pdf")], owner=1, key="backed-up-form", sealed=sealed)[0] for sealed in (False, True)
    )
    call_command("backup", str(folder / "backup.tar"))
    storing.remove(plain.key)
    (folder / "attachments" / sealed.key).write_bytes(b"overwritten")
    later = files.receive([sent("later.png")], owner=1, key="after-the-backup")[0]
    call_command("restore", str(folder / "backup.tar"), "--replace")
    assert b"".join(files.read(key=plain.key, sealed=False)) == PDF
    assert b"".join(files.read(key=sealed.key, sealed=True)) == PDF
    assert not storages["attachments"].exists(later.key)


def test_what_lies_in_a_bucket_is_not_in_the_archive(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.receive([sent("proof.pdf")], owner=1, key="in-the-folder-1")
    monkeypatch.setenv("ATTACHMENTS_BUCKET", "a-bucket")
    settings.STORAGES = {**settings.STORAGES, "attachments": environment.attachments(folder / "attachments")}
    call_command("backup", str(folder / "backup.tar"))
    with tarfile.open(folder / "backup.tar") as archive:
        assert {name.split("/")[0] for name in archive.getnames()} == {"about.json", "database.dump", "files"}
    call_command("restore", str(folder / "backup.tar"), "--replace")
    assert (folder / "attachments" / "1" / "in-the-folder-1").exists()


def test_triggers_and_numbering_go_on_after_a_restore(folder: Path) -> None:
    def triggers() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
            )
            return list(cursor.fetchall())

    before = triggers()
    call_command("backup", str(folder / "backup.tar"))
    call_command("restore", str(folder / "backup.tar"), "--replace")
    assert triggers() == before
    assert before
    highest = ContentType.objects.order_by("-id").values_list("id", flat=True)[0]
    assert ContentType.objects.create(app_label="after", model="restore").id > highest


def test_a_database_with_data_is_not_replaced_by_accident(folder: Path) -> None:
    call_command("backup", str(folder / "backup.tar"))
    before = fingerprint()
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(folder / "backup.tar"))
    assert fingerprint() == before


def test_a_broken_archive_changes_nothing(folder: Path) -> None:
    before = fingerprint()
    with tarfile.open(folder / "other.tar", "w") as archive:
        archive.add(folder / "media", "media")
    with pytest.raises(CommandError, match="not a backup"):
        call_command("restore", str(folder / "other.tar"), "--replace")
    assert fingerprint() == before


def test_a_backup_is_private_says_when_it_was_made_and_holds_no_key(folder: Path, settings: Settings) -> None:
    target = folder / "backup.tar"
    call_command("backup", str(target))
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as archive:
        about = json.load(archive.extractfile("about.json"))  # type: ignore[arg-type]
    assert {"made_at", "postgresql", "migrations"} <= set(about)
    assert "contenttypes.0001_initial" in about["migrations"]
    assert settings.FIELD_KEYS[0].encode() not in target.read_bytes()
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(target))
