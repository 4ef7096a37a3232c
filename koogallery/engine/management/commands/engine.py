"""`manage.py engine start|stop|status`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from koogallery.engine.__main__ import main


class Command(BaseCommand):
    help = "Starts, stops or shows the embedded PostgreSQL and Valkey of this data folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("command", choices=["start", "stop", "status"])

    def handle(self, *args: Any, **options: Any) -> None:
        if code := main([options["command"]]):
            sys.exit(code)
