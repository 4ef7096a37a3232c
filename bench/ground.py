"""What every part stands on: engines with durable settings, a migrated database of its own, the production server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from koogallery.engine import child, ports
from koogallery.engine.engine import Engine
from koogallery.engine.supervisor import ROOT

WORKERS = 2
TEMPLATE = "bench"


class Bench:
    """Engines of this run (fsync on), with Django set up on them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.engine = Engine(data)

    def start(self) -> None:
        """Start the engines and migrate the database that others are copied from; then Django may be used here."""
        self.engine.start()
        self._database(f"CREATE DATABASE {TEMPLATE}", unless=TEMPLATE)
        os.environ.update(
            DJANGO_SETTINGS_MODULE="koogallery.settings.local",
            DATA=str(self.data),
            DATABASE_URL=self.engine.postgres.url(TEMPLATE),
            REDIS_URL=self.engine.valkey.url(),
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("prepare", verbosity=0)

    def stand_on(self, name: str) -> None:
        """Give this process, and the servers it starts from now on, the database `name` and an empty cache.

        The database is a copy of the migrated one; where it was kept, rows and all, it is brought up to date.
        """
        from django.core.cache import cache
        from django.core.management import call_command
        from django.db import connections

        from koogallery.kernel import pagecache

        database = f"{TEMPLATE}_{name}"
        connections.close_all()
        is_new = self._database(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE} STRATEGY file_copy", unless=database)
        connections["default"].settings_dict["NAME"] = database
        os.environ["DATABASE_URL"] = self.engine.postgres.url(database)
        cache.clear()
        pagecache.forget()
        if not is_new:
            call_command("prepare", verbosity=0)

    def stop(self) -> None:
        """Stop the engines."""
        from django.db import connections

        connections.close_all()
        self.engine.stop()

    def _database(self, statement: str, *, unless: str) -> bool:
        """Run a statement that makes the database `unless` unless it exists; whether it was made now."""
        import psycopg

        with psycopg.connect(self.engine.postgres.url("postgres"), autocommit=True) as line:
            if line.execute("SELECT 1 FROM pg_database WHERE datname = %s", [unless]).fetchone():
                return False
            line.execute(statement)
        return True

    @contextlib.contextmanager
    def server(self, application: str = "koogallery.wsgi:application", *, threads: int = 1) -> Iterator[int]:
        """Serve a WSGI application as production does, with two processes; the port it answers on."""
        port = ports.free_port()
        with open(self.data / "server.log", "ab") as log:
            process = child.start(
                [
                    *(sys.executable, "-m", "granian", application, "--interface", "wsgi", "--port", str(port)),
                    *("--workers", str(WORKERS), "--blocking-threads", str(threads)),
                    *("--blocking-threads-idle-timeout", "600", "--no-ws", "--log-level", "warning"),
                    *("--respawn-failed-workers", "--workers-kill-timeout", "5"),
                ],
                output=log,
                folder=ROOT,
                environment=os.environ,
            )
        try:
            deadline = time.monotonic() + 60
            while not ports.answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{application} does not answer; see {self.data / 'server.log'}")
                time.sleep(0.05)
            time.sleep(1.0)
            yield port
        finally:
            child.stop(process)

    def bare(self, body: bytes) -> contextlib.AbstractContextManager[int]:
        """A bare Django view with these bytes and no middlewares, served the same way: this machine's limit."""
        path = self.data / "bare-body"
        path.write_bytes(body)
        os.environ["BENCH_BARE_BODY"] = str(path)
        return self.server("bench.bare:application")

    def web_workers(self, port: int) -> list[int]:
        """Process numbers of the server's worker processes on a port."""
        found = subprocess.run(
            ["pgrep", "-f", f"granian .*--port {port} "], capture_output=True, text=True, check=False
        )
        pids = [int(pid) for pid in found.stdout.split()]
        return [pid for pid in pids if _parent(pid) in pids]


@contextlib.contextmanager
def prepared(data: Path | None) -> Iterator[Bench]:
    """A started benchmark on a folder that is kept, or on one that is thrown away."""
    with contextlib.ExitStack() as stack:
        if data is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="koogallery-bench-")))
            data.chmod(0o711)
        bench = Bench(data)
        bench.start()
        try:
            yield bench
        finally:
            bench.stop()


def resident(pid: int) -> int:
    """A process's memory in bytes: what is its own, and its share of what it shares."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no size")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
