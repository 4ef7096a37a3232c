"""manage.py rebuild_search: build what search reads anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from catalog.operations import indexing
from koogallery.kernel import pagecache


class Command(BaseCommand):
    help = "Build the rows, facets and vocabulary that search reads anew from the products on sale."

    def handle(self, **options: Any) -> None:
        count = indexing.rebuild()
        pagecache.bump_now()
        self.stdout.write(f"{count:,} products can be found")
