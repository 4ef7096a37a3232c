"""Unsubscribing images: which terms give something back, and how much, by the formula of pricing.md. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.rules.refunds import RefundPrice, price_image_refund
from billing.rules.terms import TermLength
from koogallery.kernel.money import Money
from orders.states import ResourceStatus
from unsubscriptions.rules.eligibility import Finding, Standing
from unsubscriptions.rules.eligibility import never as never_negotiated
from unsubscriptions.states import Way

LARGE = Decimal("7000.00")
"""A refund above it is warned of, whatever the currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTerm:
    """A paid term: its order line, the actual payment (R13), from when to when it runs, the length it was bought for.

    A renewed term takes effect at the 00:00:00 after the expiry date `starts_on` of the term before it.
    """

    line: str
    paid: Money
    starts_on: date
    effective_at: datetime
    expires_at: datetime
    length: TermLength

    def is_over(self, at: datetime) -> bool:
        """Whether nothing of it is left."""
        return at > self.expires_at

    def has_started(self, at: datetime) -> bool:
        """Whether it runs, or has run."""
        return at >= self.effective_at


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeRule:
    """The free days: counted from provisioning, so many a year; `used` is how many the account had this year."""

    provisioned_at: datetime
    days: int
    per_year: int
    used: int

    @property
    def until(self) -> datetime:
        """The last moment of the free days."""
        return self.provisioned_at + timedelta(hours=24 * self.days)

    def is_open(self, at: datetime) -> bool:
        """Whether the free days are not over, whether or not any of the year is left."""
        return at <= self.until


@dataclass(frozen=True, slots=True)
class TermRefund:
    """What a term gives back."""

    term: PaidTerm
    price: RefundPrice
    is_unstarted: bool

    @property
    def paid(self) -> Money:
        """What was paid for it."""
        return self.term.paid


@dataclass(frozen=True, slots=True)
class ImageRefund:
    """What unsubscribing gives back, term by term."""

    terms: tuple[TermRefund, ...]

    @property
    def is_free(self) -> bool:
        """Whether it is within the free days, which takes one of the free ones of the year."""
        return any(each.price.is_free for each in self.terms)

    @property
    def paid(self) -> Money:
        """What was paid for the terms that are given back."""
        return self._sum([each.paid for each in self.terms])

    @property
    def consumed(self) -> Money:
        """What of it was used, as shown."""
        return self._sum([each.price.consumed for each in self.terms])

    @property
    def fee(self) -> Money:
        """The handling fees, as shown."""
        return self._sum([each.price.fee for each in self.terms])

    @property
    def amount(self) -> Money:
        """What goes back."""
        return self._sum([each.price.amount for each in self.terms])

    @property
    def is_large(self) -> bool:
        """Whether it is so much that the page warns."""
        return self.amount.amount > LARGE

    @staticmethod
    def _sum(amounts: Sequence[Money]) -> Money:
        return sum(amounts[1:], amounts[0])


def refund_of(terms: Sequence[PaidTerm], *, at: datetime, free: FreeRule) -> ImageRefund | None:
    """What unsubscribing an image gives back: its running term by formula, later ones whole; None when all are over.

    Within the free days of provisioning the first term is given back whole.
    """
    found = []
    for number, term in enumerate(terms):
        if not term.is_over(at):
            found.append(_refund(term, at=at, free=free if number == 0 else None))
    return ImageRefund(tuple(found)) if found else None


def unstarted_renewal(terms: Sequence[PaidTerm], *, at: datetime) -> ImageRefund | None:
    """What unsubscribing the last renewal alone gives back: everything; None unless it has not started yet."""
    if len(terms) < 2 or terms[-1].has_started(at):
        return None
    return ImageRefund((_refund(terms[-1], at=at, free=None),))


def _refund(term: PaidTerm, *, at: datetime, free: FreeRule | None) -> TermRefund:
    given = {} if free is None else {
        "provisioned_at": free.provisioned_at,
        "free_used": free.used,
        "free_days": free.days,
        "free_per_year": free.per_year,
    }  # fmt: skip
    price = price_image_refund(
        paid=term.paid,
        starts_on=term.starts_on,
        effective_at=term.effective_at,
        expires_at=term.expires_at,
        unsubscribed_at=at,
        length=term.length,
        **given,  # type: ignore[arg-type]
    )
    return TermRefund(term, price, is_unstarted=not term.has_started(at))


def why_not(standing: Standing, *, is_period: bool, invoice: str, renewal_alone: bool = False) -> Finding | None:
    """Why an image cannot be unsubscribed now; None when it can.

    `is_period` says whether it still runs by term, `invoice` names a live invoice over one of the terms that go back.
    With `renewal_alone` it is about the last renewal, which also goes back where the image itself is negotiated.
    """
    if standing.is_account_frozen:
        return Finding("account_frozen")
    if (found := _never(standing, is_period=is_period, renewal_alone=renewal_alone)) is not None:
        return found
    if standing.is_unsubscribed or standing.resource_status is ResourceStatus.CLOSED:
        return Finding("unsub_expired")
    if standing.resource_status is ResourceStatus.IN_DELIVERY:
        return Finding("resource_not_in_use", {"state": ResourceStatus.IN_DELIVERY.label})
    if standing.resource_status is not ResourceStatus.ENABLED:
        return Finding("unsub_expired")
    if standing.busy_order:
        return Finding("unsub_busy", {"order": standing.busy_order})
    if standing.open_request:
        return Finding("unsub_open", {"number": standing.open_request})
    if standing.is_several:
        return Finding("unsub_several")
    return Finding("unsub_invoiced", {"number": invoice}) if invoice else None


def _never(standing: Standing, *, is_period: bool, renewal_alone: bool) -> Finding | None:
    is_negotiated = (standing.agreement or standing.way) is Way.NEGOTIATED
    if is_negotiated and not (renewal_alone and standing.way is Way.IMAGE):
        return Finding("unsub_negotiated")
    found = never_negotiated(standing)
    if found is not None and found.code != "unsub_image":
        return found
    return None if is_period else Finding("unsub_pay_per_use")
