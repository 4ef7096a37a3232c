"""`python -m koogallery.engine run|start|stop|status`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from koogallery.engine import state
from koogallery.engine.engine import Engine
from koogallery.engine.postgres import EngineError
from koogallery.engine.supervisor import ROOT, Supervisor


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m koogallery.engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="everything in the foreground, until Ctrl-C")
    run.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    run.add_argument("--no-demo", dest="demo", action="store_false")
    run.add_argument("--rehearsal", action="store_true")
    commands.add_parser("start", help="PostgreSQL and Valkey in the background")
    commands.add_parser("serve", help="PostgreSQL and Valkey in the foreground")
    commands.add_parser("stop", help="stop what `start` or `run` started")
    commands.add_parser("status", help="whether they run, and where they answer")
    options = parser.parse_args(arguments)
    data = state.data_folder()
    try:
        if options.command == "run":
            return Supervisor(data=data, port=options.port, demo=options.demo, rehearsal=options.rehearsal).run()
        return {"start": start, "serve": serve, "stop": stop, "status": status}[options.command](data)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1


def start(data: Path) -> int:
    """Start both engines in a process that goes on after this one; returns once they answer."""
    if state.read(data) is not None:
        return status(data)
    data.mkdir(parents=True, exist_ok=True)
    with open(data / "engine.log", "ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "koogallery.engine", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "DATA": str(data)},
            start_new_session=True,
        )
    while state.read(data) is None:
        if server.poll() is not None:
            raise EngineError(f"The engine did not start; its log is {data / 'engine.log'}.")
        time.sleep(0.05)
    return status(data)


def serve(data: Path) -> int:
    """Run both engines, bring back one that dies, and stop them at SIGTERM or Ctrl-C."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))
    engine = Engine(data)
    engine.start()
    try:
        while not asked:
            engine.revive()
            time.sleep(0.2)
    finally:
        engine.stop()
    return 0


def stop(data: Path) -> int:
    """Stop the engine of the data folder, and `make run` if that is what runs it."""
    found = state.read(data)
    if found is None:
        print("The engine is not running.")
        return 0
    os.kill(found["pids"]["supervisor"], signal.SIGTERM)
    deadline = time.monotonic() + 40
    while state.is_running(data):
        if time.monotonic() > deadline:
            raise EngineError("The engine did not stop within 40 seconds.")
        time.sleep(0.05)
    print("The engine has stopped.")
    return 0


def status(data: Path) -> int:
    """Print whether the engine runs; the exit code is 3 when it does not."""
    found = state.read(data)
    if found is None:
        print("The engine is not running.")
        return 3
    print(f"The engine runs in {data} (process {found['pids']['supervisor']}).")
    print(f"DATABASE_URL={found['database_url']}\nREDIS_URL={found['redis_url']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
