"""`make run`: one command serves the marketplace, survives its children's deaths and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from koogallery.engine import ports
from koogallery.engine.supervisor import ROOT, Child
from tests.ground.running import Run

pytestmark = pytest.mark.processes


@pytest.fixture
def run(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    started = Run(tmp_path, environment=process_environment)
    yield started
    started.stop()


def test_run_serves_survives_killed_children_and_leaves_nothing_behind(run: Run) -> None:
    run.wait(lambda: "ready after" in run.text())
    run.wait(lambda: "beat      started" in run.text())
    assert run.get("/health/ready") == 200
    assert f"http://127.0.0.1:{run.port}/" in run.text()

    for name in ("web", "worker", "beat"):
        os.kill(run.find(name), signal.SIGKILL)
    run.wait(lambda: run.text().count("ended with code -9") == 3)
    run.wait(lambda: all(run.text().count(f"{name:<9} started") == 2 for name in ("web", "worker", "beat")))
    run.wait(lambda: run.get("/health/ready") == 200)

    everything = run.descendants()
    assert len(everything) >= 5
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(timeout=40) == 0
    assert run.text().splitlines()[-1].endswith("stopped")
    deadline = time.monotonic() + 5
    while left := {pid for pid in everything if Path(f"/proc/{pid}").exists()}:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert ports.is_free(run.port)


def test_a_taken_port_is_named_with_a_way_out(process_environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "koogallery.engine", "run", "--port", str(port)],
            env=process_environment,
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert f"make run PORT={port + 1}" in result.stdout


def test_one_address_without_the_other_is_refused(process_environment: dict[str, str]) -> None:
    environment = {name: value for name, value in process_environment.items() if name != "REDIS_URL"}
    result = subprocess.run(
        [sys.executable, "-m", "koogallery.engine", "run", "--port", str(ports.free_port())],
        env=environment,
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "set DATABASE_URL and REDIS_URL, or neither" in result.stdout


def test_a_child_that_keeps_dying_is_started_ever_later() -> None:
    one = Child("web", [sys.executable, "-c", "raise SystemExit(1)"], dict(os.environ))
    delays = []
    for _ in range(8):
        one.start()
        assert one.process is not None
        one.process.wait()
        delays.append(one.bury())
    assert delays == [0.5, 1, 2, 4, 5, 5, 5, 5]


def test_every_line_of_a_child_is_printed_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    one = Child("web", [sys.executable, "-c", "print('first'); print('second', end='')"], dict(os.environ))
    one.start()
    assert one.process is not None
    one.process.wait()
    while one.pour():
        pass
    one.bury()
    assert capsys.readouterr().out.splitlines() == ["web       first", "web       second"]
