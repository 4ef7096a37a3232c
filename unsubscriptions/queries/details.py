"""One request with all that its page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.queries import refunds_by_key
from koogallery.identity import queries as identity
from koogallery.identity.states import ContactKind
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.queries.returns import lines_given_back_by
from unsubscriptions.models import Payout, Request, RequestFile
from unsubscriptions.operations import paying_out, requesting, reviewing
from unsubscriptions.queries.requests import flow_of
from unsubscriptions.queries.standing import money_of, standing_of
from unsubscriptions.rules.eligibility import Renewal
from unsubscriptions.rules.waiting import next_reminder, recommends_appeal
from unsubscriptions.states import RequestState


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact value that the buyer gave to the seller, masked once the consent was taken back."""

    label: str
    value: str
    is_masked: bool


@dataclass(frozen=True, slots=True)
class Details:
    """A request, its payout with refunds, the seller's evidence, and what either side may do now.

    `limit_now` is what could be given back now, `lowered_now` what agreeing to an open one takes off bills in
    milestones that are not paid yet; `stands` says that an appeal froze the flow. A `refused…` is None where
    the thing can be done.
    """

    request: Request
    payout: Payout | None
    refunds: Sequence[Any]
    files: Sequence[RequestFile]
    contacts: Sequence[Contact]
    limit_now: Money
    lowered_now: Money
    stands: bool
    recommends_appeal: bool
    next_reminder: datetime | None
    refused_withdrawal: Refused | None
    refused_reminder: Refused | None
    refused_review: Refused | None


def details_of(request: Request, *, at: datetime, with_refunds: bool = True) -> Details:
    """What a page shows of a request that was read with what belongs to it; a seller's has no refunds."""
    agreed = request.state == RequestState.AGREED
    payout = getattr(request, "payout", None) if agreed else None
    flow = flow_of(request.line)
    stands = request.is_open and flow is not None and flow.stopped_at(at) is not None
    policies, nothing = request.order.policies, Money.zero(request.currency)
    money = money_of(request.line)
    return Details(
        request=request,
        payout=payout,
        refunds=refunds_by_key(paying_out.keys_of(payout)) if with_refunds and payout is not None else (),
        files=list(request.files.select_related("file")),
        contacts=_contacts(request) if request.contact_given else (),
        limit_now=money.actual_payment + (request.renewals if request.is_open else nothing),
        lowered_now=min(request.negotiated, money.unpaid) if request.is_open else nothing,
        stands=stands,
        recommends_appeal=request.is_open
        and not stands
        and flow is not None
        and recommends_appeal(turn_since=request.turn_since, at=at, policies=policies),
        next_reminder=next_reminder(reminded_at=request.reminded_at, policies=policies) if request.is_open else None,
        refused_withdrawal=requesting.why_not_withdraw(request),
        refused_reminder=requesting.why_not_remind(request, at=at),
        refused_review=reviewing.why_not(request, at=at),
    )


def renewals_of(request: Request, *, at: datetime) -> Sequence[Renewal]:
    """The renewals that a request gives back whole beside its line; none where it ended without an agreement."""
    if not request.renewals_amount:
        return ()
    if request.is_open:
        return standing_of(request.line, account=None, at=at, answering=request).renewals
    payout = getattr(request, "payout", None)
    given_back = lines_given_back_by(payout.order) if payout is not None else ()
    return [
        Renewal(line.reverses, -line.total)
        for line in given_back
        if line.reverses is not None and line.reverses_id != request.line_id
    ]


def _contacts(request: Request) -> list[Contact]:
    given = {ContactKind(each.kind): each for each in identity.consents_of_order(request.order_number)}
    return [
        Contact(
            label=str(kind.label),
            value=identity.contact_for_seller(given[kind]),
            is_masked=given[kind].withdrawn_at is not None,
        )
        for kind in requesting.CONTACTS
        if kind in given
    ]
