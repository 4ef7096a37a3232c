"""`make run` as a test starts it: on a port, folder and database of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from koogallery.engine import ports
from koogallery.engine.supervisor import ROOT


class Run:
    """`make run` on a port and folder of its own."""

    def __init__(self, folder: Path, *, environment: dict[str, str]) -> None:
        self.port = ports.free_port()
        self.output = folder / "run.log"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "koogallery.engine", "run", "--no-demo", "--port", str(self.port)],
                env={**environment, "DATA": str(folder / "data")},
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text()

    def wait(self, condition: Callable[[], object], *, seconds: float = 150.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except OSError:
            return 0

    def descendants(self) -> set[int]:
        """Process numbers of everything under the run."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        found: set[int] = set()
        fresh = {self.process.pid}
        while fresh:
            fresh = {pid for pid, parent in parents.items() if parent in fresh}
            found |= fresh
        return found

    def find(self, word: str) -> int:
        """The process number that the run gave for a child."""
        lines = [line for line in self.text().splitlines() if line.startswith(word) and "(process " in line]
        return int(lines[-1].partition("(process ")[2].rstrip(")"))

    def stop(self) -> None:
        """Ask it to stop and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=40)
