"""`manage.py example_seller`: a seller's server for trying out and rehearsing the SaaS interface."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orders.example_seller import DEMO_KEY, ExampleSeller, Failure


def _failure_kind(text: str) -> str:
    try:
        return Failure(text).kind
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Run a seller's server that speaks versions 2.0 and 1.0 of the SaaS interface, and fails on demand."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=getattr(settings, "EXAMPLE_SELLER_PORT", 8001))
        parser.add_argument("--key", default=DEMO_KEY, help="access key of the products it serves")
        parser.add_argument(
            "--fail",
            type=_failure_kind,
            help="a result code such as 000005, or drop, garbage, timeout, 500, unsigned (1.0 only)",
        )
        parser.add_argument("--fail-times", type=int, help="fail so many requests, then work (default: always)")
        parser.add_argument("--fail-activity", default="", help="fail only this activity, e.g. newInstance")
        parser.add_argument("--delay", type=float, default=0.0, help="seconds until application information is ready")
        parser.add_argument("--log", type=Path, help="append one JSON line for each request to this file")
        parser.add_argument("--version-1", default="/v1", dest="version_1", help="path that speaks version 1.0")

    def handle(self, *args: Any, **options: Any) -> None:
        failure = None
        if options["fail"]:
            failure = Failure(options["fail"], times=options["fail_times"], activity=options["fail_activity"])
        seller = ExampleSeller(
            key=options["key"],
            host=options["host"],
            port=options["port"],
            failure=failure,
            delay=options["delay"],
            log=options["log"],
            version_1_path=options["version_1"],
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.stdout.write(f"Example seller: version 2.0 at {seller.url}, version 1.0 at {seller.version_1_url}")
        self.stdout.flush()
        try:
            seller.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Example seller stopped.")
        finally:
            seller.stop()
