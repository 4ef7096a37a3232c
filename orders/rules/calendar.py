"""What stands in the renewal calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from koogallery.kernel.money import Money
from orders.states import EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the calendar: what happens when to which resource or bill, and where that is found.

    `uid` names it for ever, also when its moment moves. `expected` says that it follows only if everything goes on as
    chosen, `is_over` that nothing is to be done any more; `note` says more in the language in force.
    """

    kind: EntryKind
    at: datetime
    name: str
    detail: str
    number: str
    url: str
    uid: str
    amount: Money | None = None
    note: str = ""
    expected: bool = False
    is_over: bool = False
