"""`manage.py set_policy [--pack 2024] [name=value …]`: what rules the orders placed from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from koogallery import clock
from koogallery.kernel import policies
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused


class Command(BaseCommand):
    help = "Show the policies in force, or choose a pack and single values."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pack", choices=policies.PACKS)
        parser.add_argument("values", nargs="*", metavar="name=value")

    def handle(self, *args: Any, **options: Any) -> None:
        values = dict(self._pair(text) for text in options["values"])
        if options["pack"] or values:
            try:
                policies.choose(system_call(), pack=options["pack"], overrides=values)
            except Refused as refused:
                raise CommandError(refused.sentence) from refused
        chosen = policies.in_force(clock.now())
        for name, policy in policies.POLICIES.items():
            possible = ", ".join(policies.text_of(choice) for choice in policy.choices)
            self.stdout.write(f"{name:32} {policies.text_of(chosen[name]):40} {chosen.source(name):12} [{possible}]")

    def _pair(self, text: str) -> tuple[str, str]:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"{text!r} is not name=value.")
        return name.strip(), value.strip()
