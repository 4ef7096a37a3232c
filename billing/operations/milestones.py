"""Milestones of an order line: planned with the order, billed one after the other, earned part by part.

`plan` writes them with the order, `start` has the first billed when the order is confirmed, `accept` the next with
each acceptance, `finish` ends them with the completion, `lapse` with a cancellation. Who calls holds the order or its
flow locked. The bill run (`bill_due`) writes each bill once, whoever asked for it.

The money of a milestone: billed, its amount moves from the customer's *milestone credit* to *receivable*; repaid, it is
*held* for the milestone and the credit is free again; accepted and repaid, it is the seller's *earned*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.db.models import Q, Sum
from django.urls import reverse

from audit.recording import system_traces
from billing import queries
from billing.events import MilestoneRepaid
from billing.models import LedgerAccount, Milestone, MilestoneBill, Payment
from billing.models.payment import held_owner
from billing.operations import ledger, refunding
from billing.rules.bills import bill_due as due_time
from billing.rules.bills import counts_from, next_reminder, overdue_from, overdue_until
from billing.rules.shares import split_by_shares
from billing.states import BILL_MOVES, UNPAID_BILLS, BillState, LedgerKind, PaymentState, PostingKind
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import events, ids
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify_many
from koogallery.notifications.rendering import InBoth

if TYPE_CHECKING:
    from billing.operations.paying import PaymentSubject
    from koogallery.identity.models import Account

EVERYONE = set(Role) - {Role.ANONYMOUS}
WHERE = "t.held_at IS NULL"
"""Which milestones are billed when they are due; those of an order that may be given back wait."""
_NUMBER = "NUMBER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One milestone as agreed: its name, what is delivered, its share in percent."""

    name: str
    delivery: str
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """What of an order line is billed and unpaid, and what is still to be billed."""

    unpaid: Money
    unbilled: Money


def outstanding(*, line_number: str, currency: str) -> Outstanding:
    """What is still to be paid for a line in milestones; nothing for other lines, and after a cancellation."""
    rows = Milestone.objects.filter(line_number=line_number)
    sums = rows.aggregate(
        unpaid=Sum("bill__amount", filter=Q(bill__state__in=UNPAID_BILLS)),
        unbilled=Sum("amount", filter=Q(bill__isnull=True, lapsed_at__isnull=True)),
    )
    return Outstanding(**{name: Money(amount or Decimal(0), currency) for name, amount in sums.items()})


def unbilled(account_id: int, *, at: datetime) -> Decimal:
    """What open milestone orders of an account will still be billed."""
    rows = Milestone.objects.filter(queries.to_be_billed(at), account_id=account_id)
    return rows.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def check_credit(account: Account, *, total: Money, shares: Sequence[Decimal], rule: str, at: datetime) -> None:
    """Whether an account may order `total` in milestones, by policy `milestone.credit_check`.

    Locks the credit, so that no bill of the account is written between its balance and what is still to be billed.

    Raises `Refused`: `milestone_not_postpaid`, `milestone_credit_missing` without one, `milestone_credit_short` when
    the free credit less what other open milestone orders will still be billed does not cover it.
    """
    if account.kind != AccountKind.POSTPAID:
        raise Refused("milestone_not_postpaid")
    credits = LedgerAccount.objects.select_for_update(no_key=True)
    row = credits.filter(kind=LedgerKind.MILESTONE_CREDIT, owner=str(account.pk), currency=total.currency).first()
    if row is None:
        raise Refused("milestone_credit_missing")
    needed = total if rule == "order_total" else split_by_shares(whole=total, shares=shares)[0].amount
    free = row.money
    if rule == "order_total":
        free = max(free - Money(unbilled(account.pk, at=at), total.currency), Money.zero(total.currency))
    if free < needed:
        raise Refused("milestone_credit_short", needed=needed, free=free)


