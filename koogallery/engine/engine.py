"""Both engines of one data folder, started, published, watched and stopped together."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

from koogallery.engine import state
from koogallery.engine.postgres import EngineError, Postgres
from koogallery.engine.valkey import Valkey


class Engine:
    """PostgreSQL and Valkey of a data folder; this process holds the folder's lock while they run."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.postgres = Postgres(data / "postgres")
        self.valkey = Valkey(data / "valkey")
        self.is_new = False
        self.is_rehearsal = False
        self.site_port: int | None = None
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Start both; raises `EngineError` when another process runs an engine on this folder."""
        self._lock = self._acquire()
        state.forget(self.data)
        try:
            self.is_new = self.postgres.initialise()
            self.postgres.start()
            self.valkey.start()
            self.ensure_database()
        except BaseException:
            self.stop()
            raise
        self.publish()

    def ensure_database(self) -> None:
        """Create the platform's database if the cluster has none."""
        import psycopg

        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as line:
            found = line.execute("SELECT 1 FROM pg_database WHERE datname = 'koogallery'").fetchone()
            if found is None:
                line.execute("CREATE DATABASE koogallery")

    def publish(self) -> None:
        """Tell other processes where the engines answer."""
        state.write(
            self.data,
            {
                "database_url": self.postgres.url(),
                "redis_url": self.valkey.url(),
                "rehearsal": self.is_rehearsal,
                "site_port": self.site_port,
                "pids": {
                    "supervisor": os.getpid(),
                    "postgres": self.postgres.process.pid if self.postgres.process else None,
                    "valkey": self.valkey.process.pid if self.valkey.process else None,
                },
            },
        )

    def revive(self) -> list[str]:
        """Start again, at the same addresses, whichever engine has died; the names of those revived."""
        revived = []
        for name, engine in (("postgres", self.postgres), ("valkey", self.valkey)):
            if engine.process is not None and engine.process.poll() is not None:
                engine.start()
                revived.append(name)
        if revived:
            self.publish()
        return revived

    def stop(self) -> None:
        """Stop both and release the folder."""
        self.valkey.stop()
        self.postgres.stop()
        if self._lock is not None:
            state.forget(self.data)
            self._lock.close()
            self._lock = None

    def _acquire(self) -> IO[str]:
        """The folder's lock; a supervisor killed a moment ago may need that moment to let go."""
        deadline = time.monotonic() + 10
        while (lock := state.acquire(self.data)) is None:
            holder = state.read(self.data)
            if holder is not None:
                raise EngineError(
                    f"An engine already runs on {self.data} (process {holder['pids']['supervisor']}). "
                    "Stop it with `python manage.py engine stop`, or give another folder with DATA=."
                )
            if time.monotonic() > deadline:
                raise EngineError(f"The data folder {self.data} stays locked.")
            time.sleep(0.1)
        return lock
