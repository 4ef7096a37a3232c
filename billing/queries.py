"""Reads of billing that pages and other apps use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import (
    Case,
    CharField,
    Count,
    DecimalField,
    Exists,
    FilteredRelation,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat, TruncMonth
from django.utils.translation import gettext as _

from billing.models import (
    Card,
    Charge,
    CreditLine,
    CreditStatement,
    Entry,
    LedgerAccount,
    LedgerCheck,
    Milestone,
    MilestoneBill,
    Payment,
    Refund,
    RefundPart,
)
from billing.models.payment import HELD_OWNER
from billing.rules.bills import bill_due, overdue_until
from billing.rules.fees import Movement, split_movement
from billing.states import (
    PAID_FOR_ORDERS,
    BillState,
    ChargeKind,
    CreditKind,
    LedgerKind,
    PaymentState,
    PayMethod,
    PostingKind,
    RefundState,
)
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import prepared
from koogallery.kernel.money import Money
from koogallery.kernel.prepared import Given
from koogallery.kernel.reasons import Missing, sentence

if TYPE_CHECKING:
    from koogallery.identity.models import Account


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """One choice on the payment page; `token` is the card's code, `reason_code` says why it is not available."""

    kind: str
    label: str
    available: bool
    reason_code: str = ""
    token: str = ""

    @property
    def value(self) -> str:
        """What a form sends: `balance`, `credit`, `reseller`, `card:<code>`."""
        return f"{self.kind}:{self.token}" if self.token else self.kind

    @property
    def reason(self) -> str:
        """Why it is not available, in the language in force."""
        return sentence(self.reason_code) if self.reason_code else ""


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """What happened to the money of an order; held + earned + settled + refunded = paid."""

    paid: Money
    held: Money
    earned: Money
    settled: Money
    refunded: Money


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit of an account: limit, what is left of it, what is owed.

    `reserved` is what open milestone orders will still be billed and thus take of the milestone credit that is left.
    """

    kind: CreditKind
    limit: Money
    available: Money
    reserved: Money

    @property
    def owed(self) -> Money:
        """Used and not repaid."""
        return self.limit - self.available

    @property
    def free(self) -> Money:
        """What is left of it and not reserved."""
        return max(self.available - self.reserved, Money.zero(self.limit.currency))


@dataclass(frozen=True, slots=True)
class MilestoneMoney:
    """One milestone of an order with its bill and its money: held + earned + settled + refunded = paid."""

    milestone: Milestone
    bill: MilestoneBill | None
    paid: Money
    held: Money
    earned: Money
    settled: Money
    refunded: Money

    @property
    def is_lapsed(self) -> bool:
        """Whether it will not be billed, because the order ended before."""
        return self.bill is None and self.milestone.lapsed_at is not None

    @property
    def bill_state(self) -> BillState | None:
        """The state of its bill now; None before there is one."""
        return self.bill.shown_state(clock.now()) if self.bill is not None else None


@dataclass(frozen=True, slots=True)
class SellerMoney:
    """A seller's three columns over all its orders, of one currency."""

    held: Money
    earned: Money
    settled: Money


