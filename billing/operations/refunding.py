"""Refunds: back to where the money came from, in the proportion paid, never more than was paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import F

from billing.models import Charge, LedgerAccount, Milestone, Payment, Refund, RefundPart
from billing.operations import ledger, statements
from billing.rules.shares import split_by_shares
from billing.states import (
    ChargeKind,
    LedgerKind,
    PaymentPurpose,
    PaymentState,
    PayMethod,
    PostingKind,
    RefundDestination,
    RefundState,
)
from koogallery.kernel import ids
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import after_commit
from koogallery.kernel.reasons import Refused
from koogallery.kernel.tasks import run_sweep

CARD_REFUNDS = "card-refunds"


class OtherRefund(RuntimeError):
    """The key belongs to a refund of another line or amount."""


def refund(
    call: Call,
    *,
    order_number: str,
    line_number: str,
    amount: Money,
    reason: str,
    key: str,
    explanation: Mapping[str, Any] | None = None,
) -> Refund:
    """Give `amount` of an order line back, inside the caller's operation; idempotent by `key`.

    What is still held goes first, then the seller's *earned*; so it does among the bills of an order in milestones,
    else each payment gives its share in proportion. Raises `Refused("refund_exceeds_paid")` for more than was
    paid and not yet refunded, `Refused("amount_not_positive")`, `OtherRefund` when the key was used differently.
    """
    payments = _lock_payments(order_number=order_number, line_number=line_number)
    if (done := Refund.objects.filter(key=key).first()) is not None:
        if (done.line_number, done.money) != (line_number, amount):
            raise OtherRefund(f"The key {key!r} belongs to another refund.")
        return done
    if amount.amount <= 0:
        raise Refused("amount_not_positive")
    left = sum((payment.refundable for payment in payments), Money.zero(amount.currency))
    if amount > left:
        raise Refused("refund_exceeds_paid", left=left)
    given = Refund(
        number=ids.numbered("RF", at=call.at),
        key=key,
        account_id=payments[0].account_id,
        order_number=order_number,
        line_number=line_number,
        amount=amount.amount,
        currency=amount.currency,
        reason=reason[:255],
        explanation=dict(explanation or {}),
        at=call.at,
    )
    given.save(force_insert=True)
    shares = [(payment, share) for payment, share in zip(payments, _shares(amount, payments), strict=True) if share]
    for payment, share in shares:
        Payment.objects.filter(pk=payment.pk).update(refunded=F("refunded") + share.amount)
    parts = [part for payment, share in shares for part in _parts(given, payment, share)]
    _book(given, parts, payments)
    RefundPart.objects.bulk_create(parts)
    _write_charge(given, [payment for payment, _ in shares])
    if any(payment.method == PayMethod.CARD for payment, _ in shares):
        after_commit(lambda: run_sweep.delay(CARD_REFUNDS))
    return given


def refund_all(call: Call, *, order_number: str, reason: str, key: str) -> list[Refund]:
    """Give back all that was paid for an order and not yet refunded, one refund a line; idempotent by `key`."""
    lines: dict[str, Money] = {}
    for payment in _lock_payments(order_number=order_number):
        lines[payment.line_number] = lines.get(payment.line_number, Money.zero(payment.currency)) + payment.refundable
    done = list(Refund.objects.filter(key__in=[f"{key}:{line}" for line in lines]))
    return done + [
        refund(call, order_number=order_number, line_number=line, amount=amount, reason=reason, key=f"{key}:{line}")
        for line, amount in lines.items()
        if amount and line not in {each.line_number for each in done}
    ]


def lock(keys: Sequence[str]) -> list[Refund]:
    """The refunds of these keys with their parts, locked, parts first as the gateway's answers lock them."""
    refunds = Refund.objects.filter(key__in=list(keys)).order_by("pk")
    list(RefundPart.objects.select_for_update(no_key=True).filter(refund__in=refunds).order_by("pk").values_list("pk"))
    return list(refunds.select_for_update(no_key=True))


def proportions(amount: Money, payments: Sequence[Payment]) -> list[Money]:
    """Each payment's share of a refund, in proportion to what is left of it and never more than that (R11)."""
    return _in_proportion(amount, [payment.refundable.amount for payment in payments])


def _shares(amount: Money, payments: Sequence[Payment]) -> list[Money]:
    """Each payment's share: of repaid bills what is held, the last milestone's first, then all in proportion."""
    if not any(payment.purpose == PaymentPurpose.BILL for payment in payments):
        return proportions(amount, payments)
    held = {account.owner: account.money for account in _held(payments, currency=amount.currency)}
    left, taken = amount, {}
    for payment in reversed(payments):
        taken[payment.pk] = min(held.get(payment.held_for, left * 0), payment.refundable, left)
        left -= taken[payment.pk]
    rest = _in_proportion(left, [(payment.refundable - taken[payment.pk]).amount for payment in payments])
    return [taken[payment.pk] + more for payment, more in zip(payments, rest, strict=True)]