def plan(
    call: Call,
    *,
    subject: PaymentSubject,
    total: Money,
    parts: Sequence[Part],
    due_days: int,
    blocks_when_overdue: bool = True,
    reserved_until: datetime | None = None,
) -> None:
    """Write the milestones of an order line that is being placed; nothing is billed yet. The shares follow R11.

    They keep credit until the order is to be confirmed, `reserved_until`; once it is, to their end.
    """
    shares = split_by_shares(whole=total, shares=[part.share for part in parts])
    Milestone.objects.bulk_create(
        Milestone(
            order_number=subject.order_number,
            line_number=subject.line_number,
            account_id=subject.account_id,
            seller_id=subject.seller_id,
            fee_percent=subject.fee_percent,
            position=position,
            count=len(parts),
            name=part.name,
            delivery=part.delivery,
            share_percent=part.share,
            amount=share.amount.amount,
            currency=total.currency,
            explanation=share.explanation.to_json(),
            due_days=due_days,
            blocks_when_overdue=blocks_when_overdue,
            product_code=subject.product_code,
            description=subject.description[:255],
            description_zh=subject.description_zh[:255],
            reserved_until=reserved_until,
            project_code=subject.project_code,
            tags=dict(subject.tags),
        )
        for position, (part, share) in enumerate(zip(parts, shares, strict=True), 1)
    )


def start(call: Call, *, line_number: str) -> None:
    """Have the first milestone billed: the order is confirmed. Raises `Refused("milestone_credit_short")`."""
    milestones = _locked(line_number)
    Milestone.objects.filter(line_number=line_number, reserved_until__isnull=False).update(reserved_until=None)
    for milestone in milestones:
        milestone.reserved_until = None
    _bill(call, milestones[0])


def accept(call: Call, *, line_number: str, position: int) -> None:
    """The customer accepted a milestone: the next one is billed, what was repaid for this one is earned.

    The last one is earned with the completion of the order. Raises `Refused("milestone_credit_short")`.
    """
    milestones = _locked(line_number)
    accepted = milestones[position - 1]
    accepted.accepted_at = call.at
    if position == len(milestones):
        accepted.save(update_fields=["accepted_at"])
        return
    accepted.earn_from = call.at
    accepted.save(update_fields=["accepted_at", "earn_from"])
    _earn([accepted])
    following = milestones[position]
    if following.held_at is None:
        _bill(call, following)
        return
    following.bill_due_at = call.at
    following.save(update_fields=["bill_due_at"])


def is_overdue(*, line_number: str, at: datetime) -> bool:
    """Whether a bill of the line is past its due time and not repaid."""
    return MilestoneBill.objects.filter(
        milestone__line_number=line_number, ended_at__isnull=True, due_at__lte=overdue_until(at)
    ).exists()


def finish(moments: Mapping[str, datetime]) -> None:
    """Orders are Completed: all that was billed is the seller's once repaid, what was not will not be.

    For a chunk of line numbers, each at its own moment, whether they have milestones or not; idempotent.
    """
    milestones = list(
        Milestone.objects.select_for_update(no_key=True, of=("self",))
        .filter(line_number__in=list(moments), earn_from__isnull=True, lapsed_at__isnull=True)
        .select_related("bill")
        .order_by("line_number", "position")
    )
    for milestone in milestones:
        at = moments[milestone.line_number]
        if hasattr(milestone, "bill"):
            milestone.earn_from = at
        else:
            milestone.lapsed_at, milestone.bill_due_at, milestone.held_at = at, None, None
    if milestones:
        Milestone.objects.bulk_update(milestones, ["earn_from", "lapsed_at", "bill_due_at", "held_at"])
        _earn([milestone for milestone in milestones if milestone.earn_from])


def lapse(call: Call, *, line_number: str) -> Money | None:
    """The order was Canceled: nothing more is billed, unpaid bills are withdrawn; what their credit was that is free.

    None for a line without milestones.
    """
    milestones = _locked(line_number)
    if not milestones:
        return None
    freed = Money.zero(milestones[0].currency)
    for milestone in milestones:
        bill = _bill_locked(milestone)
        if bill is None and milestone.lapsed_at is None:
            milestone.lapsed_at, milestone.bill_due_at, milestone.held_at = call.at, None, None
            milestone.save(update_fields=["lapsed_at", "bill_due_at", "held_at"])
        elif bill is not None and bill.is_unpaid:
            _end(bill, BillState.WITHDRAWN, at=call.at)
            freed += bill.money
    return freed