def balance(account_id: int) -> Money:
    """What the account has paid in and not spent, in its currency."""
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(l.balance, 0), a.currency FROM identity_account a LEFT JOIN billing_ledgeraccount l "
            "ON l.kind = %s AND l.owner = a.id::text AND l.currency = a.currency WHERE a.id = %s",
            [LedgerKind.CASH.value, account_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise Missing(f"No account {account_id}.")
    return Money(*row)


def credits(account_id: int, *, at: datetime | None = None) -> list[Credit]:
    """The credits that finance has granted an account, as they are at a moment, else now."""
    lines: Any = with_use(CreditLine.objects.filter(account_id=account_id).order_by("kind"), at=at)
    return [
        Credit(
            kind=CreditKind(line.kind),
            limit=line.money,
            available=Money(line.left, line.currency),
            reserved=Money(line.to_bill, line.currency),
        )
        for line in lines
    ]


def to_be_billed(at: datetime) -> Q:
    """Milestones that will still be billed; one of an order that was not confirmed in time will not (R19)."""
    kept = Q(reserved_until__isnull=True) | Q(reserved_until__gt=at)
    return kept & Q(bill__isnull=True, lapsed_at__isnull=True)


def with_use(lines: QuerySet[CreditLine], *, at: datetime | None = None) -> QuerySet[CreditLine]:
    """Credit lines with what is `left` of each in the ledger, and what open milestone orders have still `to_bill`."""
    kinds = {kind.value: kind.ledger_kind.value for kind in CreditKind}
    ledger_kind = Case(*[When(kind=kind, then=Value(name)) for kind, name in kinds.items()], output_field=CharField())
    left = LedgerAccount.objects.filter(
        kind=OuterRef("ledger_kind"), owner=Cast(OuterRef("account_id"), CharField()), currency=OuterRef("currency")
    )
    to_bill = (
        Milestone.objects.filter(to_be_billed(at or clock.now()), account_id=OuterRef("account_id"))
        .order_by()
        .values("account_id")
        .annotate(sum=Sum("amount"))
        .values("sum")
    )
    nothing = Value(Decimal(0), output_field=DecimalField())
    return lines.annotate(ledger_kind=ledger_kind).annotate(
        left=Coalesce(Subquery(left.values("balance")[:1]), nothing),
        to_bill=Case(When(kind=CreditKind.MILESTONE, then=Coalesce(Subquery(to_bill), nothing)), default=nothing),
    )


def credit(account_id: int, kind: CreditKind = CreditKind.PLATFORM, *, at: datetime | None = None) -> Credit | None:
    """One credit of an account, or None when it was not granted."""
    return next((each for each in credits(account_id, at=at) if each.kind is kind), None)


def cards(account_id: int) -> list[Card]:
    """The account's cards, the default one first."""
    return list(Card.objects.filter(account_id=account_id, removed_at=None))


def payment_methods(account: Account, amount: Money) -> list[PaymentMethod]:
    """What the account may pay `amount` with, and why not otherwise; a reseller's customer pays nothing here."""
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        return [PaymentMethod(kind=PayMethod.RESELLER, label=_("Through your reseller"), available=True)]
    methods = repayment_methods(account, amount)
    if (granted := credit(account.pk)) is not None:
        covers = granted.available.currency == amount.currency and granted.available >= amount
        late = is_credit_overdue(account.pk, at=clock.now())
        methods.append(
            PaymentMethod(
                kind=PayMethod.CREDIT,
                label=_("Platform credit (%(amount)s available)") % {"amount": granted.available},
                available=covers and not late,
                reason_code="credit_overdue" if late else "" if covers else "credit_too_low",
            )
        )
    return methods


def methods_on_file(account: Account) -> list[PaymentMethod]:
    """What may be charged later, without asking, whether or not it covers anything today; one query."""
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        return [PaymentMethod(kind=PayMethod.RESELLER, label=_("Through your reseller"), available=True)]
    granted = CreditLine.objects.filter(account_id=OuterRef("pk"), kind=CreditKind.PLATFORM)
    kept = FilteredRelation("cards", condition=Q(cards__removed_at=None))
    rows = (
        type(account)
        .objects.filter(pk=account.pk)
        .annotate(card=kept, has_credit=Exists(granted))
        .order_by("-card__is_default", "card__added_at", "card__pk")
        .values_list("has_credit", "card__code", "card__brand", "card__last_digits")
    )
    found = list(rows)
    methods = [PaymentMethod(kind=PayMethod.BALANCE, label=_("Account balance"), available=True)]
    if found and found[0][0]:
        methods.append(PaymentMethod(kind=PayMethod.CREDIT, label=_("Platform credit"), available=True))
    return methods + [
        PaymentMethod(kind=PayMethod.CARD, label=f"{brand} •••• {digits}", available=True, token=code)
        for _has_credit, code, brand, digits in found
        if code
    ]


def repayment_methods(account: Account, amount: Money) -> list[PaymentMethod]:
    """What the account may repay `amount` with: its own money, by balance or card."""
    on_account = balance(account.pk)
    enough = on_account.currency == amount.currency and on_account >= amount
    methods = [
        PaymentMethod(
            kind=PayMethod.BALANCE,
            label=_("Account balance (%(amount)s)") % {"amount": on_account},
            available=enough,
            reason_code="" if enough else "balance_too_low",
        )
    ]
    return methods + [
        PaymentMethod(kind=PayMethod.CARD, label=str(card), available=True, token=card.code)
        for card in cards(account.pk)
    ]


def has_payment_method(account: Account) -> bool:
    """Whether the account can pay at all: a card, a balance, platform credit, or a reseller."""
    return (
        account.kind == AccountKind.RESELLER_CUSTOMER
        or balance(account.pk).amount > 0
        or Card.objects.filter(account_id=account.pk, removed_at=None).exists()
        or CreditLine.objects.filter(account_id=account.pk, kind=CreditKind.PLATFORM, limit__gt=0).exists()
    )


_ORDERS_MONEY = """
WITH wanted AS (SELECT unnest(%s::text[]) AS number),
paid AS (
    SELECT order_number AS number, currency, sum(amount) AS paid FROM billing_payment
    WHERE order_number = ANY(%s) AND order_number <> '' AND state = 'succeeded' GROUP BY 1, 2
), refunded AS (
    SELECT order_number AS number, sum(amount) AS refunded FROM billing_refund WHERE order_number = ANY(%s) GROUP BY 1
), booked AS (
    SELECT w.number, sum(e.amount) FILTER (WHERE a.kind = 'held') AS held,
        sum(e.amount) FILTER (WHERE a.kind = 'earned') AS earned,
        sum(e.amount) FILTER (WHERE a.kind = 'settled') AS settled
    FROM wanted w JOIN billing_posting p ON p.about >= w.number AND p.about < w.number || '.' AND p.about <> ''
    JOIN billing_entry e ON e.posting_id = p.id JOIN billing_ledgeraccount a ON a.id = e.account_id
    GROUP BY w.number
)
SELECT p.number, p.currency, p.paid, coalesce(b.held, 0), coalesce(b.earned, 0), coalesce(b.settled, 0),
    coalesce(r.refunded, 0)
FROM paid p LEFT JOIN refunded r USING (number) LEFT JOIN booked b USING (number)
"""


def orders_money(order_numbers: Iterable[str]) -> dict[str, OrderMoney]:
    """The money of several orders in one query; orders without a payment are left out."""
    numbers = list(order_numbers)
    if not numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS_MONEY, [numbers] * 3)
        return {row[0]: OrderMoney(*(Money(amount, row[1]) for amount in row[2:])) for row in cursor.fetchall()}


