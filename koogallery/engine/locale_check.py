"""A start-up check: the database must fold letters by the builtin locale C.UTF-8 and know Chinese ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections


@register(Tags.database)
def check_locale(*, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """An error for each database with another locale: under C, Chinese words are dropped and É is not folded."""
    found: list[CheckMessage] = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT datlocprovider::text, coalesce(datlocale, datcollate), lower('É'),"
                " to_tsvector('simple', '数据')::text"
                " FROM pg_database WHERE datname = current_database()"
            )
            provider, locale, folded, words = cursor.fetchone()
        if folded != "é" or not words or (provider == "b" and locale not in {"C.UTF-8", "PG_UNICODE_FAST"}):
            found.append(
                Error(
                    f"The database {alias!r} has the locale {locale!r} (provider {provider!r}).",
                    hint="Make the cluster with --locale-provider=builtin --builtin-locale=C.UTF-8 --lc-ctype=C.UTF-8.",
                    id="engine.E001",
                )
            )
    return found
