"""What the Seller Console shows of one request: whose turn it is, its clocks, its money, what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.rules.fees import platform_fee
from koogallery.kernel import display
from koogallery.kernel.money import Money
from koogallery.kernel.page_parts import Banner, ShownFile
from orders.states import OrderState
from supervision.states import Actor
from unsubscriptions.models import Payout, Request
from unsubscriptions.queries.details import Details
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.queries.standing import order_state
from unsubscriptions.states import Kind, PayoutState, RequestState, Status


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline of a request."""

    at: datetime
    title: str
    tone: str
    actor: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request means for the seller: of `paid`, `refund` goes back, and of what is `left` the fee is taken."""

    paid: Money
    refund: Money
    left: Money
    percent: Any
    fee: Money
    share: Money


def waited(asked: Request, at: datetime) -> timedelta:
    """For how long the seller has been waited for; the time of an appeal does not count (R10)."""
    flow = flow_of(asked.line)
    stopped = flow.stopped_at(at) if flow is not None else None
    return max((stopped or at) - asked.turn_since, timedelta())


def advised_at(asked: Request, at: datetime) -> datetime | None:
    """From when on the customer is recommended to appeal; None where nobody can."""
    flow = flow_of(asked.line)
    if flow is None or flow.shown_step(at).is_over:
        return None
    silence: timedelta = timedelta(hours=asked.order.policies["appeal.silence_hours"])
    return asked.turn_since + silence


def outcome(details: Details) -> Outcome | None:
    """The money of a request that is open or agreed; None where nothing was given back."""
    asked, payout = details.request, details.payout
    if asked.is_open:
        paid, refund = details.limit_now, asked.money
    elif payout is not None:
        refund = payout.money + payout.lowered_money
        paid = details.limit_now + refund if asked.is_negotiated else asked.limit
    else:
        return None
    left, percent = paid - refund, asked.line.fee_percent
    if left.amount < 0:
        return None
    fee = platform_fee(left, percent=percent)
    return Outcome(paid=paid, refund=refund, left=left, percent=percent, fee=fee, share=left - fee)


def agreeing(details: Details) -> str:
    """What agreeing to a request does: to the money, to the order and to what was bought."""
    asked, lowered = details.request, details.lowered_now
    back = asked.money - lowered
    words = {"customer": asked.account.name, "lowered": lowered, "amount": back}
    if lowered and back:
        money = _(
            "%(lowered)s is taken off milestone bills that %(customer)s has not paid yet, and %(amount)s is paid back."
        )
    elif lowered:
        money = _("%(lowered)s is taken off milestone bills that %(customer)s has not paid yet; nothing is paid back.")
    elif asked.order.reseller_id is not None:
        money = _("%(amount)s is credited to the reseller of %(customer)s.")
    else:
        money = _("%(customer)s gets %(amount)s back.")
    if asked.order.state == OrderState.COMPLETED:
        order = _("The order, which is completed already, is marked as unsubscribed, and its resource is closed.")
    else:
        order = _(
            "The order is completed at once and marked as unsubscribed, its resource is closed, and its service flow "
            "ends."
        )
    return " ".join((money % words, order, _("This cannot be undone.")))


def rejecting(asked: Request) -> str:
    """What rejecting a request does."""
    words = {"customer": asked.account.name}
    told = _("You reject the request. %(customer)s is told, sees your comment and your evidence, and may ask again.")
    if asked.order.state == OrderState.COMPLETED:
        order = _("The order stays completed.")
    else:
        order = _("The order goes on; one whose completion was only waiting for your answer is completed at once.")
    return f"{told % words} {order}"


def files_of(details: Details) -> list[ShownFile]:
    """The seller's evidence with the addresses from which the seller downloads it."""
    number = details.request.number
    return [
        ShownFile(
            name=each.file.name,
            url=reverse("unsubscriptions:seller_file", args=[number, each.file.number]),
            size=each.file.size,
            sealed=each.file.sealed,
        )
        for each in details.files
    ]


def banner(details: Details, *, at: datetime) -> Banner:
    """The sentence on top: whose turn it is, since when, until when, or how it ended."""
    asked, payout = details.request, details.payout
    if asked.is_open:
        return _open_banner(details, at=at)
    is_completed = order_state(asked.order, flow_of(asked.line), at) is OrderState.COMPLETED
    if asked.state == RequestState.WITHDRAWN:
        if is_completed:
            text = _("The customer took the request back; the order is completed.")
        else:
            text = _("The customer took the request back. The order goes on.")
        return Banner("neutral", "undo-2", str(Status.WITHDRAWN.label), text)
    if asked.state == RequestState.REJECTED:
        if is_completed:
            text = asked.why_ended or _("You rejected the request; the order is completed.")
        else:
            text = asked.why_ended or _("You rejected the request. The order goes on; the customer may ask again.")
        return Banner("neutral", "circle-x", str(Status.REJECTED.label), text)
    return _payout_banner(asked, payout, at=at)


