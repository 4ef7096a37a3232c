"""The buyer asks to give back what was bought, takes the request back, reminds the seller (unsubscription.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.operations import ledger
from koogallery.identity.operations import agreements
from koogallery.identity.states import ContactKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.operations import completing, holding
from supervision.rules import texts
from supervision.states import Actor
from unsubscriptions.models import Request
from unsubscriptions.operations import moving, telling
from unsubscriptions.queries.requests import flow_of, own_line_locked, own_request_locked
from unsubscriptions.queries.standing import standing_of
from unsubscriptions.rules import amounts, eligibility, waiting
from unsubscriptions.rules.eligibility import Standing
from unsubscriptions.states import Kind, Reason, RequestState

ACTION = "marketplace:subscription:unSubscribeByNegotiation"
CONTACTS = (ContactKind.MOBILE, ContactKind.EMAIL)
"""What the tick gives to the seller."""


def why_not(standing: Standing) -> Refused | None:
    """Why a line cannot be given back now, or None; for a disabled control and for the operation itself."""
    found = eligibility.why_not(standing)
    return Refused(found.code, **found.params) if found is not None else None


@operation(
    "unSubscribeByNegotiation",
    resource_type="Subscription",
    action=ACTION,
    roles={Role.BUYER},
    targets={"line": own_line_locked},
    once=True,
)
def request(call: Call, *, line: Any, amount: Money, reason: str, text: str = "", contact: bool = False) -> Request:
    """Ask the seller to take an order line back for `amount`; until the answer its order is not completed.

    Renewals that have not started go back whole beside it; the request is about both. With `contact` the seller may
    see phone number and e-mail address of who asks. Raises `Refused`: why the line cannot be given back now,
    `unsub_exceeds` above the actual payment (R13), `amount_not_positive`, `amount_not_whole`, `unsub_reason_needed`,
    `unsub_text_needed` with another reason, `text_too_long`.
    """
    _catch_up(line, at=call.at)
    standing = standing_of(line, account=call.account, at=call.at)
    if (refused := why_not(standing)) is not None:
        raise refused
    if amount.currency != line.currency:
        raise Refused("unsub_amount_format", field=amounts.FIELD, example=str(standing.limit.rounded().amount))
    amounts.check(amount, limit=standing.limit)
    chosen = _reason(reason)
    words = texts.optional(text, field="text")
    if chosen is Reason.OTHER and not words:
        raise Refused("unsub_text_needed", field="text")
    asked = _write(call, line, amount, standing, reason=chosen, text=words, contact=contact)
    if (flow := flow_of(line)) is not None and not flow.step_enum.is_over:
        holding.hold(call, flow, told=telling.told(asked))
    if contact:
        _give_contact(call, asked)
    describe(resource=asked, request=asked.number, amount=asked.money, limit=asked.limit, reason=chosen)
    telling.tell(asked, Actor.SELLER, "unsubscription_requested", at=call.at, params={"reason": _why(asked)}, sms=True)
    return asked


def _catch_up(line: Any, *, at: datetime) -> None:
    """Complete a locked flow whose completion is due, ahead of the sweep (R19)."""
    flow = flow_of(line)
    if flow is None or flow.step_enum.is_over or not flow.shown_step(at).is_over:
        return
    completing.complete_due([flow.pk], at)
    flow.refresh_from_db()
    line.order.refresh_from_db()


def _write(
    call: Call, line: Any, amount: Money, standing: Standing, *, reason: Reason, text: str, contact: bool
) -> Request:
    order, renewals = line.order, standing.whole
    asked = Request(
        number=ids.numbered("UN", at=call.at),
        kind=Kind.NEGOTIATED,
        state=RequestState.REQUESTED,
        account=call.account,
        user=call.user,
        seller=order.seller,
        order=order,
        line=line,
        order_number=order.number,
        product_name=order.product_name,
        delivery_method=line.delivery_method,
        amount=(amount + renewals).amount,
        renewals_amount=renewals.amount,
        limit_amount=(standing.limit + renewals).amount,
        currency=line.currency,
        reason=reason,
        text=text,
        contact_given=contact,
        requested_at=call.at,
        turn_since=call.at,
    )
    with ledger.refusing(request_one_live_per_line="unsub_done"):
        asked.save(force_insert=True)
    return asked


def _reason(value: str) -> Reason:
    try:
        return Reason(value)
    except ValueError:
        raise Refused("unsub_reason_needed", field="reason") from None


def _why(asked: Request) -> Any:
    reason = asked.reason_enum
    return asked.text if reason is Reason.OTHER or reason is None else reason.label


def _give_contact(call: Call, asked: Request) -> None:
    for kind in CONTACTS:
        agreements.grant_consent(
            call,
            kind=kind,
            product_code=asked.product_code,
            seller_name=asked.seller.name,
            order_number=asked.order_number,
        )


def why_not_withdraw(asked: Request) -> Refused | None:
    """Why a request cannot be taken back, or None."""
    return moving.not_open(asked)


@operation(
    "withdrawUnsubscription",
    resource_type="Subscription",
    action=ACTION,
    roles={Role.BUYER},
    targets={"request": own_request_locked},
    once=True,
)
def withdraw(call: Call, *, request: Request) -> Request:
    """Take a request back, which acts like a rejection: the order goes on and one may ask again.

    Raises `Refused("unsub_not_open")`.
    """
    moving.end(call, request, RequestState.WITHDRAWN)
    telling.tell(request, Actor.SELLER, "unsubscription_withdrawn", at=call.at)
    return request


def why_not_remind(asked: Request, *, at: datetime) -> Refused | None:
    """Why the seller cannot be reminded now, or None; for a disabled control and for the operation itself."""
    if (refused := moving.not_open(asked) or moving.stands(asked, at=at)) is not None:
        return refused
    possible = waiting.next_reminder(reminded_at=asked.reminded_at, policies=asked.order.policies)
    return Refused("reminder_cooldown", next=possible) if possible is not None and at < possible else None


@operation(
    "remindUnsubscription",
    resource_type="Subscription",
    action=ACTION,
    roles={Role.BUYER},
    targets={"request": own_request_locked},
    once=True,
    default_allowed=True,
)
def remind(call: Call, *, request: Request) -> Request:
    """Remind the seller of a request: at once, then once per cooldown.

    Raises `Refused("unsub_not_open")`, `Refused("flow_frozen")`, `Refused("reminder_cooldown")`.
    """
    if (refused := why_not_remind(request, at=call.at)) is not None:
        raise refused
    request.reminded_at = call.at
    request.save(update_fields=["reminded_at"])
    telling.tell(request, Actor.SELLER, "unsubscription_reminded", at=call.at, key=f"{call.at:%Y%m%d%H%M%S}", sms=True)
    return request
