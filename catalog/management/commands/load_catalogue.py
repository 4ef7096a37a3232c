"""manage.py load_catalogue FILE…: sellers, products, specifications, plans and texts from YAML."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from catalog.operations import loading
from catalog.rules.catalogue_file import CatalogueFaults, read_catalogue
from koogallery.kernel.calls import system_call


class Command(BaseCommand):
    help = "Load catalogue files (docs/catalogue-format.md). A file is loaded as a whole or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", type=Path, nargs="+")
        parser.add_argument("--check", action="store_true", help="only check the files")

    def handle(self, *, files: list[Path], check: bool, **options: Any) -> None:
        for file in files:
            try:
                read = read_catalogue(file.read_text(encoding="utf-8"), replacements=replacements())
                if check:
                    self.stdout.write(f"{file.name}: {len(read.products)} products are well-formed")
                    continue
                loaded = loading.load(system_call(), file=read, name=file.name)
            except OSError as error:
                raise CommandError(f"{file}: {error}") from error
            except UnicodeDecodeError as error:
                raise CommandError(f"{file}: is not UTF-8 text") from error
            except CatalogueFaults as faults:
                raise CommandError("\n".join(f"{file}: {fault}" for fault in faults.faults)) from faults
            self.stdout.write(
                f"{file.name}: {loaded.categories} categories, {loaded.sellers} sellers, {loaded.products} products, "
                f"{loaded.discounts} discounts loaded"
            )


def replacements() -> dict[str, str]:
    """What `{example_seller}` stands for: the address of the example seller server of this installation."""
    return {"example_seller": f"http://127.0.0.1:{settings.EXAMPLE_SELLER_PORT}"}
