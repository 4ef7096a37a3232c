"""Texts kept in English and Simplified Chinese."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language


def in_language(row: Any, field: str) -> str:
    """The text of `field` in the language in force; English where there is no Chinese."""
    if (get_language() or "en").startswith("zh") and (chinese := getattr(row, f"{field}_zh", "")):
        return str(chinese)
    return str(getattr(row, field))
