"""Payouts: the way of the money back, its three hours, and what operations do when it did not arrive.

The refund is booked once, when it is carried out; nothing here books another. Locks: the parts of the refund, then the
payout, then its UNSUBSCRIBE order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F

from audit.recording import system_traces
from billing.events import RefundSettled
from billing.operations import closing, refunding
from billing.queries import refund_progress, refunds_by_key
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import after_commit, describe, operation, untraced
from koogallery.kernel.reasons import Refused
from koogallery.kernel.tasks import run_sweep
from koogallery.notifications.operations import notify_many
from orders.operations import returning
from orders.queries import returns
from supervision.states import Actor
from unsubscriptions.models import Payout
from unsubscriptions.operations import telling
from unsubscriptions.queries.requests import payout_of
from unsubscriptions.states import PAYOUT_MOVES, PayoutState

_KEY = "unsubscription:"


def refund_key(line_number: str) -> str:
    """What makes the refund of a negative line one."""
    return f"{_KEY}{line_number}"


def keys_of(payout: Payout) -> list[str]:
    """The keys of a payout's refunds."""
    return [refund_key(line.number) for line in returns.lines_given_back_by(payout.order)]


def payout_locked(call: Call, number: Any) -> Payout:
    """The payout of a request, locked after the parts of its refund. Raises `Missing`."""
    found = payout_of(call, number)
    refunding.lock(keys_of(found))
    return _locked(found)


def payout_alone_locked(call: Call, number: Any) -> Payout:
    """The payout of a request, locked by who holds a part of its refund, while other parts settle beside it.

    Whichever comes last waits for the payout and then sees the parts of all. Raises `Missing`.
    """
    return _locked(payout_of(call, number))


def _locked(found: Payout) -> Payout:
    locked = Payout.objects.select_for_update(of=("self",), no_key=True).get(pk=found.pk)
    locked.request, locked.order = found.request, found.order
    return locked


def on_refund_settled(happened: RefundSettled) -> None:
    """Look whether a payout has arrived, or stuck, with this part of a refund."""
    if not happened.key.startswith(_KEY):
        return
    order_number = happened.key.removeprefix(_KEY).rpartition("-")[0]
    number = Payout.objects.filter(order__number=order_number).values_list("request__number", flat=True).first()
    if number is not None:
        conclude(system_call(at=happened.at), payout=number)


@operation("concludePayout", resource_type="Subscription", roles={Role.SYSTEM}, targets={"payout": payout_alone_locked})
def conclude(call: Call, *, payout: Payout) -> Payout:
    """Note that all of the money has arrived, or that the gateway left some of it unclear; else nothing happens."""
    if not settle(call, payout):
        untraced()
    elif payout.state == PayoutState.DONE and payout.amount and payout.order.reseller_id is None:
        told = {"amount": payout.money}
        telling.tell(payout.request, Actor.BUYER, "unsubscription_refunded", at=call.at, params=told)
    describe(request=payout.request.number, state=payout.state)
    return payout


def settle(call: Call, payout: Payout) -> bool:
    """Bring a locked payout to where its refund is; whether that moved it.

    Who carries a refund out settles before telling, so that what is back at once is told with it.
    """
    if payout.state == PayoutState.DONE:
        return False
    progress = refund_progress(keys_of(payout))
    if progress.is_done:
        _done(call, payout)
        return True
    if progress.is_parked and payout.state == PayoutState.DUE:
        _move(payout, PayoutState.FAILED, failed_at=call.at)
        telling.tell(
            payout.request,
            Actor.BUYER,
            "refund_failed",
            at=call.at,
            key=f"{call.at:%Y%m%d%H%M%S}",
            params={"amount": payout.money},
        )
        return True
    return False


def _done(call: Call, payout: Payout) -> None:
    late = {"breached_at": payout.due_at} if payout.breached_at is None and call.at > payout.due_at else {}
    _move(payout, PayoutState.DONE, done_at=call.at, breach_due_at=None, **late)
    refunded = {refund.key.removeprefix(_KEY): refund.money for refund in refunds_by_key(keys_of(payout))}
    returning.finish(call, order=payout.order.number, refunded=refunded)
    if payout.amount and payout.order.reseller_id is not None:
        telling.tell_reseller(payout, at=call.at)


def _move(payout: Payout, target: PayoutState, **columns: Any) -> None:
    PAYOUT_MOVES.check(payout.state_enum, target)
    payout.state = target
    for name, value in columns.items():
        setattr(payout, name, value)
    payout.save(update_fields=["state", *columns])


@operation(
    "retryPayout",
    resource_type="Subscription",
    action="marketplace:refund:retryPayout",
    roles={Role.OPERATOR},
    targets={"payout": payout_locked},
    once=True,
)
def retry(call: Call, *, payout: Payout) -> Payout:
    """Have the gateway asked again what became of a failed payout; it never refunds twice.

    Raises `Refused("payout_not_failed")`.
    """
    if payout.state != PayoutState.FAILED:
        raise Refused("payout_not_failed")
    for refund in refunds_by_key(keys_of(payout)):
        closing.retry_refund(call, refund=refund.number)
    _move(payout, PayoutState.DUE, failed_at=None)
    describe(request=payout.request.number)
    after_commit(lambda: run_sweep.delay(refunding.CARD_REFUNDS))
    return payout


@operation("reportLatePayout", resource_type="Subscription", roles={Role.SYSTEM}, targets={"payout": payout_locked})
def report_late(call: Call, *, payout: Payout) -> Payout:
    """Note that a payout is late; the sweep does so set-wise, under this name."""
    if payout.breach_due_at is not None and payout.breach_due_at <= call.at:
        report_due([payout.pk], call.at)
    return payout


def report_due(payout_ids: list[int], upto: datetime) -> None:
    """Make work for operations of claimed payouts whose time has passed, dated at its end, and tell the buyers.

    Nothing is refunded again.
    """
    related = ("request__seller", "request__account")
    payouts = list(Payout.objects.filter(pk__in=payout_ids).select_related(*related).order_by("pk"))
    Payout.objects.filter(pk__in=payout_ids).update(breached_at=F("breach_due_at"), breach_due_at=None)
    system_traces(
        "reportLatePayout",
        rows=[
            (
                payout.account_id,
                *payout.trace_ref(),
                payout.due_at,
                {"request": payout.request.number},
                {"amount": str(payout.money), "state": payout.state},
            )
            for payout in payouts
        ],
    )
    notify_many(
        [
            telling.notice(
                payout.request,
                Actor.BUYER,
                "refund_late",
                at=payout.due_at,
                params={"amount": payout.money, "due": payout.due_at},
            )
            for payout in payouts
        ]
    )