def _in_proportion(amount: Money, room: Sequence[Decimal]) -> list[Money]:
    if not amount:
        return [amount] * len(room)
    fair: list[Decimal] = [share.amount.amount for share in split_by_shares(whole=amount, shares=room)]
    shares: list[Decimal] = [min(share, limit) for share, limit in zip(fair, room, strict=True)]
    spare: Decimal = amount.amount - sum(shares, Decimal(0))
    for index, limit in enumerate(room):
        more: Decimal = min(spare, limit - shares[index])
        shares[index] += more
        spare -= more
    return [Money(share, amount.currency) for share in shares]


def _lock_payments(*, order_number: str, line_number: str = "") -> list[Payment]:
    """The succeeded payments of an order or of one line, locked: refunds of a line take turns."""
    payments = Payment.objects.select_for_update(no_key=True).filter(
        order_number=order_number, state=PaymentState.SUCCEEDED
    )
    if line_number:
        payments = payments.filter(line_number=line_number)
    return list(payments.order_by("pk"))


def _parts(given: Refund, payment: Payment, share: Money) -> list[RefundPart]:
    """A payment's share by where it goes: credit that is owed no more, having been repaid, becomes balance."""
    lowered = Money.zero(share.currency)
    if payment.method == PayMethod.CREDIT:
        lowered = statements.lower(account_id=payment.payer_id, amount=share, at=given.at)
    rest = {PayMethod.CARD: RefundDestination.CARD, PayMethod.RESELLER: RefundDestination.RESELLER}.get(
        PayMethod(payment.method), RefundDestination.BALANCE
    )
    return [
        _part(given, payment, destination, part)
        for destination, part in ((RefundDestination.CREDIT, lowered), (rest, share - lowered))
        if part
    ]


def _part(given: Refund, payment: Payment, destination: RefundDestination, amount: Money) -> RefundPart:
    by_card = destination is RefundDestination.CARD
    return RefundPart(
        refund=given,
        payment=payment,
        destination=destination,
        state=RefundState.PENDING if by_card else RefundState.DONE,
        amount=amount.amount,
        currency=amount.currency,
        next_try_at=given.at if by_card else None,
        finished_at=None if by_card else given.at,
    )


def _target(part: RefundPart) -> ledger.LedgerRef:
    """The ledger account in which a part arrives."""
    payer_id = part.payment.payer_id
    return {
        RefundDestination.CARD: ledger.refunds(),
        RefundDestination.CREDIT: ledger.platform_credit(payer_id),
        RefundDestination.RESELLER: ledger.reseller_due(payer_id),
    }.get(RefundDestination(part.destination), ledger.cash(payer_id))


def _book(given: Refund, parts: Sequence[RefundPart], payments: Sequence[Payment]) -> None:
    """Take the refund from what is still held for the line, its last milestone first, the rest from *earned*."""
    owners = {payment.held_for: payment.pk for payment in payments}
    entries, left = [], given.money
    for account in sorted(_held(payments, currency=given.currency), key=lambda account: -owners[account.owner]):
        from_held = min(account.money, left)
        entries.append((ledger.held(account.owner), -from_held))
        left -= from_held
    entries.append((ledger.earned(payments[0].seller_id), -left))
    targets: dict[ledger.LedgerRef, Money] = {}
    for part in parts:
        targets[_target(part)] = targets.get(_target(part), Money.zero(given.currency)) + part.money
    ledger.post(
        key=f"refund:{given.number}",
        kind=PostingKind.REFUND,
        at=given.at,
        about=given.line_number,
        entries=[(ref, money) for ref, money in [*entries, *targets.items()] if money],
    )


def _held(payments: Sequence[Payment], *, currency: str) -> list[LedgerAccount]:
    """The ledger accounts, locked, that hold what was paid."""
    accounts = LedgerAccount.objects.select_for_update(no_key=True).filter(
        kind=LedgerKind.HELD, owner__in=sorted(payment.held_for for payment in payments), currency=currency
    )
    return list(accounts.order_by("pk"))


def _write_charge(given: Refund, payments: Sequence[Payment]) -> None:
    payment = payments[0]
    english, chinese = _refunded(payments)
    Charge.objects.bulk_create(
        [
            Charge(
                number=given.number,
                kind=ChargeKind.REFUND,
                account_id=payment.payer_id,
                customer_id=payment.account_id if payment.account_id != payment.payer_id else None,
                order_number=given.order_number,
                line_number=given.line_number,
                method=payment.method,
                amount=-given.amount,
                currency=given.currency,
                description=english,
                description_zh=chinese,
                project_code=payment.project_code,
                tags=payment.tags,
                at=given.at,
            )
        ]
    )


def _refunded(payments: Sequence[Payment]) -> tuple[str, str]:
    """What the refund of these payments is for, in both languages: of several milestones, without their names."""
    payment = payments[0]
    described = payment.description, payment.description_zh
    if len(payments) == 1 or payment.purpose != PaymentPurpose.BILL:
        return described
    milestones = Milestone.objects.filter(line_number=payment.line_number)
    return milestones.values_list("description", "description_zh").first() or described
