"""`manage.py backup`: database and files in one archive."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from koogallery import clock
from koogallery.engine import backups


class Command(BaseCommand):
    help = (
        "Writes the database and all files into one archive, consistent at one moment, while the site runs. "
        "Keys (SECRET_KEY, KOOGALLERY_FIELD_KEYS, KOOGALLERY_SIGNING_KEY) are not in it: keep them elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="default: backups/<moment>.tar in the data folder")

    def handle(self, *args: Any, **options: Any) -> None:
        moment = clock.real_now()
        target = Path(options["file"] or settings.DATA / "backups" / f"{moment:%Y%m%dT%H%M%SZ}.tar")
        if target.exists():
            raise CommandError(f"{target} exists already.")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        try:
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                dump = Path(folder) / backups.DUMP
                self._dump(dump)
                with tarfile.open(draft, "w") as archive:
                    about = json.dumps(backups.about(connection, moment=moment), indent=2).encode()
                    entry = tarfile.TarInfo(backups.ABOUT)
                    entry.size = len(about)
                    archive.addfile(entry, io.BytesIO(about))
                    archive.add(dump, backups.DUMP)
                    for name, files in backups.folders().items():
                        if files.exists():
                            archive.add(files, name)
            draft.chmod(0o600)
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(f"{target} ({target.stat().st_size:,} bytes)")

    def _dump(self, target: Path) -> None:
        result = subprocess.run(
            [
                *backups.client("pg_dump", connection),
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--file={target}",
            ],
            env=backups.client_environment(connection),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise CommandError(f"pg_dump failed:\n{result.stderr.strip()}")
