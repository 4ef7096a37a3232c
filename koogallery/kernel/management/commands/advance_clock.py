"""`manage.py advance_clock "3 hours"` or `--to 2026-03-15T10:00:00+08:00`, in a rehearsal only."""

from datetime import datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser

from koogallery import clock
from koogallery.kernel import rehearsal
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused


class Command(BaseCommand):
    help = "Advance the rehearsal clock; everything due on the way happens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("duration", nargs="?", help='such as "3 hours"')
        parser.add_argument("--to", help="an ISO 8601 moment with its zone")
        parser.add_argument("--next", action="store_true", help="to the next deadline")

    def handle(self, *args: object, **options: object) -> None:
        try:
            acted = rehearsal.advance_to(system_call(), to := self._target(options))
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        self.stdout.write(f"{to.astimezone(clock.platform_zone()).isoformat()}: {acted} rows acted")

    def _target(self, options: dict[str, object]) -> datetime:
        try:
            if options["to"]:
                moment = datetime.fromisoformat(str(options["to"]))
                return moment if moment.tzinfo else moment.replace(tzinfo=clock.platform_zone())
            if options["next"]:
                due = rehearsal.next_deadline()
                if due is None:
                    raise CommandError("Nothing is due.")
                return max(due, clock.now())
            if options["duration"]:
                return clock.now() + rehearsal.parse_duration(str(options["duration"]))
        except ValueError as error:
            raise CommandError(str(error)) from error
        raise CommandError('Say how far: "3 hours", --to MOMENT or --next.')
