"""The buyer unsubscribes an image, or its renewal that has not started: at once, by the formula of pricing.md."""

from __future__ import annotations

from typing import Any

from django.db import connection

from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.operations import shortening
from orders.queries.images import own_image_locked
from supervision.states import Actor
from unsubscriptions.models import FreeUse, Payout, Request
from unsubscriptions.operations import carrying_out, paying_out, telling
from unsubscriptions.queries.images import Case, case_of, year_of
from unsubscriptions.queries.requests import lock_line
from unsubscriptions.rules.images import ImageRefund
from unsubscriptions.states import Kind, RequestState

ACTION = "marketplace:subscription:unsubscribeImage"


def why_not(case: Case) -> Refused | None:
    """Why an image cannot be unsubscribed now, or None; for a disabled control and for the operation itself."""
    return case.refused


def why_not_renewal(case: Case) -> Refused | None:
    """Why no renewal can be unsubscribed alone now, or None."""
    return case.refused_renewal


@operation(
    "unsubscribeImage",
    resource_type="Subscription",
    action=ACTION,
    roles={Role.BUYER},
    targets={"resource": own_image_locked},
    once=True,
)
def unsubscribe(call: Call, *, resource: Any, expected: Money) -> Request:
    """Unsubscribe an image with all its terms: refund by formula, UNSUBSCRIBE order, the resource closed.

    Within the free days of provisioning it takes one of the account's free ones of the calendar year, each given once.
    `expected` is the refund that was shown. Raises `Refused`: why it cannot be unsubscribed now, `unsub_refund_changed`
    when it is another by now.
    """
    _take_turns(call)
    lock_line(call, resource.line)
    case = case_of(resource, account=call.account, at=call.at)
    if (refused := why_not(case)) is not None:
        raise refused
    assert case.refund is not None
    _check_expected(case.refund, expected)
    asked = _write(call, resource, resource.line, case.refund, kind=Kind.IMAGE)
    if case.refund.is_free:
        FreeUse.objects.create(
            request=asked, account_id=asked.account_id, year=year_of(call.at), time=case.free.used + 1
        )
    payout = _carry_out(call, asked, case, case.refund)
    carrying_out.close_resources(call, asked, order=payout.order, delivered=True)
    _finish(call, asked, payout, case.refund, kind="image_unsubscribed")
    return asked


@operation(
    "unsubscribeRenewal",
    resource_type="Subscription",
    action=ACTION,
    roles={Role.BUYER},
    targets={"resource": own_image_locked},
    once=True,
)
def unsubscribe_renewal(call: Call, *, resource: Any, expected: Money) -> Request:
    """Unsubscribe the last renewal of an image alone, before it starts: all of it is refunded, without a fee.

    The image runs on and expires as before that renewal. Raises `Refused` as `unsubscribe` does, `unsub_no_renewal`
    when none waits to start.
    """
    case = case_of(resource, account=call.account, at=call.at)
    if (refused := why_not_renewal(case)) is not None:
        raise refused
    assert case.renewal is not None
    _check_expected(case.renewal, expected)
    line = case.lines[case.renewal.terms[0].term.line]
    lock_line(call, line)
    asked = _write(call, resource, line, case.renewal, kind=Kind.RENEWAL)
    payout = _carry_out(call, asked, case, case.renewal)
    shortened = shortening.give_last_term_back(call, resource=resource.number, order=payout.order)
    _finish(call, asked, payout, case.renewal, kind="renewal_unsubscribed", params={"expires": shortened.expires_at})
    return asked


def _take_turns(call: Call) -> None:
    """Unsubscribe one image of an account after the other, so that each free one of a year is counted once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"free-use:{call.account_id}"])


def _check_expected(refund: ImageRefund, expected: Money) -> None:
    if refund.amount != expected:
        raise Refused("unsub_refund_changed", was=expected, now=refund.amount)


def _write(call: Call, resource: Any, line: Any, refund: ImageRefund, *, kind: Kind) -> Request:
    order = line.order
    return Request.objects.create(
        number=ids.numbered("UN", at=call.at),
        kind=kind,
        state=RequestState.AGREED,
        account=call.account,
        user=call.user,
        seller=resource.seller,
        order=order,
        line=line,
        resource=resource,
        order_number=order.number,
        product_name=resource.product_name,
        delivery_method=resource.delivery_method,
        amount=refund.amount.amount,
        limit_amount=refund.paid.amount,
        currency=refund.amount.currency,
        requested_at=call.at,
        turn_since=call.at,
        ended_at=call.at,
        ended_by=Actor.BUYER,
        decided_by=call.user,
    )


def _carry_out(call: Call, asked: Request, case: Case, refund: ImageRefund) -> Payout:
    parts = [
        carrying_out.Part(
            line=case.lines[each.term.line],
            amount=each.price.amount,
            explanation=each.price.explanation.to_json(),
        )
        for each in refund.terms
    ]
    return carrying_out.carry_out(call, asked, parts=parts)


def _finish(
    call: Call, asked: Request, payout: Payout, refund: ImageRefund, *, kind: str, params: dict[str, Any] | None = None
) -> None:
    """Bring the payout to where its refund is and tell both sides."""
    describe(
        resource=asked,
        request=asked.number,
        amount=refund.amount,
        paid=refund.paid,
        consumed=refund.consumed,
        fee=refund.fee,
        free=refund.is_free,
        order=payout.order.number,
    )
    paying_out.settle(call, payout)
    told = {"money": telling.money_back(payout), **(params or {})}
    telling.tell(asked, Actor.BUYER, kind, at=call.at, params=told)
    left = {"left": refund.paid - refund.amount}
    telling.tell(asked, Actor.SELLER, "unsubscription_settled", at=call.at, params=left)
