"""The queries of a page, as tests count them."""

from __future__ import annotations

import re

from django.test.utils import CaptureQueriesContext


def own_queries(caught: CaptureQueriesContext) -> list[str]:
    """What was asked, without the menu of categories: each process keeps it until any of them changes the catalogue.

    Each is short enough for a failed test's message: its verb and what it reads or writes.
    """
    return [_short(query["sql"]) for query in caught.captured_queries if "catalog_category" not in query["sql"]]


def _short(sql: str) -> str:
    words = " ".join(sql.split())
    tables = re.findall(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?', words)
    return f"{words[:40]} … {', '.join(dict.fromkeys(tables))}"
