"""Part `platform`: start-up, memory, and what middlewares cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from bench.ground import Bench, resident
from bench.load import http_load
from bench.parts import part
from bench.table import Row
from koogallery.engine import ports
from koogallery.engine.supervisor import ROOT

MB = 1024 * 1024
RESTART_TARGET = 5.0
MEMORY_TARGET = 180


@part("platform")
def platform(bench: Bench) -> Iterator[Row]:
    """Restart of `make run`, memory of a web worker after 10,000 requests, health against the bare view."""
    seconds = _restart(bench)
    yield Row("restart of make run", f"≤ {RESTART_TARGET:g} s", f"{seconds:.1f} s", None, seconds <= RESTART_TARGET)
    with bench.bare(b'{"status": "ok"}') as port:
        bare = http_load(port=port, paths=["/"])
    with bench.server() as port:
        live = http_load(port=port, paths=["/health/live"])
        asked = 0
        while asked < 10_000:
            asked += int(http_load(port=port, paths=["/health/live", "/"], seconds=3).rate * 3)
        largest = max(resident(pid) for pid in bench.web_workers(port)) / MB
    yield Row(
        "/health/live, all middlewares",
        "–",
        f"{live.rate:,.0f}/s, bare {bare.rate:,.0f}/s",
        live.rate / bare.rate,
        None,
    )
    yield Row(
        "web worker after 10,000 requests",
        f"≤ {MEMORY_TARGET} MB",
        f"{largest:.0f} MB",
        largest / MEMORY_TARGET,
        largest <= MEMORY_TARGET,
    )


def _restart(bench: Bench) -> float:
    """Seconds from the command to the first page, on a folder that has been served before."""
    data = bench.data / "restart"
    for _ in range(2):
        port = ports.free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "koogallery.engine", "run", "--no-demo", "--port", str(port)],
            cwd=ROOT,
            env=_environment(str(data)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        while not _answers(port):
            if process.poll() is not None:
                raise RuntimeError("make run ended by itself")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        process.wait()
    return seconds


def _environment(data: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")} | {
        "DATA": data
    }


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False
