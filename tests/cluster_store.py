"""Migrated clusters of earlier runs: a run whose migrations are the same begins with a copy.

A fresh checkout has none, so there every run migrates. KOOGALLERY_TEST_FRESH=1 ignores them.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings

KEPT = 3
_store = Path(settings.ROOT) / ".local" / "test-clusters"


def key() -> str:
    """A digest of everything that decides what migrations make: their text, what they import, the packages."""
    found = hashlib.sha256((Path(settings.ROOT) / "requirements-dev.lock").read_bytes())
    found.update(repr(settings.INSTALLED_APPS).encode())
    paths = {path for path in _migrations() if path.is_relative_to(settings.ROOT)}
    paths |= {source for path in paths for source in _imported(path)}
    for path in sorted(paths):
        found.update(str(path).encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:24]


def take(name: str, folder: Path) -> bool:
    """Copy the stored cluster to `folder`, owners included; whether there was one."""
    source = _store / name
    if os.environ.get("KOOGALLERY_TEST_FRESH") or not source.exists():
        return False
    os.utime(source)
    subprocess.run(["cp", "-a", str(source), str(folder)], check=True)
    return True


def put(name: str, folder: Path) -> None:
    """Store a stopped cluster and forget all but the latest few."""
    if folder.is_symlink():
        return
    _store.mkdir(parents=True, exist_ok=True)
    draft = _store / f".draft-{os.getpid()}"
    subprocess.run(["cp", "-a", str(folder), str(draft)], check=True)
    try:
        draft.rename(_store / name)
    except OSError:
        shutil.rmtree(draft)
    stored = sorted(_store.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in stored[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _migrations() -> Iterator[Path]:
    for app in apps.get_app_configs():
        yield from Path(app.path).glob("migrations/*.py")
        yield from Path(app.path).glob("migrations/*.sql")


def _imported(path: Path) -> Iterator[Path]:
    """The project's own modules that a file imports."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            source = (Path(settings.ROOT) / name.replace(".", "/")).with_suffix(".py")
            if source.exists():
                yield source
