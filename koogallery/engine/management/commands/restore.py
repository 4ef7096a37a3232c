"""`manage.py restore`: the way back from `manage.py backup`."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from koogallery.engine import backups


class Command(BaseCommand):
    help = "Puts the database and files of a backup into this installation. Stop web, worker and beat first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--replace", action="store_true", help="even if this installation has data: remove it")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Path(options["file"])
        if not source.exists():
            raise CommandError(f"{source} does not exist.")
        if connection.introspection.table_names() and not options["replace"]:
            raise CommandError("This database is not empty. --replace removes what it holds.")
        settings.DATA.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=settings.DATA) as name:
            folder = Path(name)
            with tarfile.open(source) as archive:
                archive.extractall(folder, filter="data")
            if not (folder / backups.ABOUT).exists() or not (folder / backups.DUMP).exists():
                raise CommandError(f"{source} is not a backup made by `manage.py backup`.")
            about = json.loads((folder / backups.ABOUT).read_text())
            self._restore_database(folder / backups.DUMP)
            for name, place in backups.folders().items():
                self._restore_files(folder / name, place)
        (settings.DATA / "prepared.stamp").unlink(missing_ok=True)
        self.stdout.write(
            f"restored the backup of {about['made_at']}; run `manage.py migrate` if this version is newer"
        )

    def _restore_database(self, dump: Path) -> None:
        self._drop_tables()
        command = backups.client("pg_restore", connection)
        command += ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", str(dump)]
        result = subprocess.run(
            command, env=backups.client_environment(connection), capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise CommandError(f"pg_restore failed:\n{result.stderr.strip()}")

    def _drop_tables(self) -> None:
        """Remove every table, also those the backup does not know. The schema stays, and with it its privileges."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            names = ", ".join(name for (name,) in cursor.fetchall())
        if names:
            with connection.schema_editor() as editor:
                editor.execute(f"DROP TABLE {names} CASCADE")
        connection.close()

    def _restore_files(self, files: Path, place: Path) -> None:
        if place.exists():
            shutil.rmtree(place)
        if files.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(files, place)
