"""`manage.py load_demo`: accounts, catalogue and ninety days of history in an empty installation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from koogallery import clock
from koogallery.demo.people import make_people
from koogallery.demo.story import DAYS, Story
from koogallery.identity import queries as identity
from orders.example_seller import DEMO_KEY, ExampleSeller

CATALOGUE = Path(settings.ROOT) / "catalog" / "demo"


class Command(BaseCommand):
    help = "Fill an empty installation with the demo; passwords are drawn and written to DATA/demo-accounts.txt."

    def handle(self, *args: object, **options: object) -> None:
        if identity.account_by_name("northwind-trading") is not None:
            raise CommandError("The demo is loaded already.")
        end = clock.now()
        story = Story(end=end)
        with clock.at(story.start - timedelta(days=1)):
            people = make_people()
            call_command("load_catalogue", *sorted(CATALOGUE.glob("*.yaml")), verbosity=0, stdout=self.stdout)
        with _seller_server():
            orders = story.tell()
        people.write(Path(settings.DATA) / "demo-accounts.txt")
        self.stdout.write(f"{orders} orders in {DAYS} days, {len(story.refused)} purchases refused on the way")


@contextlib.contextmanager
def _seller_server() -> Iterator[None]:
    """The example seller, unless one listens already."""
    try:
        server = ExampleSeller(key=DEMO_KEY, port=settings.EXAMPLE_SELLER_PORT)
    except OSError:
        yield
        return
    with server:
        yield
