"""What a ticket may be about: rooms above say of their objects whether an account has one, and where it is shown.

linked.know(LinkedKind(key="order", label=_("Order"), owned=…, address=…, admin_address=…))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from koogallery.kernel.reasons import Refused


@dataclass(frozen=True, slots=True)
class LinkedKind:
    """A kind of object: `owned(account_id, number)`, and its pages for the customer and for operations."""

    key: str
    label: Any
    owned: Callable[[int, str], bool]
    address: Callable[[str], str]
    admin_address: Callable[[str], str]


_known: dict[str, LinkedKind] = {}


def know(kind: LinkedKind) -> None:
    """Let tickets be linked to objects of a kind. Raises `ValueError` when its key is taken."""
    if kind.key in _known:
        raise ValueError(f"{kind.key!r} is known twice.")
    _known[kind.key] = kind


def kinds() -> list[LinkedKind]:
    """Every kind, in the order in which they were made known."""
    return list(_known.values())


def kind_of(key: str) -> LinkedKind | None:
    """The kind of a key."""
    return _known.get(key)


def checked(*, account_id: int, key: str, number: str) -> tuple[str, str]:
    """Key and number of an object of the account; two empty texts without a number.

    Raises `Refused("linked_unknown")` for what the account does not have, whoever else may have it (R20).
    """
    number = number.strip()
    if not number:
        return "", ""
    kind = _known.get(key)
    if kind is None or len(number) > 40 or not kind.owned(account_id, number):
        raise Refused("linked_unknown", field="linked_number", number=number[:40])
    return key, number
