"""What import-linter cannot see: pure drawers stay pure, and raw cursors stay where they may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.ROOT)
ROOMS = [ROOT / room.replace(".", "/") for room in settings.ROOMS]
PURE = sorted(
    path for room in ROOMS for pattern in ("rules/**/*.py", "rules.py", "states.py") for path in room.glob(pattern)
)
IMPURE = ("django.db", "django.http", "django.shortcuts", "koogallery.kernel.operations", "psycopg", "redis")


def imports(path: Path) -> set[str]:
    """Every module and name that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_are_pure_drawers() -> None:
    assert len(PURE) > 5


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_drawer_knows_no_database_and_no_request(path: Path) -> None:
    wrong = {name for name in imports(path) if name.startswith(IMPURE)}
    allowed = {"django.db.models.TextChoices", "django.db.models", "django.db"} if path.name == "states.py" else set()
    assert wrong <= allowed


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_drawer_reads_no_clock(path: Path) -> None:
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert not called & {"clock.now", "clock.real_now", "now", "real_now"}
