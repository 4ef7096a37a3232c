"""`manage.py prepare`: everything between a checkout and a site that can be served."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from koogallery.engine.translations import compile_catalogues


class Command(BaseCommand):
    help = "Compiles translations, migrates, collects static files and, at a first start, loads the demo."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="load the demo into an empty database")
        parser.add_argument("--files-only", action="store_true", help="leave the database alone")

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for path in compile_catalogues(Path(folder)):
                self.stdout.write(f"compiled {path.relative_to(settings.ROOT)}")
        if options["files_only"]:
            self._collect_static()
            return
        with ThreadPoolExecutor(max_workers=1) as beside:
            collected = beside.submit(self._collect_static)
            self._prepare_database(demo=options["demo"])
            collected.result()

    def _prepare_database(self, *, demo: bool) -> None:
        self._clear_interrupted_demo()
        if self._has_migrations_to_run():
            self.stdout.write("migrating the database")
            call_command("migrate", verbosity=0, interactive=False)
        if demo:
            self._load_demo()

    @property
    def _demo_mark(self) -> Path:
        return settings.DATA / "demo.loading"

    def _has_migrations_to_run(self) -> bool:
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    def _collect_static(self) -> None:
        stamp = settings.DATA / "static.stamp"
        mark = _static_mark()
        if stamp.exists() and stamp.read_text() == mark:
            return
        self.stdout.write("collecting static files")
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(mark)

    def _load_demo(self) -> None:
        if "load_demo" not in get_commands() or not _is_empty():
            return
        self.stdout.write("loading the demo")
        self._demo_mark.touch()
        call_command("load_demo", stdout=self.stdout)
        self._demo_mark.unlink()

    def _clear_interrupted_demo(self) -> None:
        """A demo is loaded only into an empty database, so half a demo is nobody's data: begin again."""
        if not self._demo_mark.exists():
            return
        self.stdout.write("the demo was interrupted while loading: emptying the database")
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
        connection.close()
        self._demo_mark.unlink()


def _is_empty() -> bool:
    return apps.is_installed("koogallery.identity") and not apps.get_model("identity", "Account").objects.exists()


def _static_mark() -> str:
    """A digest that changes when any static file, or the way of storing them, does."""
    found = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            found.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()