def hold(call: Call, *, line_number: str) -> None:
    """Let the bills to come of a line wait: its order may be given back. Nothing for a line without milestones."""
    milestones = [milestone.pk for milestone in _locked(line_number)]
    to_come = Milestone.objects.filter(pk__in=milestones, bill__isnull=True, lapsed_at__isnull=True)
    to_come.update(held_at=call.at)


def let_go(call: Call, *, line_number: str) -> None:
    """Let the bills of a line wait no more: what became due meanwhile is written, dated at the acceptance.

    Where the credit does not cover it now, the bill run tries again and leaves it to operations.
    """
    waiting = [milestone for milestone in _locked(line_number) if milestone.held_at is not None]
    if not waiting:
        return
    Milestone.objects.filter(pk__in=[milestone.pk for milestone in waiting]).update(held_at=None)
    due = [milestone for milestone in waiting if milestone.bill_due_at is not None and milestone.lapsed_at is None]
    for milestone in due:
        if _free_credit(milestone, locked=True) >= milestone.money:
            bill_due([milestone.pk], call.at)
            describe(billed=milestone.money)


def lower(call: Call, *, line_number: str, amount: Money, key: str) -> Money:
    """Take `amount` off what a line in milestones was billed and has not repaid, its last milestone first.

    Returns what was taken off; the rest of `amount` was repaid and is to be refunded. A bill of which nothing is left
    is withdrawn. Raises `Refused("payment_in_progress")` while one of them is being repaid.
    """
    left = amount
    for milestone in reversed(_locked(line_number)):
        bill = _bill_locked(milestone)
        if bill is None or not bill.is_unpaid or not left:
            continue
        pending = Payment.objects.filter(line_number=line_number, part=milestone.part, state=PaymentState.PENDING)
        if pending.exists():
            raise Refused("payment_in_progress")
        bill.milestone = milestone
        off = min(left, bill.money)
        left -= off
        if off == bill.money:
            _end(bill, BillState.WITHDRAWN, at=call.at)
        else:
            _take_off(bill, off, at=call.at, key=key)
    return amount - left


def _take_off(bill: MilestoneBill, off: Money, *, at: datetime, key: str) -> None:
    bill.amount, bill.lowered = bill.amount - off.amount, bill.lowered + off.amount
    bill.save(update_fields=["amount", "lowered"])
    ledger.post(
        key=f"bill-lowered:{bill.number}:{key}",
        kind=PostingKind.BILL_LOWERED,
        at=at,
        about=bill.milestone.line_number,
        entries=[(ledger.receivable(bill.account_id), -off), (ledger.milestone_credit(bill.account_id), off)],
    )


def settle(payment: Payment) -> None:
    """A payment for a milestone's bill is booked: the bill is Repaid, its credit free, and if accepted it is earned.

    Money that arrives for a bill that was withdrawn meanwhile goes back at once to where it came from.
    """
    milestone = Milestone.objects.select_for_update(no_key=True, of=("self",)).get(
        line_number=payment.line_number, position=int(payment.part.removeprefix("m"))
    )
    bill = _bill_locked(milestone)
    assert bill is not None
    at = payment.finished_at or payment.created_at
    if bill.is_unpaid:
        _end(bill, BillState.REPAID, at=at, payment_number=payment.number)
        _tell_repaid(milestone, bill, at=at)
    if bill.state == BillState.WITHDRAWN:
        refunding.refund(
            system_call(at=at),
            order_number=payment.order_number,
            line_number=payment.line_number,
            amount=payment.money,
            reason="bill_withdrawn",
            key=f"withdrawn:{payment.number}",
            explanation={"bill": bill.number},
        )
    elif milestone.earn_from is not None:
        _earn([milestone])


