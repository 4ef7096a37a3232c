"""manage.py load_software FILE.tsv.gz: a large catalogue from a list of names and summaries."""

from __future__ import annotations

import csv
import gzip
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.operations import loading_software
from koogallery import clock
from koogallery.kernel.calls import system_call


class Command(BaseCommand):
    help = "Fill the catalogue with products named in a gzipped table of name and summary, for load and search tests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--limit", type=int, default=0, help="only the first so many rows")

    def handle(self, *, file: Path, limit: int, **options: Any) -> None:
        began = clock.monotonic()
        try:
            with gzip.open(file, "rt", encoding="utf-8", newline="") as table:
                lines = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
                if next(lines, None) != ["name", "summary"]:
                    raise CommandError(f"{file}: the first line must be “name” and “summary”, divided by a tab.")
                rows = [(line[0].strip(), line[1].strip()) for line in lines if len(line) == 2 and line[0].strip()]
        except OSError as error:
            raise CommandError(f"{file}: {error}") from error
        loading_software.load(system_call(), rows=rows[:limit] if limit else rows)
        seconds = clock.monotonic() - began
        self.stdout.write(f"{len(rows[:limit] if limit else rows):,} products loaded in {seconds:.0f} s")
