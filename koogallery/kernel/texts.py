"""Texts kept in English and Simplified Chinese, side by side in a row."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language


def is_chinese() -> bool:
    """Whether the language in force is Chinese."""
    return (get_language() or "en").startswith("zh")


def in_language(row: Any, field: str) -> str:
    """The text of `field` in the language in force; English where there is no Chinese."""
    if is_chinese() and (chinese := getattr(row, f"{field}_zh", "")):
        return str(chinese)
    return str(getattr(row, field))
