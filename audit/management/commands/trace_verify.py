"""`manage.py trace_verify [--account NAME]`, or of an export: `--export FILE --digests FILE [--key FILE]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import signing, verifying
from koogallery.identity import queries as identity


class Command(BaseCommand):
    help = "Name every trace that was changed, removed or inserted since it was written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", help="only this account, by name or ID")
        parser.add_argument("--export", help="a JSON Lines export to check instead of the database")
        parser.add_argument("--digests", help="the digests downloaded with it")
        parser.add_argument("--key", help="the downloaded public key; this installation's by default")

    def handle(self, *args: object, **options: Any) -> None:
        report = self._export(options) if options["export"] else verifying.verify(self._accounts(options["account"]))
        for finding in report.findings:
            self.stdout.write(str(finding))
        self.stdout.write(f"{report.traces} traces, {report.digests} digests, {len(report.findings)} findings")
        if report.findings and all(finding.kind == "unproven" for finding in report.findings):
            raise CommandError("Nothing is wrong so far, but these traces are in no digest yet: export again later.")
        if report.findings:
            raise CommandError("The traces are not as they were written.")

    def _accounts(self, name: str | None) -> list[int] | None:
        if not name:
            return None
        found = identity.account_by_name(name) or identity.account_by_number(name)
        if found is None:
            raise CommandError(f"There is no account {name!r}.")
        return [found.pk]

    def _export(self, options: dict[str, Any]) -> verifying.Report:
        if not options["digests"]:
            raise CommandError("An export is checked with its --digests.")
        try:
            key = signing.read_public_key(Path(options["key"]).read_bytes()) if options["key"] else signing.public_key()
            with (
                Path(options["export"]).open(encoding="utf-8") as traces,
                Path(options["digests"]).open(encoding="utf-8") as digests,
            ):
                return verifying.verify_export(traces, digests, key=key)
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
