"""How money came back for an order: requests to unsubscribe, their answers, and each part of each refund."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from billing import queries as billing
from billing.states import RefundDestination, RefundStatus
from koogallery.kernel import display
from orders.queries.returns import Returned

_BY_UNSUBSCRIPTION, _BY_APPEAL = "unsubscription", "appeal"


@dataclass(frozen=True, slots=True)
class RefundEntry:
    """One line of the timeline, as the component shows it."""

    at: datetime
    title: str
    text: str = ""
    tone: str = "neutral"
    actor: str = ""


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """What an order's page shows of refunds: the requests, newest first, and the timeline of all."""

    requests: Sequence[Returned]
    entries: Sequence[RefundEntry]


def money_back(order_number: str, *, requests: Sequence[Returned], at: datetime, refunded: bool) -> MoneyBack | None:
    """The refunds of an order, or of what its UNSUBSCRIBE order gave back; None where nothing was asked or refunded.

    `refunded` says whether money of the order went back; without that nothing is read.
    """
    parts: Sequence[Any] = ()
    if refunded or any(each.return_order for each in requests):
        made_here = any(each.return_order == order_number for each in requests)
        parts = given_back_by(order_number) if made_here else billing.refund_parts_of(order_number)
    if not requests and not parts:
        return None
    return MoneyBack(list(reversed(requests)), timeline(requests, parts, at=at))


def given_back_by(return_order: str) -> Sequence[Any]:
    """The parts of the refunds that an UNSUBSCRIBE order made, whichever orders it gave back."""
    return billing.refund_parts_by_key(f"{_BY_UNSUBSCRIPTION}:{return_order}-")


def of_order(parts: Iterable[Any], return_order: str) -> list[Any]:
    """The parts of the refunds that an UNSUBSCRIBE order made."""
    return [part for part in parts if part.refund.key.startswith(f"{_BY_UNSUBSCRIPTION}:{return_order}-")]


def timeline(requests: Iterable[Returned], parts: Sequence[Any], *, at: datetime) -> list[RefundEntry]:
    """The entries of these requests and parts of refunds, oldest first."""
    entries = [entry for each in requests for entry in _of_request(each, parts, at=at)]
    entries += [entry for part in parts for entry in _of_part(part)]
    return sorted(entries, key=lambda entry: entry.at)


def _of_request(each: Returned, parts: Sequence[Any], *, at: datetime) -> list[RefundEntry]:
    found = []
    if each.is_negotiated:
        asked = _("%(amount)s asked for") % {"amount": each.amount}
        found.append(RefundEntry(each.requested_at, _("Unsubscription requested"), asked, "warning"))
    if each.ended_at is None:
        return found
    if not each.return_order or each.due_at is None:
        return [*found, RefundEntry(each.ended_at, each.status, tone=each.tone)]
    is_back, of_this = each.refunded_at is not None, of_order(parts, each.return_order)
    is_awaited = not is_back and each.due_at > at and all(part.status is not RefundStatus.FAILED for part in of_this)
    text = _("The money is back by %(at)s.") % {"at": display.moment_text(each.due_at)} if is_awaited else ""
    given_back = _("Unsubscription agreed") if each.is_negotiated else _("Unsubscribed")
    found.append(RefundEntry(each.ended_at, given_back, text, "info"))
    if each.is_late and each.due_at <= at:
        late = _("Operations have been told. The money is refunded once.")
        found.append(RefundEntry(each.due_at, _("The refund is late"), "" if is_back else late, "danger"))
    if each.refunded_at is not None and not of_this:
        found.append(RefundEntry(each.refunded_at, _("Nothing was to be paid back"), tone="success"))
    return found


def _of_part(part: Any) -> list[RefundEntry]:
    refund, place = part.refund, place_of(part)
    if part.status is RefundStatus.DONE:
        back = _("%(amount)s refunded") % {"amount": part.money}
        done = RefundEntry(part.finished_at or refund.at, back, _why(refund, place), "success")
        if part.finished_at is None or part.finished_at == refund.at:
            return [done]
        return [_begun(part, place), done]
    if part.status is RefundStatus.FAILED:
        failed = _("Refund of %(amount)s failed") % {"amount": part.money}
        stuck = _("The bank's answer is unclear; operations are looking into it.")
        return [RefundEntry(part.parked_at, failed, f"{place}. {stuck}", "danger")]
    return [_begun(part, place)]


def _begun(part: Any, place: str) -> RefundEntry:
    title = _("%(amount)s on its way") % {"amount": part.money}
    return RefundEntry(part.refund.at, title, _why(part.refund, place), "info")


def place_of(part: Any) -> str:
    """Where a part goes: the account balance, platform credit, the reseller, or the card by its last digits."""
    card = part.payment.card if part.destination == RefundDestination.CARD else None
    return str(card) if card is not None else str(part.get_destination_display())


def _why(refund: Any, place: str) -> str:
    return f"{place} · {_('By decision of an appeal')}" if refund.reason == _BY_APPEAL else place