def lock_for(payment: Payment) -> None:
    """Lock the milestone that a payment is for, as all do before its bill and its payments."""
    position = int(payment.part.removeprefix("m"))
    list(
        Milestone.objects.select_for_update(no_key=True)
        .filter(line_number=payment.line_number, position=position)
        .values_list("pk")
    )


@operation("generateMilestoneBill", resource_type="MilestoneBill", roles={Role.SYSTEM})
def generate(call: Call, *, milestone: Milestone) -> None:
    """Write the bill of a milestone; the bill run does so set-wise, under this name."""
    milestone.bill_due_at = call.at
    milestone.save(update_fields=["bill_due_at"])
    bill_due([milestone.pk], call.at)


def bill_due(milestone_ids: list[int], upto: datetime) -> None:
    """Write the bills of claimed milestones whose time has come, each dated at its time; a bill exists once.

    Called by the sweep and, for one milestone, by what makes it due, in their transactions; as many statements for a
    thousand as for one. Money comes last, as the credits of large customers are what parallel chunks wait for.
    """
    made = _written(milestone_ids, upto=upto)
    page = reverse("billing:milestone_bill", args=[_NUMBER])
    notify_many(
        [
            Notice(
                account_id=bill.account_id,
                kind="milestone_bill",
                params=told_of(milestone, bill),
                link=page.replace(_NUMBER, bill.number),
                key=f"milestone-bill:{bill.number}",
                at=bill.written_at,
            )
            for milestone, bill in made
        ]
    )
    system_traces(
        "generateMilestoneBill",
        rows=[
            (
                bill.account_id,
                bill.number,
                bill.order_number,
                bill.written_at,
                {"order": bill.order_number, "milestone": str(milestone.position)},
                {"amount": str(bill.money), "due": bill.due_at.isoformat()},
            )
            for milestone, bill in made
        ],
    )
    ledger.post_many([_posting_of(milestone, bill) for milestone, bill in made])


@dataclass(slots=True)
class _Due:
    """A milestone whose bill is due; a thousand of them cost less than a thousand rows of the model."""

    pk: int
    line_number: str
    position: int
    count: int
    name: str
    description: str
    description_zh: str
    account_id: int
    order_number: str
    amount: Decimal
    currency: str
    due_days: int
    bill_due_at: datetime
    lapsed_at: datetime | None


class _NewBill(NamedTuple):
    """What is written of a bill and told of it."""

    number: str
    milestone_id: int
    account_id: int
    order_number: str
    money: Money
    generated_at: datetime
    written_at: datetime
    due_at: datetime
    overdue_due_at: datetime
    remind_at: datetime | None


_DUE = f"""
SELECT {", ".join("id" if each.name == "pk" else each.name for each in fields(_Due))} FROM billing_milestone
WHERE id = ANY (%s::bigint[]) AND bill_due_at IS NOT NULL ORDER BY id
"""  # noqa: S608  only constants
_WRITE = """
WITH cleared AS (
    UPDATE billing_milestone SET bill_due_at = NULL WHERE id = ANY (%(due)s::bigint[])
)
INSERT INTO billing_milestonebill (number, milestone_id, account_id, order_number, amount, currency, state,
    generated_at, written_at, due_at, overdue_due_at, remind_at, payment_number)
SELECT number, milestone_id, account_id, order_number, amount, currency, 'open',
    generated_at, written_at, due_at, overdue_due_at, remind_at, ''
FROM unnest(%(numbers)s::text[], %(milestones)s::bigint[], %(accounts)s::bigint[], %(orders)s::text[],
    %(amounts)s::numeric[], %(currencies)s::text[], %(generated)s::timestamptz[], %(written)s::timestamptz[],
    %(ends)s::timestamptz[], %(overdue)s::timestamptz[], %(reminders)s::timestamptz[])
    AS g(number, milestone_id, account_id, order_number, amount, currency, generated_at, written_at, due_at,
        overdue_due_at, remind_at)
ON CONFLICT (milestone_id) DO NOTHING RETURNING number
"""


