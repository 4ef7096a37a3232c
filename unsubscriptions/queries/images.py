"""What unsubscribing an image, or its renewal that has not started, gives back, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.queries import live_invoices, returnables
from billing.rules.terms import TermLength, TermUnit
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel.reasons import Refused
from orders.queries import images as orders
from orders.rules import life
from unsubscriptions.models import FreeUse
from unsubscriptions.queries.standing import standing_of
from unsubscriptions.rules import images
from unsubscriptions.rules.eligibility import Standing
from unsubscriptions.rules.images import FreeRule, ImageRefund, PaidTerm


@dataclass(frozen=True, slots=True)
class Case:
    """An image as it can be given back at a moment.

    `refund` is what unsubscribing gives back, `renewal` what unsubscribing the last renewal alone does; each is None
    where there is nothing of the kind. `refused` and `refused_renewal` say why they are not possible now.
    """

    resource: Any
    lines: dict[str, Any]
    free: FreeRule
    refund: ImageRefund | None
    renewal: ImageRefund | None
    refused: Refused | None
    refused_renewal: Refused | None


def case_of(resource: Any, *, account: Any, at: datetime) -> Case:
    """What giving a resource back means at a moment; with its lock held, what it will mean until the end."""
    rows = orders.paid_terms(resource)
    lines = {row.line.number: row.line for row in rows}
    money = returnables({number: line.currency for number, line in lines.items()})
    terms = [_term(resource, row, first=number == 0, paid=money) for number, row in enumerate(rows)]
    free = _free_rule(resource, at=at)
    refund = images.refund_of(terms, at=at, free=free)
    renewal = images.unstarted_renewal(terms, at=at)
    standing = standing_of(resource.line, account=account, at=at)
    return Case(
        resource=resource,
        lines=lines,
        free=free,
        refund=refund,
        renewal=renewal,
        refused=_why_not(resource, refund, lines, standing),
        refused_renewal=_why_not(resource, renewal, lines, standing, renewal_alone=True),
    )


def _term(resource: Any, row: Any, *, first: bool, paid: Any) -> PaidTerm:
    line = row.line
    return PaidTerm(
        line=line.number,
        paid=paid[line.number].actual_payment,
        starts_on=row.start,
        effective_at=resource.enabled_at if first else life.day_after(row.start),
        expires_at=clock.day_end(row.end),
        length=TermLength(line.term_count or 1, TermUnit(line.term_unit or TermUnit.MONTH)),
    )


def _free_rule(resource: Any, *, at: datetime) -> FreeRule:
    policies = resource.line.order.policies
    used = FreeUse.objects.filter(account_id=resource.account_id, year=year_of(at))
    return FreeRule(
        provisioned_at=resource.enabled_at or at,
        days=policies["unsub.free_days"],
        per_year=policies["unsub.free_per_year"],
        used=used.count(),
    )


def year_of(at: datetime) -> int:
    """The calendar year of a moment in the platform zone."""
    return clock.platform_date(at).year


def _why_not(
    resource: Any,
    refund: ImageRefund | None,
    lines: dict[str, Any],
    standing: Standing,
    *,
    renewal_alone: bool = False,
) -> Refused | None:
    found = images.why_not(
        standing,
        is_period=resource.billing_mode == BillingMode.PERIOD,
        invoice=_invoice(refund, lines),
        renewal_alone=renewal_alone,
    )
    if found is not None:
        return Refused(found.code, **found.params)
    if refund is None:
        return Refused("unsub_no_renewal" if renewal_alone else "unsub_expired")
    if not refund.paid:
        was_free = not any(lines[each.term.line].amount for each in refund.terms)
        return Refused("unsub_free" if was_free else "unsub_nothing_left")
    return None


def _invoice(refund: ImageRefund | None, lines: dict[str, Any]) -> str:
    """The number of a live invoice over a line that would be given back, where its order's policies ask for it."""
    parts: Sequence[Any] = [lines[each.term.line] for each in refund.terms] if refund is not None else ()
    asked = [line.number for line in parts if line.order.policies["unsub.require_invoice_return"]]
    found = live_invoices(asked) if asked else {}
    return next((invoice.number for invoice in found.values()), "")