def order_money(order_number: str, *, currency: str = "USD") -> OrderMoney:
    """The money of one order; zeros in `currency` when nothing was paid."""
    nothing = Money.zero(currency)
    return orders_money([order_number]).get(order_number) or OrderMoney(*[nothing] * 5)


def milestones_of(order_number: str) -> list[MilestoneMoney]:
    """The milestones of an order in their order with bills and money, in one query; none for other orders."""
    return milestones_money([order_number]).get(order_number, [])


def milestones_money(order_numbers: Iterable[str]) -> dict[str, list[MilestoneMoney]]:
    """The milestones of several orders with bills and money, in one query; orders without any are left out."""
    part = Concat(Value("m"), Cast(OuterRef("position"), CharField()))
    owner = Concat(OuterRef("line_number"), Value("/"), part)
    paid = (
        Payment.objects.filter(line_number=OuterRef("line_number"), part=part, state=PaymentState.SUCCEEDED)
        .exclude(line_number="")
        .order_by()
    )
    held = LedgerAccount.objects.filter(kind=LedgerKind.HELD, owner=owner, currency=OuterRef("currency"))
    settled = (
        Entry.objects.filter(account__kind=LedgerKind.SETTLED, posting__about=owner)
        .exclude(posting__about="")
        .order_by()
    )
    rows: Any = (
        Milestone.objects.filter(order_number__in=list(order_numbers))
        .select_related("bill")
        .annotate(
            paid_sum=Subquery(paid.values("line_number").annotate(sum=Sum("amount")).values("sum")),
            refunded_sum=Subquery(paid.values("line_number").annotate(sum=Sum("refunded")).values("sum")),
            held_sum=Subquery(held.values("balance")[:1]),
            settled_sum=Subquery(settled.values("posting__about").annotate(sum=Sum("amount")).values("sum")),
        )
        .order_by("line_number", "position")
    )
    found: dict[str, list[MilestoneMoney]] = {}
    for row in rows:
        found.setdefault(row.order_number, []).append(_milestone_money(row))
    return found


