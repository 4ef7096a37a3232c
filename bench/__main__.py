"""`python -m bench [--data FOLDER] [PART …]`; the exit code is 1 when a target is missed."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform as machine
import sys
from pathlib import Path

import bench
from bench import ground, parts
from bench.table import render


def main() -> int:
    """Run the chosen parts and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--data", type=Path, help="keep engines and each part's rows here, to measure again sooner")
    parser.add_argument("parts", nargs="*", help="default: all")
    options = parser.parse_args()
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name not in {"__main__", "bare"}:
            importlib.import_module(f"bench.{module.name}")
    rows = []
    with ground.prepared(options.data) as stand:
        for row in parts.measure(stand, only=options.parts):
            rows.append(row)
            print(f"{row.what}: {row.measured} ({row.verdict})", file=sys.stderr, flush=True)
    print(f"\n{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}\n")
    print(render(rows))
    return 1 if any(row.passed is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
