"""`manage.py sweep NAME`: run one sweep now; `--list` names them."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from koogallery import clock
from koogallery.kernel.sweeps import sweeps


class Command(BaseCommand):
    help = "Run one sweep for everything due up to the platform's time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?")
        parser.add_argument("--list", action="store_true", help="name the sweeps and when each is next due")

    def handle(self, *args: object, **options: object) -> None:
        if options["list"] or not options["name"]:
            for name, sweep in sweeps.items():
                due = sweep.next_due()
                self.stdout.write(f"{name:40} {due.astimezone(clock.platform_zone()).isoformat() if due else '-'}")
            return
        name = str(options["name"])
        if name not in sweeps:
            raise CommandError(f"There is no sweep {name!r}; --list names them.")
        self.stdout.write(f"{name}: {sweeps[name].run(clock.now())} rows")
