"""The seller reviews a request: agrees, and everything is carried out, or rejects, and the order goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.queries import Returnable
from billing.rules.refunds import price_negotiated_refund
from koogallery.kernel import files
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from supervision.operations import holding
from supervision.rules import texts
from supervision.states import Actor, RecordKind
from unsubscriptions.models import Request, RequestFile
from unsubscriptions.operations import carrying_out, moving, paying_out, telling
from unsubscriptions.queries.requests import flow_of, sold_request_locked
from unsubscriptions.queries.standing import money_of, standing_of
from unsubscriptions.rules import eligibility
from unsubscriptions.states import RequestState

Uploads = Sequence[files.Upload]


def why_not(asked: Request, *, at: datetime) -> Refused | None:
    """Why a request cannot be answered now, or None; for a disabled control and for the operations themselves."""
    return moving.not_open(asked) or moving.stands(asked, at=at)


@operation(
    "agreeUnsubscription",
    resource_type="Subscription",
    roles={Role.SELLER},
    targets={"request": sold_request_locked},
    once=True,
)
def agree(call: Call, *, request: Request, comment: str = "", uploads: Uploads = ()) -> Request:
    """Agree to a request: the refund is on its way, the order Completed and unsubscribed, its resource closed.

    Raises `Refused`: `unsub_not_open`, `flow_frozen`, `unsub_exceeds_now` when less than the amount is left,
    `unsub_invoiced`, `unsub_busy`, `unsub_expired`, `payment_in_progress` while a bill is being repaid, and what
    comment and files are refused for.
    """
    _check(request, at=call.at)
    line = request.line
    standing = standing_of(line, account=None, at=call.at, answering=request)
    if (found := eligibility.forbidden(standing)) is not None:
        raise Refused(found.code, **found.params)
    if request.negotiated > standing.limit or request.renewals != standing.whole:
        raise Refused("unsub_exceeds_now", limit=standing.limit)
    answer = texts.optional(comment, field="comment")
    _keep(call, request, uploads)
    moving.move(call, request, RequestState.AGREED, comment=answer)
    money, flow = money_of(line), flow_of(line)
    parts = [_part(line, request.negotiated, money)]
    parts += [_part(renewal.line, renewal.paid, money_of(renewal.line)) for renewal in standing.renewals]
    payout = carrying_out.carry_out(call, request, parts=parts)
    delivered = False
    if flow is not None and not flow.step_enum.is_over:
        delivered = flow.records.filter(kind=RecordKind.DELIVER).exists()
        holding.end(call, flow, told=telling.told(request))
    carrying_out.close_resources(call, request, order=payout.order, delivered=delivered)
    describe(amount=request.money, order=payout.order.number, lowered=payout.lowered_money, due=payout.due_at)
    paying_out.settle(call, payout)
    _tell_agreed(call, request, payout, left=money.actual_payment - request.negotiated)
    return request


def _part(line: Any, amount: Money, money: Returnable) -> carrying_out.Part:
    priced = price_negotiated_refund(agreed=amount, paid=money.paid, refunded=money.refunded, unpaid=money.unpaid)
    return carrying_out.Part(line=line, amount=amount, explanation=priced.explanation.to_json())


def _tell_agreed(call: Call, request: Request, payout: carrying_out.Payout, *, left: object) -> None:
    back = {"money": telling.money_back(payout)}
    telling.tell(request, Actor.BUYER, "unsubscription_agreed", at=call.at, params=back)
    telling.tell(request, Actor.SELLER, "unsubscription_settled", at=call.at, params={"left": left})


@operation(
    "rejectUnsubscription",
    resource_type="Subscription",
    roles={Role.SELLER},
    targets={"request": sold_request_locked},
    once=True,
)
def reject(call: Call, *, request: Request, comment: str = "", uploads: Uploads = ()) -> Request:
    """Reject a request: the order goes on, completed at once if its time has passed; the buyer may ask again.

    Raises `Refused`: `unsub_not_open`, `flow_frozen`, and what comment and files are refused for.
    """
    _check(request, at=call.at)
    answer = texts.optional(comment, field="comment")
    _keep(call, request, uploads)
    moving.end(call, request, RequestState.REJECTED, comment=answer)
    telling.tell(request, Actor.BUYER, "unsubscription_rejected", at=call.at, params={"comment": answer}, sms=True)
    return request


def _check(request: Request, *, at: datetime) -> None:
    if (refused := why_not(request, at=at)) is not None:
        raise refused


def _keep(call: Call, request: Request, uploads: Uploads) -> None:
    """Bind the seller's evidence to a request. Raises `Refused("too_many_files")`."""
    if len(uploads) > files.MAX_FILES:
        raise Refused("too_many_files", field="files", limit=files.MAX_FILES)
    stored = files.record(call, uploads)
    RequestFile.objects.bulk_create([RequestFile(request=request, file=file, by=Actor.SELLER) for file in stored])
