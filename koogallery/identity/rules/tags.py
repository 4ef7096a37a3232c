"""What tags may be (identity.md, G25 1.4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from koogallery.kernel.reasons import Refused

KEY_LENGTH, VALUE_LENGTH, PER_RESOURCE, PREDEFINED = 36, 43, 20, 500
_LETTERS = re.compile(r"[A-Za-z0-9_@.\u3400-\u4dbf\u4e00-\u9fff-]+")


def check_tag(key: str, value: str) -> tuple[str, str]:
    """The trimmed tag. Raises `Refused("tag_key_form")` or `Refused("tag_value_form")`."""
    key, value = key.strip(), value.strip()
    if len(key) > KEY_LENGTH or not _LETTERS.fullmatch(key):
        raise Refused("tag_key_form", field="key", limit=KEY_LENGTH)
    if len(value) > VALUE_LENGTH or not _LETTERS.fullmatch(value):
        raise Refused("tag_value_form", field="value", limit=VALUE_LENGTH)
    return key, value


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The trimmed tags of one resource. Raises as `check_tag`, and `Refused("tag_limit")` above 20."""
    if len(tags) > PER_RESOURCE:
        raise Refused("tag_limit", field="tags", limit=PER_RESOURCE)
    checked: dict[str, str] = {}
    for key, value in tags.items():
        known, kept = check_tag(key, value)
        if known in checked:
            raise Refused("tag_key_twice", field="tags", key=known)
        checked[known] = kept
    return checked
