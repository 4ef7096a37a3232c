"""CSV files that a spreadsheet opens rightly and runs nothing of."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from koogallery.kernel import display

BYTE_ORDER_MARK = "\ufeff"
DANGEROUS_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    def write(self, text: str) -> str:
        return text


_writer = csv.writer(_Echo())  # type: ignore[arg-type]


def csv_line(values: Iterable[Any]) -> str:
    """One CSV line, with text cells that a spreadsheet would run made harmless by a leading apostrophe."""
    return _writer.writerow([neutral(value) for value in values])  # type: ignore[return-value]


def neutral(value: Any) -> str:
    """A value as a CSV cell; text that starts with `= + - @`, tab or return gets an apostrophe, numbers stay."""
    text = display.value_text(value)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if text.startswith(DANGEROUS_STARTS) and not is_number:
        return f"'{text}"
    return text
