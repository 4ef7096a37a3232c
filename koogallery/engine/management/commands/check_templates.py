"""`manage.py check_templates`: every template compiles, and none needs what the content policy forbids."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template import TemplateSyntaxError, engines
from django.template.exceptions import TemplateDoesNotExist

INLINE = [
    (re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/(?:ld\+)?json\")[^>]*>"), "an inline script"),
    (re.compile(r"<style\b"), "an inline style sheet"),
    (re.compile(r"<[a-zA-Z][^>]*\sstyle="), "a style attribute"),
    (re.compile(r"<[a-zA-Z][^>]*\son[a-z]+="), "an event handler attribute"),
    (re.compile(r"javascript:", re.IGNORECASE), "a javascript: address"),
]
FOR_OTHER_READERS = re.compile(r"(^|/)(mail|pdf|evidence)[/._]")
"""Templates that no browser reads under the content policy."""


class Command(BaseCommand):
    help = "Compiles every template of the project and refuses inline scripts and styles."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.ROOT) / "templates"
        wrong: list[str] = []
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in paths:
            name = path.relative_to(folder).as_posix()
            wrong += [f"templates/{name}: {text}" for text in find_faults(path, name)]
        if wrong:
            raise CommandError("\n".join(wrong))
        self.stdout.write(f"{len(paths)} templates compile")


def find_faults(path: Path, name: str) -> list[str]:
    """What is wrong with one template: it does not compile, or it has inline script or style."""
    found = []
    try:
        engines["django"].get_template(name)
    except (TemplateSyntaxError, TemplateDoesNotExist) as error:
        found.append(str(error))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html" and not FOR_OTHER_READERS.search(name):
        for pattern, fault in INLINE:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"line {line} has {fault}, which the content policy forbids")
    return found