def _written(milestone_ids: Sequence[int], *, upto: datetime) -> list[tuple[_Due, _NewBill]]:
    """Store the bills of milestones that are due and have none yet; these milestones and their bills."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [array(milestone_ids)])
        due = [_Due(*row) for row in cursor.fetchall()]
        billed = [milestone for milestone in due if milestone.lapsed_at is None]
        numbers = ids.numbered_each("MB", moments=(milestone.bill_due_at for milestone in billed))
        days: dict[tuple[date, int, datetime], _Days] = {}
        bills = [
            (milestone, _new_bill(milestone, number, written_at=max(upto, milestone.bill_due_at), days=days))
            for milestone, number in zip(billed, numbers, strict=True)
        ]
        given = {
            "due": array(milestone.pk for milestone in due),
            "numbers": array(bill.number for _, bill in bills),
            "milestones": array(bill.milestone_id for _, bill in bills),
            "accounts": array(bill.account_id for _, bill in bills),
            "orders": array(bill.order_number for _, bill in bills),
            "amounts": array(bill.money.amount for _, bill in bills),
            "currencies": array(bill.money.currency for _, bill in bills),
            "generated": array(bill.generated_at for _, bill in bills),
            "written": array(bill.written_at for _, bill in bills),
            "ends": array(bill.due_at for _, bill in bills),
            "overdue": array(bill.overdue_due_at for _, bill in bills),
            "reminders": array(bill.remind_at for _, bill in bills),
        }
        cursor.execute(_WRITE, given)
        written = {number for (number,) in cursor.fetchall()}
    return [(milestone, bill) for milestone, bill in bills if bill.number in written]


_Days = tuple[datetime, datetime, datetime | None]
"""When a bill is due, when it becomes overdue, when it is first reminded of."""


def _new_bill(
    milestone: _Due, number: str, *, written_at: datetime, days: dict[tuple[date, int, datetime], _Days]
) -> _NewBill:
    """The bill of a milestone; `days` keeps what is the same for all bills that count from one day."""
    generated_at = milestone.bill_due_at
    counted = counts_from(generated_at=generated_at, written_at=written_at)
    key = clock.platform_date(counted), milestone.due_days, written_at
    if key not in days:
        due_at = due_time(generated_at=generated_at, written_at=written_at, days=milestone.due_days)
        reminder = next_reminder(last_day=clock.platform_date(due_at), after=written_at)
        days[key] = due_at, overdue_from(due_at), reminder
    return _NewBill(
        number,
        milestone.pk,
        milestone.account_id,
        milestone.order_number,
        Money(milestone.amount, milestone.currency),
        generated_at,
        written_at,
        *days[key],
    )


def _posting_of(milestone: _Due, bill: _NewBill) -> ledger.NewPosting:
    return ledger.NewPosting(
        key=f"bill:{milestone.line_number}/{milestone.position}",
        kind=PostingKind.BILL,
        at=bill.generated_at,
        about=milestone.line_number,
        entries=[
            (ledger.milestone_credit(bill.account_id), -bill.money),
            (ledger.receivable(bill.account_id), bill.money),
        ],
    )


def _tell_repaid(milestone: Milestone, bill: MilestoneBill, *, at: datetime) -> None:
    told = told_of(milestone, bill)
    notify_many(
        [
            Notice(
                account_id=bill.account_id,
                kind="milestone_bill_repaid",
                params=told,
                link=bill.get_absolute_url(),
                key=f"milestone-bill-repaid:{bill.number}",
                at=at,
            )
        ]
    )
    events.publish(MilestoneRepaid(bill_number=bill.number, order_number=bill.order_number, told=told, at=at))


def told_of(milestone: Milestone | _Due, bill: MilestoneBill | _NewBill) -> dict[str, Any]:
    """What messages about a bill name."""
    return {
        "bill": bill.number,
        "order": bill.order_number,
        "product": InBoth(milestone.description, milestone.description_zh),
        "milestone": str(milestone.position),
        "milestones": str(milestone.count),
        "name": milestone.name,
        "amount": bill.money,
        "due": bill.due_at,
    }


def _locked(line_number: str) -> list[Milestone]:
    return list(
        Milestone.objects.select_for_update(no_key=True, of=("self",))
        .filter(line_number=line_number)
        .order_by("position")
    )


def _bill_locked(milestone: Milestone) -> MilestoneBill | None:
    return MilestoneBill.objects.select_for_update(no_key=True, of=("self",)).filter(milestone=milestone).first()


def _bill(call: Call, milestone: Milestone) -> None:
    """Make a milestone due for its bill now and write it. Raises `Refused` when the credit does not cover it."""
    milestone.bill_due_at = call.at
    milestone.save(update_fields=["bill_due_at"])
    free = _free_credit(milestone)
    if free < milestone.money:
        raise Refused("milestone_credit_short", needed=milestone.money, free=free)
    with ledger.refusing(ledger_balance_not_negative="milestone_credit_short"):
        bill_due([milestone.pk], call.at)
    describe(billed=milestone.money)


def _free_credit(milestone: Milestone, *, locked: bool = False) -> Money:
    """What of the credit is free; `locked`, so that no other bill takes it meanwhile."""
    credits = LedgerAccount.objects.select_for_update(no_key=True) if locked else LedgerAccount.objects.all()
    row = credits.filter(
        kind=LedgerKind.MILESTONE_CREDIT, owner=str(milestone.account_id), currency=milestone.currency
    ).first()
    return row.money if row is not None else Money.zero(milestone.currency)


def _end(bill: MilestoneBill, state: BillState, *, at: datetime, payment_number: str = "") -> None:
    BILL_MOVES.check(bill.state_enum, state)
    bill.state, bill.ended_at, bill.payment_number = state, at, payment_number
    bill.overdue_due_at = bill.remind_at = None
    bill.save(update_fields=["state", "ended_at", "payment_number", "overdue_due_at", "remind_at"])
    ledger.post(
        key=f"bill-ended:{bill.number}",
        kind=PostingKind.BILL_ENDED,
        at=at,
        about=bill.milestone.line_number,
        entries=[
            (ledger.receivable(bill.account_id), -bill.money),
            (ledger.milestone_credit(bill.account_id), bill.money),
        ],
    )


def _earn(milestones: Sequence[Milestone]) -> None:
    """Move what is held for milestones that may be earned to their sellers; nothing is held before the repayment."""
    owners = {held_owner(milestone.line_number, milestone.part): milestone for milestone in milestones}
    held = LedgerAccount.objects.select_for_update(no_key=True).filter(
        kind=LedgerKind.HELD, owner__in=sorted(owners), balance__gt=0
    )
    ledger.post_many(
        [
            ledger.NewPosting(
                key=f"earn:{account.owner}",
                kind=PostingKind.EARNING,
                at=_earned_at(owners[account.owner]),
                about=owners[account.owner].line_number,
                entries=[
                    (ledger.LedgerRef(LedgerKind.HELD, account.owner), -account.money),
                    (ledger.earned(owners[account.owner].seller_id), account.money),
                ],
            )
            for account in held.order_by("owner")
        ]
    )


def _earned_at(milestone: Milestone) -> datetime:
    """The later of the moment from which it may be earned and its repayment."""
    bill = MilestoneBill.objects.filter(milestone=milestone).first()
    assert milestone.earn_from is not None
    return max(milestone.earn_from, bill.ended_at) if bill and bill.ended_at else milestone.earn_from


__all__ = [
    "WHERE", "Part", "accept", "bill_due", "check_credit", "finish", "generate", "hold", "is_overdue", "lapse",
    "let_go", "lock_for", "lower", "outstanding", "plan", "settle", "start", "told_of", "unbilled",
]  # fmt: skip
