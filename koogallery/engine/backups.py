"""What a backup holds, and how PostgreSQL's own programs are called for it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from koogallery.engine.postgres import program

ABOUT, DUMP = "about.json", "database.dump"


def folders() -> dict[str, Path]:
    """The folders of files that an archive holds, by their names in it; files in a bucket are backed up there."""
    found = {"files": Path(settings.MEDIA_ROOT)}
    place = settings.STORAGES["attachments"]["OPTIONS"].get("location")
    if place:
        found["attachments"] = Path(place)
    return found


def about(connection: Any, *, moment: datetime) -> dict[str, Any]:
    """What a later reader must know: when it was made, by which PostgreSQL, at which migrations."""
    from django.db.migrations.recorder import MigrationRecorder

    applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
    return {
        "made_at": moment.isoformat(timespec="seconds"),
        "postgresql": connection.pg_version,
        "migrations": applied,
    }


def client(name: str, connection: Any) -> list[str]:
    """The command line of pg_dump or pg_restore on a connection's database; the password is not on it."""
    settings = connection.settings_dict
    command = [program(name), f"--dbname={settings['NAME']}", "--no-password"]
    for option, key in (("--host", "HOST"), ("--port", "PORT"), ("--username", "USER")):
        if settings[key]:
            command.append(f"{option}={settings[key]}")
    return command


def client_environment(connection: Any) -> dict[str, str]:
    """The environment that carries the password to the program."""
    return {**os.environ, "PGPASSWORD": connection.settings_dict["PASSWORD"]}
