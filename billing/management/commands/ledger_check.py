"""Prove the ledger: every posting, every balance, every order, every refund."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.operations import checking
from koogallery.kernel.calls import system_call


class Command(BaseCommand):
    help = "Check that the ledger agrees with itself and with payments, refunds and bills; exits with 1 if not."

    def handle(self, *args: Any, **options: Any) -> None:
        result = checking.check_ledger(system_call())
        broken = {finding["check"] for finding in result.findings}
        for check in checking.all_checks():
            self.stdout.write(f"{'FAILED' if check.name in broken else 'ok    '}  {check.sentence}")
            for finding in result.findings:
                if finding["check"] == check.name:
                    self.stdout.write(
                        f"        {finding['what']}: found {finding['found']}, expected {finding['expected']}"
                    )
        self.stdout.write(
            f"{result.postings} postings, {result.entries} entries, {result.ledger_accounts} ledger accounts, "
            f"{result.orders} orders in {result.seconds} s"
        )
        if result.findings:
            raise CommandError(f"{len(result.findings)} findings", returncode=1)
