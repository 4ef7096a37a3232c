"""What lies ahead of a yearly/monthly resource if it is renewed whenever its term ends. Pure.

A renewal goes on from the expiry with the kept anchor day (R3) and is charged when it would be: an automatic one at the
hour of its deduction day, one by hand at 23:59:59 of the expiry date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from billing.rules.terms import Term, TermLength
from orders.rules import life


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """How a resource renews itself: for how long, how often (None: without limit), when.

    `next_at` is the attempt that is due next, None when it follows from the day and hour of deduction.
    """

    length: TermLength
    left: int | None
    days_before: int
    hour: time
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class RenewalAhead:
    """A renewal to come: when it would be charged, for how long, the term it buys, whether it renews itself."""

    at: datetime
    length: TermLength
    term: Term
    automatic: bool


def renewals_ahead(
    *, last: Term, length: TermLength, automation: Automation | None, now: datetime, until: datetime
) -> Iterator[RenewalAhead]:
    """The renewals after the last paid term that would be charged from `now` to `until`, in their order.

    `length` is for those by hand, which follow once the automatic ones are used up. What is late is charged now.
    """
    done, at = 0, now
    while True:
        automatic = automation is not None and (automation.left is None or done < automation.left)
        if automation is not None and automatic:
            due = automation.next_at if not done else None
            at = max(at, due or _deduction(last, automation, after=at))
            chosen = automation.length
        else:
            at, chosen = max(at, last.expires_at), length
        if at > until:
            return
        last = last.renewed(length=chosen)
        done += 1
        yield RenewalAhead(at=at, length=chosen, term=last, automatic=automatic)


def _deduction(last: Term, automation: Automation, *, after: datetime) -> datetime:
    return life.first_attempt(expiry=last.end, days_before=automation.days_before, hour=automation.hour, now=after)
