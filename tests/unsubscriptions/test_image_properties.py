"""Whatever was bought, renewed and refunded: what an image gives back lies between nothing and what was paid."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.explanation import recompute
from billing.rules.terms import Term, TermLength, TermUnit, add_months
from koogallery import clock
from koogallery.kernel.money import Money
from orders.rules import life
from unsubscriptions.rules.images import FreeRule, PaidTerm, refund_of, unstarted_renewal

ZONE = ZoneInfo("Etc/GMT-8")
LENGTHS = [TermLength(count, TermUnit.MONTH) for count in (1, 3, 9)] + [
    TermLength(count, TermUnit.YEAR) for count in (1, 2, 3)
]
lengths = st.sampled_from(LENGTHS)
amounts = st.decimals("0", "99999", places=2)
starts = st.datetimes(datetime(2023, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=ZONE))


def usd(amount: Decimal) -> Money:
    return Money(amount, "USD")


def bought(start: datetime, chosen: list[tuple[TermLength, Decimal]]) -> list[PaidTerm]:
    """Consecutive terms of these lengths and payments, the first in effect at once."""
    terms: list[PaidTerm] = []
    last: Term | None = None
    for number, (length, paid) in enumerate(chosen):
        term = Term.first(starts_at=start, length=length) if last is None else last.renewed(length=length)
        terms.append(
            PaidTerm(
                line=str(number),
                paid=usd(paid),
                starts_on=term.start,
                effective_at=start if last is None else life.day_after(term.start),
                expires_at=term.expires_at,
                length=length,
            )
        )
        last = term
    return terms


def rule(start: datetime, *, used: int = 10) -> FreeRule:
    return FreeRule(provisioned_at=start, days=5, per_year=10, used=used)


@given(starts, st.lists(st.tuples(lengths, amounts), min_size=1, max_size=4), st.floats(0, 1), st.integers(0, 12))
def test_each_term_and_their_sum_lie_between_nothing_and_what_was_paid(
    start: datetime, chosen: list[tuple[TermLength, Decimal]], share: float, used: int
) -> None:
    terms = bought(start, chosen)
    at = start + (terms[-1].expires_at - start) * share
    found = refund_of(terms, at=at, free=rule(start, used=used))
    assert found is not None
    for each in found.terms:
        assert usd(Decimal(0)) <= each.price.amount <= each.paid
        assert each.price.amount.is_whole()
        assert recompute(each.price.explanation.to_json()) == each.price.amount
        assert not each.is_unstarted or each.price.amount == each.paid
    assert usd(Decimal(0)) <= found.amount <= found.paid
    assert found.is_free == (used < 10 and at <= start + timedelta(hours=120))
    left = [term for term in terms if not term.is_over(at)]
    assert [each.term for each in found.terms] == left


@given(starts, lengths, amounts, st.integers(0, 3 * 366 * 24), st.integers(0, 3 * 366 * 24))
def test_the_refund_never_grows_with_the_used_hours_within_a_year_of_the_fee(
    start: datetime, length: TermLength, paid: Decimal, first: int, second: int
) -> None:
    terms = bought(start, [(length, paid)])
    earlier, later = (start + timedelta(hours=hours) for hours in sorted((first, second)))
    years = [
        sum(clock.platform_date(at) > add_months(day=terms[0].starts_on, months=12 * year) for year in (1, 2))
        for at in (earlier, later)
    ]
    if later > terms[0].expires_at or years[0] != years[1]:
        return
    refunds = [refund_of(terms, at=at, free=rule(start)) for at in (earlier, later)]
    assert refunds[0] is not None and refunds[1] is not None
    assert refunds[1].amount <= refunds[0].amount


@given(starts, st.lists(st.tuples(lengths, amounts), min_size=1, max_size=4), st.floats(0, 1))
def test_a_renewal_alone_gives_all_of_it_back_and_only_before_it_starts(
    start: datetime, chosen: list[tuple[TermLength, Decimal]], share: float
) -> None:
    terms = bought(start, chosen)
    at = start + (terms[-1].expires_at - start) * share
    found = unstarted_renewal(terms, at=at)
    if len(terms) > 1 and at < terms[-1].effective_at:
        assert found is not None and found.amount == terms[-1].paid == found.paid
    else:
        assert found is None


@given(starts, st.lists(st.tuples(lengths, amounts), min_size=2, max_size=4))
def test_terms_follow_each_other_without_gap_or_overlap(
    start: datetime, chosen: list[tuple[TermLength, Decimal]]
) -> None:
    terms = bought(start, chosen)
    for before, after in pairwise(terms):
        assert after.effective_at == before.expires_at + timedelta(seconds=1)
        assert after.starts_on == clock.platform_date(before.expires_at)
