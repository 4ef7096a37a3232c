"""What stands in the renewal calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.money import Money


class EntryKind(TextChoices):
    """What happens at a moment of the calendar."""

    EXPIRY = "expiry", _("Expires")
    GRACE_END = "grace_end", _("Grace period ends")
    RETENTION_END = "retention_end", _("Retention period ends")
    DEDUCTION = "deduction", _("Automatic deduction")
    CHANGE = "change", _("Change takes effect")
    BILL = "bill", _("Milestone bill due")

    @property
    def tone(self) -> str:
        """The status colour of an entry."""
        return _TONES[self]

    @property
    def icon(self) -> str:
        """The icon beside its word."""
        return _ICONS[self]


_TONES = {
    EntryKind.EXPIRY: "warning",
    EntryKind.GRACE_END: "danger",
    EntryKind.RETENTION_END: "danger",
    EntryKind.DEDUCTION: "accent",
    EntryKind.CHANGE: "info",
    EntryKind.BILL: "neutral",
}
_ICONS = {
    EntryKind.EXPIRY: "calendar-clock",
    EntryKind.GRACE_END: "clock",
    EntryKind.RETENTION_END: "circle-alert",
    EntryKind.DEDUCTION: "wallet",
    EntryKind.CHANGE: "refresh-cw",
    EntryKind.BILL: "file-check",
}


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
