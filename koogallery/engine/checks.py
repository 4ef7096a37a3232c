"""`make test` and `make lint`: every check with its name, its time and an honest exit code."""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent

_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
PRODUCTION_EXAMPLE = {
    "DJANGO_SETTINGS_MODULE": "koogallery.settings.production",
    "SECRET_KEY": "a long text that only this check uses, not a secret of any installation: 0123456789abcdef",
    "KOOGALLERY_FIELD_KEYS": _KEY,
    "KOOGALLERY_SIGNING_KEY": _KEY,
    "ALLOWED_HOSTS": "marketplace.example.com",
    "SITE_ADDRESS": "https://marketplace.example.com",
    "DATABASE_URL": "postgresql://koogallery:secret@postgres/koogallery",
    "REDIS_URL": "redis://redis:6379/0",
    "EMAIL_URL": "smtp+tls://user:secret@mail.example.com:587",
    "DEFAULT_FROM_EMAIL": "KooGallery <no-reply@example.com>",
}
"""Every variable that production requires, with values good enough to check the settings."""


TESTING = {"DJANGO_SETTINGS_MODULE": "koogallery.settings.test"}
"""Which settings the tests use, whatever this process itself was started with."""


def kept_bytecode() -> dict[str, str]:
    """Variables with which every process started from here reads compiled modules instead of compiling all of them.

    Where Python may write none beside the sources, they go to a folder that git ignores.
    """
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / ".local" / "bytecode")}


@dataclass(frozen=True)
class Step:
    """One check: a command that is right when it exits with 0."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def lint_steps() -> list[Step]:
    """The checks that take seconds."""
    python, manage = sys.executable, [sys.executable, "-W", "ignore::RuntimeWarning", "manage.py"]
    return [
        Step("types", [python, "-m", "mypy"]),
        Step("lint", [python, "-m", "ruff", "check", "-q"]),
        Step("format", [python, "-m", "ruff", "format", "--check", "-q"]),
        Step("import floors", [str(TOOLS / "lint-imports"), "--no-cache"], {"PYTHONPATH": str(ROOT)}),
        Step("migrations", [*manage, "makemigrations", "--check", "--dry-run"], TESTING),
        Step("templates", [*manage, "check_templates"], TESTING),
        Step("deployment", [*manage, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION_EXAMPLE),
    ]


def run_step(step: Step) -> tuple[Step, subprocess.CompletedProcess[str], float]:
    """Run a check and keep what it prints."""
    began = time.monotonic()
    result = subprocess.run(
        step.command,
        cwd=ROOT,
        env={**os.environ, **kept_bytecode(), **step.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return step, result, time.monotonic() - began


def lint() -> bool:
    """Run the checks side by side; whether all are right."""
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for step, result, seconds in pool.map(run_step, lint_steps()):
            verdict = "ok" if result.returncode == 0 else "FAILED"
            print(f"{step.name:<14} {verdict:<7} {seconds:5.1f} s", flush=True)
            if result.returncode:
                failed.append(step.name)
                print(result.stdout.rstrip(), flush=True)
    if failed:
        print(f"FAILED: {', '.join(failed)}", flush=True)
    return not failed


def test(arguments: list[str]) -> bool:
    """Run the tests on two processes; whether they pass."""
    from koogallery.engine.translations import compile_catalogues

    compile_catalogues(ROOT / "locale")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", *arguments]
    environment = {**os.environ, **kept_bytecode(), **TESTING}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Carry out `lint` or `all`; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m koogallery.engine.checks", description=__doc__)
    parser.add_argument("what", choices=["lint", "all"])
    options, rest = parser.parse_known_args()
    right = lint()
    if options.what == "all":
        right = test(rest) and right
        if not right:
            print("make test: something above FAILED", file=sys.stderr)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
