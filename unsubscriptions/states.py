"""States of requests and payouts, their tables of moves as data, and the words of the form (unsubscription.md)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from koogallery.kernel.states import Moves


class Kind(models.TextChoices):
    """How something is given back."""

    NEGOTIATED = "negotiated", _("Negotiated")
    IMAGE = "image", _("Image")
    RENEWAL = "renewal", _("Renewal that has not started")


class Way(models.TextChoices):
    """Whether and how a line can be given back."""

    NEGOTIATED = "negotiated", _("Negotiated with the seller")
    IMAGE = "image", _("By the rules for images")
    NEVER = "never", _("Never")


class RequestState(models.TextChoices):
    """The agreement."""

    REQUESTED = "requested", _("Requested")
    AGREED = "agreed", _("Agreed")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")


REQUEST_MOVES = Moves(
    {
        RequestState.REQUESTED: {RequestState.AGREED, RequestState.REJECTED, RequestState.WITHDRAWN},
        RequestState.AGREED: set(),
        RequestState.REJECTED: set(),
        RequestState.WITHDRAWN: set(),
    }
)


class PayoutState(models.TextChoices):
    """The way of the money back; a failed payout is tried again."""

    DUE = "due", pgettext_lazy("refund", "Due")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return {PayoutState.DUE: "info", PayoutState.DONE: "success", PayoutState.FAILED: "danger"}[self]


PAYOUT_MOVES = Moves(
    {
        PayoutState.DUE: {PayoutState.DONE, PayoutState.FAILED},
        PayoutState.FAILED: {PayoutState.DUE, PayoutState.DONE},
        PayoutState.DONE: set(),
    }
)


class Status(models.TextChoices):
    """What pages show of a request and its payout."""

    REQUESTED = "requested", _("Requested")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    IN_PROGRESS = "in_progress", _("Refund in progress")
    REFUNDED = "refunded", _("Refunded")
    FAILED = "failed", _("Refund failed")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _TONES[self]


_TONES = {
    Status.REQUESTED: "warning",
    Status.REJECTED: "danger",
    Status.WITHDRAWN: "neutral",
    Status.IN_PROGRESS: "info",
    Status.REFUNDED: "success",
    Status.FAILED: "danger",
}
_OF_PAYOUT = {
    PayoutState.DUE: Status.IN_PROGRESS,
    PayoutState.DONE: Status.REFUNDED,
    PayoutState.FAILED: Status.FAILED,
}


def status_of(state: RequestState, payout: PayoutState | None) -> Status:
    """What is shown of an agreement in this state, with the state of its payout once there is one."""
    if state is RequestState.AGREED:
        return _OF_PAYOUT[payout] if payout is not None else Status.IN_PROGRESS
    return Status(state.value)


class Reason(models.TextChoices):
    """Why somebody unsubscribes; `OTHER` needs a text."""

    NO_LONGER_NEEDED = "no_longer_needed", _("No longer needed")
    BY_MISTAKE = "by_mistake", _("Ordered by mistake")
    DELIVERED_LATE = "delivered_late", _("Delivered late")
    NOT_AS_DESCRIBED = "not_as_described", _("Not as described")
    OTHER = "other", _("Other")


LIVE_STATES = (RequestState.REQUESTED, RequestState.AGREED)
"""States in which a line has its one request."""
