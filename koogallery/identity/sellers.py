"""Which accounts are sellers: a port, since sellers are the catalogue's, some floors up."""

from __future__ import annotations

from collections.abc import Callable

_lookup: Callable[[int], int | None] | None = None


def use_lookup(find: Callable[[int], int | None]) -> None:
    """Let `find` tell the approved seller of an account (its id), or None; the catalogue fills this at start-up."""
    global _lookup
    _lookup = find


def seller_of(account_id: int | None) -> int | None:
    """The id of the account's approved seller profile, or None."""
    return _lookup(account_id) if _lookup is not None and account_id is not None else None
