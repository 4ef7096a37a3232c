"""Inserting chunks of rows that are nearly always new.

    insert_new(_TELL, [array(column) for column in columns], rows=len(messages))

`ON CONFLICT DO NOTHING` looks each row up first and then writes it in two steps, which a chunk of a sweep pays for each
row. Here a chunk is inserted as it is; only if a key turns out to be taken, it is inserted again with care.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from koogallery.kernel import prepared

FEW = 20
"""For fewer rows a savepoint costs more than the care."""


def insert_new(statement: str, given: Sequence[Any], *, rows: int) -> None:
    """Run an INSERT of so many rows; those whose unique key is taken are left out.

    Raises `IntegrityError` for what another constraint refuses.
    """
    if rows > FEW:
        try:
            with transaction.atomic(), prepared.cursor() as cursor:
                cursor.execute(statement, given)
        except IntegrityError:
            pass
        else:
            return
    with prepared.cursor() as cursor:
        cursor.execute(f"{statement} ON CONFLICT DO NOTHING", given)