def _open_banner(details: Details, *, at: datetime) -> Banner:
    asked = details.request
    if details.stands:
        text = _(
            "An operations manager decides on the appeal. Until then the request can be neither agreed to nor "
            "rejected, and its clocks stand."
        )
        return Banner("warning", "lock", _("The service flow is frozen"), text)
    duration = display.duration_text(waited(asked, at))
    parts = [_("The customer has waited for %(duration)s.") % {"duration": duration}]
    if asked.reminded_at is not None:
        parts.append(_("The last reminder came %(at)s.") % {"at": display.moment_text(asked.reminded_at)})
    advised = advised_at(asked, at)
    if advised is not None and details.recommends_appeal:
        parts.append(_("The customer is now recommended to initiate an appeal."))
    elif advised is not None:
        parts.append(
            _("Without an answer, the customer is recommended to initiate an appeal from %(at)s on.")
            % {"at": display.moment_text(advised)}
        )
    tone = "danger" if details.recommends_appeal else "warning"
    return Banner(tone, "clock", _("It is your turn: agree to the request or reject it"), " ".join(parts))


def _payout_banner(asked: Request, payout: Payout | None, *, at: datetime) -> Banner:
    agreed = (
        _("The renewal is taken back; the resource stays until the end of its term.")
        if asked.kind == Kind.RENEWAL
        else _("The order is completed and unsubscribed, its resource is closed.")
    )
    if payout is None:
        return Banner("info", "timer", str(Status.IN_PROGRESS.label), agreed)
    if payout.state == PayoutState.DONE:
        text = _("The customer got the refund %(at)s.") % {"at": display.moment_text(payout.done_at or at)}
        return Banner("success", "circle-check", str(Status.REFUNDED.label), f"{agreed} {text}")
    if payout.state == PayoutState.FAILED:
        text = _("The refund could not be paid out. Operations managers see to it; you have nothing to do.")
        return Banner("warning", "triangle-alert", str(Status.FAILED.label), f"{agreed} {text}")
    moment = display.moment_text(payout.due_at)
    if payout.is_late(at):
        text = _("The refund was due %(at)s. Operations managers see to it; you have nothing to do.") % {"at": moment}
        return Banner("warning", "timer", _("The refund is late"), f"{agreed} {text}")
    text = _("The customer gets the refund by %(at)s, %(distance)s.") % {
        "at": moment,
        "distance": display.distance_text(payout.due_at, now=at),
    }
    return Banner("info", "timer", str(Status.IN_PROGRESS.label), f"{agreed} {text}")


def timeline(details: Details, *, at: datetime) -> Sequence[Entry]:
    """What happened to a request, oldest first."""
    asked, payout = details.request, details.payout
    customer = asked.account.name
    found = []
    if asked.is_negotiated:
        found.append(Entry(asked.requested_at, str(Status.REQUESTED.label), "info", customer))
    if asked.reminded_at is not None:
        found.append(Entry(asked.reminded_at, _("Seller reminded"), "warning", customer))
    if asked.ended_at is not None:
        ended = str(asked.state_enum.label) if asked.is_negotiated else _("Unsubscribed")
        found.append(Entry(asked.ended_at, ended, _TONES[asked.state_enum], _who_ended(asked)))
    if payout is not None:
        if payout.is_late(at):
            found.append(Entry(payout.due_at, _("The refund is late"), "danger"))
        if payout.failed_at is not None:
            found.append(Entry(payout.failed_at, str(Status.FAILED.label), "danger"))
        if payout.done_at is not None:
            found.append(Entry(payout.done_at, str(Status.REFUNDED.label), "success", "", str(payout.money)))
    return sorted(found, key=lambda entry: entry.at)


_TONES = {
    RequestState.AGREED: "success",
    RequestState.REJECTED: "danger",
    RequestState.WITHDRAWN: "neutral",
}


def _who_ended(asked: Request) -> str:
    if asked.ended_by == Actor.BUYER:
        return asked.account.name
    if asked.ended_by == Actor.SELLER and asked.decided_by is not None:
        return asked.decided_by.username
    return str(Actor(asked.ended_by).label)
