"""The pure rules: amounts as people type them, the explained refund, fees given back by difference, waiting."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.explanation import recompute
from billing.rules.fees import platform_fee, split_movement
from billing.rules.refunds import price_negotiated_refund
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from tests.factories.billing import usd
from unsubscriptions.rules import amounts
from unsubscriptions.rules.waiting import next_reminder, recommends_appeal, refund_due
from unsubscriptions.states import PAYOUT_MOVES, REQUEST_MOVES, PayoutState, RequestState, Status, status_of

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("", "USD", "unsub_amount_format"),
        ("abc", "USD", "unsub_amount_format"),
        ("1e2", "USD", "unsub_amount_format"),
        ("1E2", "USD", "unsub_amount_format"),
        ("NaN", "USD", "unsub_amount_format"),
        ("Infinity", "USD", "unsub_amount_format"),
        ("1,000.00", "USD", "unsub_amount_format"),
        ("１００", "USD", "unsub_amount_format"),
        ("١٢", "USD", "unsub_amount_format"),
        (".5", "USD", "unsub_amount_format"),
        ("5.", "USD", "unsub_amount_format"),
        ("+5", "USD", "unsub_amount_format"),
        ("0x10", "USD", "unsub_amount_format"),
        ("1_000", "USD", "unsub_amount_format"),
        ("5 0", "USD", "unsub_amount_format"),
        ("9" * 40, "USD", "unsub_amount_format"),
        ("0", "USD", "amount_not_positive"),
        ("0.00", "USD", "amount_not_positive"),
        ("-1", "USD", "amount_not_positive"),
        ("-0.01", "USD", "amount_not_positive"),
        ("1.001", "USD", "amount_not_whole"),
        ("1.5", "JPY", "amount_not_whole"),
        ("1.0001", "KWD", "amount_not_whole"),
    ],
)
def test_anything_but_a_plain_positive_amount_is_refused(text: str, currency: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        amounts.parse(text, currency=currency)
    assert (refused.value.code, refused.value.field) == (code, "amount")
    assert refused.value.sentence


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("0.01", "USD", "0.01"),
        (" 12 ", "USD", "12"),
        ("007.50", "USD", "7.5"),
        ("5", "JPY", "5"),
        ("1.001", "KWD", "1.001"),
    ],
)
def test_a_plain_amount_is_taken_as_it_is(text: str, currency: str, amount: str) -> None:
    assert amounts.parse(text, currency=currency) == Money(Decimal(amount), currency)


def test_one_cent_above_the_limit_is_refused_and_the_limit_is_not() -> None:
    amounts.check(usd("12.34"), limit=usd("12.34"))
    with pytest.raises(Refused) as refused:
        amounts.check(usd("12.35"), limit=usd("12.34"))
    assert refused.value.code == "unsub_exceeds" and "USD 12.34" in refused.value.sentence


cents = st.integers(0, 10_000_000).map(lambda number: usd(Decimal(number) / 100))


@given(paid=cents, refunded=cents, unpaid=cents, agreed=cents, lowered=cents)
def test_an_agreed_refund_is_explained_to_the_cent_or_impossible(
    paid: Money, refunded: Money, unpaid: Money, agreed: Money, lowered: Money
) -> None:
    refunded, lowered = min(refunded, paid), min(lowered, agreed)
    possible = usd(0) < agreed <= paid - refunded + unpaid
    if not possible:
        with pytest.raises(ValueError, match="cannot be given back"):
            price_negotiated_refund(agreed=agreed, paid=paid, refunded=refunded, unpaid=unpaid)
        return
    priced = price_negotiated_refund(agreed=agreed, paid=paid, refunded=refunded, unpaid=unpaid, lowered=lowered)
    assert priced.amount == agreed - lowered == recompute(priced.explanation.to_json())
    assert usd(0) <= priced.amount <= paid - refunded + unpaid


@given(
    paid=st.integers(1, 10_000_000),
    cuts=st.lists(st.integers(0, 10_000_000), max_size=6),
    percent=st.decimals(min_value=0, max_value=100, places=2),
)
def test_fees_and_shares_given_back_sum_to_the_cent_over_any_series_of_refunds(
    paid: int, cuts: list[int], percent: Decimal
) -> None:
    earned = usd(Decimal(paid) / 100)
    first = split_movement(before=usd(0), after=earned, percent=percent)
    left, fees, shares = earned, first.fee, first.share
    for cut in cuts:
        back = min(usd(Decimal(cut) / 100), left)
        movement = split_movement(before=left, after=left - back, percent=percent)
        assert movement.gross == -back == movement.fee + movement.share
        assert movement.fee.is_whole() and movement.fee.amount <= 0
        left, fees, shares = left - back, fees + movement.fee, shares + movement.share
    assert fees == platform_fee(left, percent=percent)
    assert shares == left - fees


def test_what_is_shown_follows_agreement_and_payout() -> None:
    assert [status_of(state, None) for state in RequestState] == [
        Status.REQUESTED,
        Status.IN_PROGRESS,
        Status.REJECTED,
        Status.WITHDRAWN,
    ]
    assert [status_of(RequestState.AGREED, state) for state in PayoutState] == [
        Status.IN_PROGRESS,
        Status.REFUNDED,
        Status.FAILED,
    ]
    assert all(status.tone and str(status.label) for status in Status)


def test_only_an_open_request_ends_and_a_done_payout_stays_done() -> None:
    assert REQUEST_MOVES.after(RequestState.REQUESTED) == {
        RequestState.AGREED,
        RequestState.REJECTED,
        RequestState.WITHDRAWN,
    }
    assert all(not REQUEST_MOVES.after(state) for state in RequestState if state != RequestState.REQUESTED)
    assert PAYOUT_MOVES.after(PayoutState.FAILED) == {PayoutState.DUE, PayoutState.DONE}
    assert not PAYOUT_MOVES.after(PayoutState.DONE)


def test_reminders_advice_and_the_three_hours_follow_the_policies() -> None:
    policies = PolicySet()
    assert next_reminder(reminded_at=None, policies=policies) is None
    assert next_reminder(reminded_at=AT, policies=policies) == AT + timedelta(hours=24)
    assert refund_due(began_at=AT, policies=policies) == AT + timedelta(hours=3)
    assert refund_due(began_at=AT, policies=PolicySet(overrides={"refund.sla_hours": 72})) == AT + timedelta(hours=72)
    assert not recommends_appeal(turn_since=AT, at=AT + timedelta(hours=120), policies=policies)
    assert recommends_appeal(turn_since=AT, at=AT + timedelta(hours=120, seconds=1), policies=policies)
