"""`make run`: engines, web server, worker, beat and the example seller under one process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koogallery.engine import child, ports
from koogallery.engine.engine import Engine
from koogallery.engine.postgres import EngineError

ROOT = Path(__file__).resolve().parents[2]
COLOURS = {"web": 36, "worker": 33, "beat": 35, "seller": 34, "engine": 32}
LIVED_WELL = 5.0
"""Seconds after which a child's earlier deaths are forgotten."""

LONGEST_WAIT = 5.0
"""Seconds at most before a child that keeps dying is started again."""


def say(name: str, text: str) -> None:
    """Print a line under a process's name."""
    colour = COLOURS.get(name)
    label = f"{name:<9}"
    if colour and sys.stdout.isatty():
        label = f"\033[{colour}m{label}\033[0m"
    with contextlib.suppress(BrokenPipeError):
        print(f"{label} {text}", flush=True)


@dataclass
class Child:
    """A process that is started again when it dies, later each time."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    began: float = 0.0
    due: float = 0.0
    rest: bytes = field(default=b"")

    def start(self) -> None:
        self.process = child.start(self.command, environment=self.environment, output=subprocess.PIPE, folder=ROOT)
        self.began = time.monotonic()
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def pour(self) -> bool:
        """Print what the process has written; False at the end of its output."""
        assert self.process is not None
        assert self.process.stdout is not None
        try:
            part = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, self.rest = (self.rest + part).split(b"\n")
        if not part and self.rest:
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            say(self.name, line.decode(errors="replace"))
        return bool(part)

    def bury(self) -> float:
        """Clear away what a dead process left; the seconds to wait before it is started again."""
        assert self.process is not None
        child.kill_session(self.process)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        if time.monotonic() - self.began > LIVED_WELL:
            self.deaths = 0
        self.deaths += 1
        delay = min(LONGEST_WAIT, 0.5 * 2 ** (self.deaths - 1))
        self.due = time.monotonic() + delay
        return delay


class Supervisor:
    """Runs the platform on one machine until it is told to stop."""

    def __init__(self, *, data: Path, port: int, demo: bool, rehearsal: bool) -> None:
        self.data = data
        self.port = port
        self.demo = demo
        self.rehearsal = rehearsal
        self.engine: Engine | None = None
        self.children: list[Child] = []
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()

    def run(self) -> int:
        """Start everything, watch it, stop it; the exit code."""
        self._listen_to_signals()
        began = time.monotonic()
        if not ports.is_free(self.port):
            say("run", f"Port {self.port} is taken. Choose another: make run PORT={self.port + 1}")
            return 1
        try:
            environment = self._start_engine()
            if not self._prepare(environment):
                return 0 if self.stopping else 1
            self.children = self._describe_children(environment)
            self._watch(began)
        except EngineError as error:
            say("engine", str(error))
            return 1
        finally:
            self._stop()
        return 0

    def _listen_to_signals(self) -> None:
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self.selector.register(self._woken, selectors.EVENT_READ, None)

    def _ask_to_stop(self, number: int, frame: object) -> None:
        if self.stopping and number == signal.SIGINT:
            for one in self.children:
                if one.process is not None:
                    child.kill_session(one.process)
        self.stopping = True

    def _start_engine(self) -> dict[str, str]:
        environment = {
            **os.environ,
            "DATA": str(self.data),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }
        if self.rehearsal:
            environment["KOOGALLERY_REHEARSAL"] = "1"
        given = [name for name in ("DATABASE_URL", "REDIS_URL") if environment.get(name)]
        if len(given) == 2:
            say("engine", "using DATABASE_URL and REDIS_URL")
            return environment
        if given:
            raise EngineError(f"Only {given[0]} is set: set DATABASE_URL and REDIS_URL, or neither.")
        say("engine", f"starting PostgreSQL and Valkey in {self.data}")
        self.engine = Engine(self.data)
        self.engine.is_rehearsal = environment.get("KOOGALLERY_REHEARSAL", "").lower() in {"1", "true", "yes", "on"}
        self.engine.site_port = self.port
        self.engine.start()
        say(
            "engine",
            f"PostgreSQL answers on 127.0.0.1:{self.engine.postgres.port}, "
            f"Valkey on 127.0.0.1:{self.engine.valkey.port}",
        )
        return environment | {
            "DATABASE_URL": self.engine.postgres.url(),
            "REDIS_URL": self.engine.valkey.url(),
        }

    def _prepare(self, environment: Mapping[str, str]) -> bool:
        """Bring database, translations and static files up to date; False when that fails or is interrupted."""
        stamp, mark = self.data / "prepared.stamp", self._mark()
        if self.engine is not None and not self.engine.is_new and stamp.exists() and stamp.read_text() == mark:
            return True
        command = [sys.executable, "manage.py", "prepare", *(["--demo"] if self.demo else [])]
        one = Child("prepare", command, {"LOG_LEVEL": "WARNING", **environment})
        one.start()
        self.children.append(one)
        assert one.process is not None
        assert one.process.stdout is not None
        self.selector.register(one.process.stdout, selectors.EVENT_READ, one)
        while not self.stopping:
            if not self._pour(timeout=1.0) and one.process.poll() is not None:
                break
        if self.stopping:
            return False
        code = one.process.wait()
        self.children.remove(one)
        if code:
            say("prepare", f"failed with exit code {code}; nothing else was started.")
        else:
            stamp.write_text(mark)
        return code == 0

    def _mark(self) -> str:
        """A digest that changes when there may be something to prepare."""
        found = hashlib.sha256(f"demo={self.demo}".encode())
        patterns = ("*.lock", "*/migrations/*.py", "*/*/migrations/*.py", "locale/*/*/*.po", "static/**/*")
        for pattern in (*patterns, "koogallery/settings/*.py", "*/apps.py", "*/*/apps.py"):
            for path in sorted(ROOT.glob(pattern)):
                stat = path.stat()
                found.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return found.hexdigest()

    def _describe_children(self, environment: Mapping[str, str]) -> list[Child]:
        python = sys.executable
        celery = [
            python,
            "-W",
            "ignore:You're running the worker with superuser",
            "-m",
            "celery",
            "-q",
            "-A",
            "koogallery",
        ]
        children = [
            Child(
                "web",
                [
                    *(python, "-m", "granian", "koogallery.wsgi:application"),
                    *("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)),
                    *("--workers", "2", "--blocking-threads", "2", "--blocking-threads-idle-timeout", "600"),
                    *("--respawn-failed-workers", "--workers-kill-timeout", "5"),
                    *("--no-ws", "--log-level", "warning"),
                ],
                environment,
            ),
            Child(
                "worker",
                [
                    *(*celery, "worker", "--pool", "threads", "-c", "2", "--loglevel", "warning"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                ],
                environment,
            ),
            Child(
                "beat",
                [*celery, "beat", "--schedule", str(self.data / "beat-schedule"), "--loglevel", "warning"],
                environment,
            ),
        ]
        if (ROOT / "orders/management/commands/example_seller.py").exists():
            children.append(self._example_seller(environment))
        return children

    def _example_seller(self, environment: Mapping[str, str]) -> Child:
        port = environment.get("EXAMPLE_SELLER_PORT") or str(self.port + 1)
        return Child(
            "seller",
            [sys.executable, "manage.py", "example_seller", "--port", port],
            {**environment, "EXAMPLE_SELLER_PORT": port},
        )

    def _start_child(self, one: Child) -> None:
        one.start()
        assert one.process is not None
        assert one.process.stdout is not None
        self.selector.register(one.process.stdout, selectors.EVENT_READ, one)
        say(one.name, f"started (process {one.process.pid})")

    def _watch(self, began: float) -> None:
        """Start the web server, the others once it answers, and bring back whatever dies."""
        announced = False
        web = self.children[0]
        self._start_child(web)
        while not self.stopping:
            self._pour(timeout=0.05 if not announced else 0.5)
            if self.stopping:
                return
            if self.engine is not None:
                for name in self.engine.revive():
                    say("engine", f"{name} had died and was started again")
            for one in self.children:
                if one.process is not None and one.process.poll() is not None:
                    code = one.process.returncode
                    self._forget_output(one)
                    delay = one.bury()
                    say(one.name, f"ended with code {code}; started again in {delay:g} s")
                elif one.process is None and time.monotonic() >= one.due and (announced or one is web):
                    self._start_child(one)
            if not announced and self._web_answers():
                announced = True
                self._announce(time.monotonic() - began)
                for one in self.children[1:]:
                    self._start_child(one)

    def _pour(self, timeout: float) -> bool:
        """Print what children write; whether there was anything."""
        any_output = False
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(64)
                continue
            any_output = True
            if not key.data.pour():
                self.selector.unregister(key.fileobj)
        return any_output

    def _forget_output(self, one: Child) -> None:
        """Print what a dead process wrote last. Its output may be held open by what it left running."""
        assert one.process is not None
        child.kill_session(one.process)
        while one.pour() and self._is_readable(one):
            pass
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(one.process.stdout)  # type: ignore[arg-type]

    def _is_readable(self, one: Child) -> bool:
        return any(key.data is one for key, _ in self.selector.select(0))

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _announce(self, seconds: float) -> None:
        say("run", f"ready after {seconds:.1f} s:  http://127.0.0.1:{self.port}/   (Ctrl-C stops)")
        accounts = self.data / "demo-accounts.txt"
        if self.demo and accounts.exists():
            for line in accounts.read_text().splitlines():
                say("run", line)

    def _stop(self) -> None:
        running = [one for one in self.children if one.process is not None]
        if running or self.engine is not None:
            say("run", "stopping")
        for one in running:
            assert one.process is not None
            with contextlib.suppress(ProcessLookupError):
                one.process.terminate()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(one.process and one.process.poll() is None for one in running):
            self._pour(timeout=0.05)
        for one in running:
            assert one.process is not None
            child.kill_session(one.process)
        if self.engine is not None:
            self.engine.stop()
        signal.set_wakeup_fd(-1)
        if self.stopping:
            say("run", "stopped")