def _milestone_money(row: Any) -> MilestoneMoney:
    paid, held, settled, refunded = (
        Money(amount or Decimal(0), row.currency)
        for amount in (row.paid_sum, row.held_sum, row.settled_sum, row.refunded_sum)
    )
    return MilestoneMoney(
        milestone=row,
        bill=getattr(row, "bill", None),
        paid=paid,
        held=held,
        earned=paid - held - settled - refunded,
        settled=settled,
        refunded=refunded,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BillsDue:
    """What an account is to repay for milestones: how many bills, how much, by when; how much of it is overdue."""

    count: int
    amount: Money
    next_due_at: datetime | None
    overdue_count: int
    overdue: Money


def milestone_bills_due(account: Account, *, at: datetime) -> BillsDue:
    """The unpaid milestone bills of an account, summed up."""
    late = Q(due_at__lte=overdue_until(at))
    sums = unpaid_milestone_bills(account.pk).aggregate(
        bills=Count("pk"),
        total=Coalesce(Sum("amount"), Decimal(0)),
        first=Min("due_at"),
        late_bills=Count("pk", filter=late),
        late_total=Coalesce(Sum("amount", filter=late), Decimal(0)),
    )
    return BillsDue(
        count=sums["bills"],
        amount=Money(sums["total"], account.currency),
        next_due_at=sums["first"],
        overdue_count=sums["late_bills"],
        overdue=Money(sums["late_total"], account.currency),
    )


def milestone_bills_of(account_id: int) -> QuerySet[MilestoneBill]:
    """Every milestone bill of an account with its milestone."""
    return MilestoneBill.objects.filter(account_id=account_id).select_related("milestone")


def milestone_bill_by_number(number: str) -> MilestoneBill | None:
    """The milestone bill of that number with its milestone."""
    return MilestoneBill.objects.select_related("milestone").filter(number=number[:24]).first()


def to_be_accepted(line_number: Any) -> QuerySet[Milestone]:
    """The milestones of an order line, or of an outer query's, that can still be accepted."""
    return Milestone.objects.filter(
        line_number=line_number, accepted_at__isnull=True, earn_from__isnull=True, lapsed_at__isnull=True
    )


def blocks_acceptance(milestone: Milestone) -> bool:
    """Whether the overdue bill of a milestone keeps another one from being accepted, by the order's policy."""
    return milestone.blocks_when_overdue and to_be_accepted(milestone.line_number).exists()


def unpaid_milestone_bills(account_id: int) -> QuerySet[MilestoneBill]:
    """The milestone bills that an account is to repay."""
    return MilestoneBill.objects.filter(account_id=account_id, ended_at__isnull=True)


def milestones_to_pay(account_id: int, *, at: datetime) -> list[tuple[Milestone, datetime | None]]:
    """What an account is still to pay in milestones, each with when it is due; None for one not to be billed yet."""
    unpaid = Q(bill__isnull=False, bill__ended_at__isnull=True)
    rows = Milestone.objects.filter(to_be_billed(at) | unpaid, account_id=account_id).select_related("bill")
    return [(row, _due_at(row)) for row in rows]


def _due_at(milestone: Milestone) -> datetime | None:
    if hasattr(milestone, "bill"):
        return milestone.bill.due_at
    due = milestone.bill_due_at
    return bill_due(generated_at=due, written_at=due, days=milestone.due_days) if due is not None else None


def milestone_bills_due_given() -> QuerySet[MilestoneBill]:
    """The unpaid milestone bills of an account that is given, for their count in the navigation."""
    return MilestoneBill.objects.filter(account_id=Given("account"), ended_at__isnull=True)


def payments_of_bill(bill: MilestoneBill) -> list[Payment]:
    """The tries to repay a milestone bill, oldest first."""
    milestone = bill.milestone
    payments = Payment.objects.filter(
        order_number=bill.order_number, line_number=milestone.line_number, part=milestone.part
    )
    return list(payments.exclude(order_number="").select_related("card").order_by("pk"))


def payments_of(order_number: str) -> Sequence[Payment]:
    """The payments of an order, oldest first."""
    return list(Payment.objects.filter(order_number=order_number).select_related("card").order_by("pk"))


def card_payment_pending(order_number: Any) -> Exists:
    """An expression for other apps' queries: whether a card payment of the order has no outcome yet."""
    return Exists(Payment.objects.filter(order_number=order_number, state=PaymentState.PENDING))


def refunds_of(order_number: str) -> Sequence[Refund]:
    """The refunds of an order with their parts, oldest first."""
    return list(
        Refund.objects.filter(order_number=order_number).prefetch_related("parts__payment__card").order_by("pk")
    )


def refund_parts_of(order_number: str) -> Sequence[RefundPart]:
    """The parts in which the refunds of an order went back, or are on their way, oldest first; one query."""
    parts = RefundPart.objects.filter(refund__order_number=order_number)
    return list(parts.select_related("refund", "payment__card").order_by("refund_id", "pk"))


@dataclass(frozen=True, slots=True)
class Returnable:
    """What of an order line can be given back: paid, refunded before, and billed but not yet paid (R13)."""

    paid: Money
    refunded: Money
    unpaid: Money

    @property
    def refundable(self) -> Money:
        """Paid and not yet refunded."""
        return self.paid - self.refunded

    @property
    def actual_payment(self) -> Money:
        """The actual payment; of an order in milestones the bills generated so far."""
        return self.refundable + self.unpaid


def returnable(line_number: str, *, currency: str) -> Returnable:
    """What of an order line can be given back now."""
    return returnables({line_number: currency})[line_number]


_RETURNABLE = """
SELECT line, sum(paid), sum(refunded), sum(unpaid) FROM (
    SELECT line_number AS line, amount AS paid, refunded, 0 AS unpaid FROM billing_payment
    WHERE line_number = ANY(%(lines)s) AND line_number <> '' AND state = 'succeeded'
    UNION ALL
    SELECT m.line_number, 0, 0, b.amount FROM billing_milestone m JOIN billing_milestonebill b ON b.milestone_id = m.id
    WHERE m.line_number = ANY(%(lines)s) AND b.state IN ('open', 'overdue')
) r GROUP BY line
"""


def returnables(currencies: Mapping[str, str]) -> dict[str, Returnable]:
    """The same for several lines, each with its currency.

    One statement: a bill that is repaid meanwhile is seen as unpaid or as paid, never as neither.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RETURNABLE, {"lines": list(currencies)})
        sums = {line: amounts for line, *amounts in cursor.fetchall()}
    nothing = [Decimal(0)] * 3
    return {
        line: Returnable(*(Money(amount, currency) for amount in sums.get(line, nothing)))
        for line, currency in currencies.items()
    }


@dataclass(frozen=True, slots=True)
class LiveInvoice:
    """An invoice over an order line that was not returned, and the page on which it can be."""

    number: str
    url: str


_invoices: list[Callable[[Sequence[str]], Mapping[str, LiveInvoice]]] = []


def use_invoices(find: Callable[[Sequence[str]], Mapping[str, LiveInvoice]]) -> None:
    """Invoicing fills this port: the live invoices of order lines, by line number."""
    _invoices[:] = [find]


def live_invoices(line_numbers: Sequence[str]) -> Mapping[str, LiveInvoice]:
    """The live invoices of these order lines; none as long as nobody issues invoices."""
    return _invoices[0](line_numbers) if _invoices else {}


@dataclass(frozen=True, slots=True)
class EarnedMovement:
    """One movement of a line's *earned* as settlement takes it: a refund is a negative line."""

    line_number: str
    posting: str
    kind: PostingKind
    at: datetime
    movement: Movement


_EARNED = """
SELECT p.about, p.key, p.kind, p.at, e.currency, sum(e.amount) OVER (w ROWS UNBOUNDED PRECEDING) - e.amount, e.amount,
    coalesce((SELECT y.fee_percent FROM billing_payment y WHERE y.line_number = p.about AND y.state = 'succeeded'
        ORDER BY y.id LIMIT 1), 0)
FROM billing_ledgeraccount a JOIN billing_entry e ON e.account_id = a.id JOIN billing_posting p ON p.id = e.posting_id
WHERE a.kind = 'earned' AND a.owner = %(owner)s AND p.kind <> 'pay_out' AND p.about <> ''
    AND p.about IN (SELECT x.about FROM billing_entry f JOIN billing_posting x ON x.id = f.posting_id
        WHERE f.account_id = a.id AND x.at >= %(since)s AND x.at < %(until)s)
WINDOW w AS (PARTITION BY p.about, e.currency ORDER BY p.at, p.id)
ORDER BY p.at, p.id
"""


def earned_movements(seller_id: int, *, since: datetime, until: datetime) -> list[EarnedMovement]:
    """What a seller earned and gave back from `since` until before `until`, with the platform's fee on it.

    Each line's fee is taken by difference, so that whatever was settled before, refunds give back its share of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EARNED, {"owner": str(seller_id), "since": since, "until": until})
        rows = cursor.fetchall()
    return [
        EarnedMovement(
            line_number=line,
            posting=key,
            kind=PostingKind(kind),
            at=at,
            movement=split_movement(
                before=Money(before, currency), after=Money(before + amount, currency), percent=percent
            ),
        )
        for line, key, kind, at, currency, before, amount, percent in rows
        if since <= at < until
    ]


@dataclass(frozen=True, slots=True)
class RefundProgress:
    """What became of refunds: whether all arrived, when the last of it did, and whether operations are to look."""

    is_done: bool
    finished_at: datetime | None
    is_parked: bool


def refund_progress(keys: Sequence[str]) -> RefundProgress:
    """What became of the refunds of these keys; without any, all has arrived."""
    parts = RefundPart.objects.filter(refund__key__in=list(keys))
    states = list(parts.values_list("state", "finished_at", "parked_at"))
    waiting = [parked_at for state, _finished_at, parked_at in states if state == RefundState.PENDING]
    arrived = [finished_at for _state, finished_at, _parked_at in states if finished_at is not None]
    return RefundProgress(
        is_done=not waiting,
        finished_at=max(arrived, default=None),
        is_parked=any(parked_at is not None for parked_at in waiting),
    )


def refund_parts_by_key(prefix: str) -> Sequence[RefundPart]:
    """The parts of the refunds whose key begins so, oldest first; one query."""
    parts = RefundPart.objects.filter(refund__key__startswith=prefix)
    return list(parts.select_related("refund", "payment__card").order_by("refund_id", "pk"))


def refund_by_number(number: str) -> Refund | None:
    """A refund with its parts, for the platform and operations."""
    return Refund.objects.filter(number=number[:24]).prefetch_related("parts__payment__card").first()


def refunds_by_key(keys: Sequence[str]) -> list[Refund]:
    """The refunds of these keys with their parts, oldest first."""
    return list(Refund.objects.filter(key__in=list(keys)).prefetch_related("parts__payment__card").order_by("pk"))


_SELLER_MONEY = f"""
SELECT (SELECT coalesce(sum(l.balance), 0) FROM billing_ledgeraccount l
        WHERE l.kind = 'held' AND l.currency = %(currency)s AND l.balance > 0 AND l.owner IN
            (SELECT {HELD_OWNER} FROM billing_payment p WHERE p.seller_id = %(seller)s AND p.state = 'succeeded')),
    coalesce(sum(balance) FILTER (WHERE kind = 'earned'), 0), coalesce(sum(balance) FILTER (WHERE kind = 'settled'), 0)
FROM billing_ledgeraccount WHERE kind IN ('earned', 'settled') AND owner = %(owner)s AND currency = %(currency)s
"""  # noqa: S608  a constant


def seller_money(seller_id: int, *, currency: str = "USD") -> SellerMoney:
    """A seller's held, earned and settled money over all its orders."""
    with connection.cursor() as cursor:
        cursor.execute(_SELLER_MONEY, {"seller": seller_id, "owner": str(seller_id), "currency": currency})
        return SellerMoney(*(Money(amount, currency) for amount in cursor.fetchone()))


def last_ledger_check() -> LedgerCheck | None:
    """The result of the latest ledger check."""
    return LedgerCheck.objects.first()


def charges_of(account_id: int) -> QuerySet[Charge]:
    """The lines of Bills of an account, newest first."""
    return Charge.objects.filter(account_id=account_id)


def explained(charges: QuerySet[Charge]) -> QuerySet[Charge]:
    """Lines of Bills with `explanation`: how the amount came about, as their payments and refunds keep it."""
    return charges.annotate(
        explanation=Coalesce(
            Subquery(Payment.objects.filter(number=OuterRef("number")).values("explanation")),
            Subquery(Refund.objects.filter(number=OuterRef("number")).values("explanation")),
        )
    )


def top_ups_of(account_id: int) -> QuerySet[Payment]:
    """What came onto the balance and what was repaid, newest first."""
    return Payment.objects.filter(account_id=account_id).exclude(purpose__in=PAID_FOR_ORDERS).select_related("card")


def is_credit_overdue(account_id: int, *, at: datetime) -> bool:
    """Whether a credit statement of the account is past its due time and not repaid."""
    late = CreditStatement.objects.filter(account_id=account_id, repaid_at=None, due_at__lte=overdue_until(at))
    return late.exists()


def open_statements(account_id: int) -> list[CreditStatement]:
    """The credit statements that are not repaid, oldest first."""
    return list(CreditStatement.objects.filter(account_id=account_id, repaid_at=None).order_by("month"))


def statements_of(account_id: int) -> QuerySet[CreditStatement]:
    """Every credit statement of an account."""
    return CreditStatement.objects.filter(account_id=account_id)


def charges_behind(statement: CreditStatement) -> QuerySet[Charge]:
    """What was charged to and refunded to the credit since the statement before, until the end of its month."""
    earlier = statements_of(statement.account_id).filter(month__lt=statement.month).order_by("-month").first()
    charges = charges_of(statement.account_id).filter(
        method=PayMethod.CREDIT, at__lt=clock.day_start(_month_start(statement.month, -1))
    )
    if earlier is not None:
        charges = charges.filter(at__gte=clock.day_start(_month_start(earlier.month, -1)))
    return charges.select_related("customer")


def charged_for(statement: CreditStatement) -> Money:
    """The sum of these charges less refunds."""
    total = charges_behind(statement).aggregate(total=Sum("amount"))["total"]
    return Money(total or Decimal(0), statement.currency)


def reseller_debt(account_id: int, currency: str) -> Money:
    """What a reseller owes for the orders of its customers."""
    row = LedgerAccount.objects.filter(kind=LedgerKind.RESELLER_DUE, owner=str(account_id), currency=currency).first()
    return -row.money if row is not None else Money.zero(currency)


@dataclass(frozen=True, slots=True)
class MonthSpend:
    """Charges less refunds of a platform month."""

    start: date
    amount: Money


def spend_by_month(account_id: int, *, currency: str, months: int, at: datetime) -> list[MonthSpend]:
    """Charges less refunds of the last `months` platform months, the running one last."""
    starts = [_month_start(clock.platform_date(at), back) for back in reversed(range(months))]
    found = {
        month.date(): total
        for month, total in Charge.objects.filter(account_id=account_id, at__gte=clock.day_start(starts[0]))
        .annotate(month=TruncMonth("at", tzinfo=clock.platform_zone()))
        .order_by("month")
        .values_list("month")
        .annotate(total=Sum("amount"))
    }
    return [MonthSpend(start=start, amount=Money(found.get(start, Decimal(0)), currency)) for start in starts]


def spend_since(account_id: int, *, currency: str, since: datetime) -> Money:
    """Charges less refunds since a moment."""
    total = Charge.objects.filter(account_id=account_id, at__gte=since).aggregate(total=Sum("amount"))["total"]
    return Money(total or Decimal(0), currency)


@dataclass(frozen=True, slots=True)
class Month:
    """What an account was charged and refunded in a platform month."""

    start: date
    charged: Money
    refunded: Money

    @property
    def net(self) -> Money:
        """Charges less refunds."""
        return self.charged - self.refunded

    @property
    def label(self) -> str:
        """`2026-03`."""
        return f"{self.start:%Y-%m}"


def months_of(account_id: int, *, currency: str) -> list[Month]:
    """Every platform month with a charge or refund, newest first."""
    rows = (
        Charge.objects.filter(account_id=account_id)
        .annotate(month=TruncMonth("at", tzinfo=clock.platform_zone()))
        .order_by("-month")
        .values_list("month")
        .annotate(
            charged=Coalesce(Sum("amount", filter=Q(kind=ChargeKind.CHARGE)), Decimal(0)),
            refunded=Coalesce(-Sum("amount", filter=Q(kind=ChargeKind.REFUND)), Decimal(0)),
        )
    )
    return [
        Month(start=month.date(), charged=Money(charged, currency), refunded=Money(refunded, currency))
        for month, charged, refunded in rows
    ]


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """One platform month of an account: the balance's movements and what was charged by product."""

    first: date
    last: date
    opening: Money
    movements: list[tuple[str, Money]]
    closing: Money
    by_method: list[tuple[str, Money]]
    by_product: list[tuple[str, Money]]
    total: Money


def month_statement(account: Account, *, year: int, month: int) -> MonthStatement | None:
    """The statement of a platform month; None for a month that does not exist or lies in the future."""
    try:
        first = date(year, month, 1)
    except ValueError:
        return None
    if clock.day_start(first) > clock.now():
        return None
    after = (first + timedelta(days=32)).replace(day=1)
    start, end = clock.day_start(first), clock.day_start(after)
    currency = account.currency
    cash = Entry.objects.filter(
        account__kind=LedgerKind.CASH, account__owner=str(account.pk), account__currency=currency
    ).order_by()
    opening = cash.filter(posting__at__lt=start).aggregate(total=Sum("amount"))["total"] or Decimal(0)
    moved = [
        (str(PostingKind(kind).label), Money(total, currency))
        for kind, total in cash.filter(posting__at__gte=start, posting__at__lt=end)
        .values_list("posting__kind")
        .annotate(total=Sum("amount"))
        .order_by("posting__kind")
    ]
    charges = charges_of(account.pk).filter(at__gte=start, at__lt=end).order_by()
    by_method = [
        (str(PayMethod(method).label), Money(total, currency))
        for method, total in charges.values_list("method").annotate(total=Sum("amount")).order_by("method")
    ]
    described = charges.values_list("description", "description_zh").annotate(total=Sum("amount"))
    products: dict[str, Money] = {}
    for description, description_zh, total in described:
        product = Charge(description=description, description_zh=description_zh).product
        products[product] = products.get(product, Money.zero(currency)) + Money(total, currency)
    closing = Money(opening, currency) + sum((money for _name, money in moved), Money.zero(currency))
    return MonthStatement(
        first=first,
        last=after - timedelta(days=1),
        opening=Money(opening, currency),
        movements=moved,
        closing=closing,
        by_method=by_method,
        by_product=sorted(products.items(), key=lambda each: each[1].amount, reverse=True),
        total=sum((money for _name, money in by_method), Money.zero(currency)),
    )


def _month_start(day: date, back: int) -> date:
    index = day.year * 12 + day.month - 1 - back
    return date(index // 12, index % 12 + 1, 1)
