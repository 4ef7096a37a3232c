"""Monthly statements of platform credit: generated on the 3rd, reminded of, lowered by repayments and refunds."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import F, Max, Min, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.models import CreditLine, CreditStatement, LedgerAccount, Payment
from billing.rules.bills import is_overdue
from billing.rules.bills import next_reminder as following
from billing.rules.terms import due_within
from billing.states import CreditKind, LedgerKind, PaymentPurpose, PaymentState, PayMethod
from koogallery import clock
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing
from koogallery.notifications.operations import notify

logger = logging.getLogger(__name__)

STATEMENT_DAY = 3
DUE_DAYS = 30


def lower(*, account_id: int, amount: Money, at: datetime) -> Money:
    """Take a repayment or refund off the open statements, oldest first; how much of it is owed at all.

    Locks the credit line, so that statements and repayments of an account take turns.
    """
    lines = CreditLine.objects.select_for_update(no_key=True).filter(account_id=account_id, kind=CreditKind.PLATFORM)
    if (line := lines.first()) is None:
        return Money.zero(amount.currency)
    lowered = max(min(amount, _owed(line)), Money.zero(amount.currency))
    left = lowered
    for statement in CreditStatement.objects.filter(account_id=account_id, repaid_at=None).order_by("month"):
        part = min(left, statement.outstanding)
        if not part:
            break
        statement.repaid += part.amount
        if not statement.outstanding:
            statement.repaid_at, statement.remind_at = at, None
        statement.save(update_fields=["repaid", "repaid_at", "remind_at"])
        left -= part
    return lowered


def generate(upto: datetime) -> int:
    """Write the statements that should exist by now and do not, one for each month whose 3rd has passed; how many.

    An account whose statements fail does not keep the others from theirs. Raises `ExceptionGroup` of all failures at
    the end, so that the run is repeated like any that failed.
    """
    last = _previous_month(clock.platform_date(upto) - timedelta(days=STATEMENT_DAY - 1))
    lines = CreditLine.objects.filter(kind=CreditKind.PLATFORM).exclude(
        account__in=CreditStatement.objects.filter(month=last).values("account")
    )
    made, failures = 0, []
    for line in lines.select_related("account").order_by("pk"):
        try:
            made += _catch_up(line, last=last, upto=upto)
        except Exception as failure:  # whatever it was, the other accounts are served first; it is raised again
            logger.exception("credit_statement_failed", extra={"account": line.account.number})
            failures.append(failure)
    if failures:
        raise ExceptionGroup("Credit statements that could not be written.", failures)
    return made


def _catch_up(line: CreditLine, *, last: date, upto: datetime) -> int:
    """Issue the statements of an account month by month, from the one after its latest to `last`; how many."""
    month, made = _first_unstated(line), 0
    while month is not None and month <= last:
        statement = issue(system_call(at=upto, account=line.account), line=line.pk, month=month)
        made += statement is not None
        month = _next_month(month)
    return made


def _first_unstated(line: CreditLine) -> date | None:
    """The month after the latest statement, else of the first charge to the credit; None when nothing is unstated."""
    if _unstated(line) <= 0:
        return None
    latest = CreditStatement.objects.filter(account=line.account_id).aggregate(month=Max("month"))["month"]
    if latest is not None:
        return _next_month(latest)
    first = _charged(line).aggregate(at=Min("finished_at"))["at"]
    return clock.platform_date(first).replace(day=1) if first is not None else None


def _line_locked(call: Call, key: int) -> CreditLine:
    line = CreditLine.objects.select_for_update(no_key=True, of=("self",)).select_related("account").filter(pk=key)
    if (found := line.first()) is None:
        raise Missing("No such credit line.")
    return found


@operation("issueCreditStatement", resource_type="CreditStatement", roles={Role.SYSTEM}, targets={"line": _line_locked})
def issue(call: Call, *, line: CreditLine, month: date) -> CreditStatement | None:
    """State what is owed on platform credit since before the end of `month` and not stated; None when nothing is."""
    if CreditStatement.objects.filter(account=line.account_id, month=month).exists():
        untraced()
        return None
    later = _charged(line).filter(finished_at__gte=clock.day_start(_next_month(month)))
    left = later.aggregate(left=Coalesce(Sum(F("amount") - F("refunded")), Decimal(0)))["left"]
    amount = _unstated(line) - left
    if amount <= 0:
        untraced()
        return None
    statement = CreditStatement(
        number=ids.numbered("ST", at=call.at),
        account=line.account,
        month=month,
        amount=amount,
        currency=line.currency,
        generated_at=call.at,
        due_at=due_within(generated_at=call.at, days=DUE_DAYS),
    )
    statement.remind_at = following(last_day=statement.last_day, after=call.at)
    statement.save(force_insert=True)
    describe(resource=statement, amount=statement.money, due=statement.due_at)
    notify(
        account_id=line.account_id,
        kind="credit_statement",
        params={"month": f"{month:%Y-%m}", "amount": statement.money, "due": statement.due_at},
        link=statement.get_absolute_url(),
        key=f"credit-statement:{statement.number}",
        at=call.at,
    )
    return statement


def remind_due(statement_ids: list[int], upto: datetime) -> None:
    """Send the reminders that are due of claimed statements."""
    for key in statement_ids:
        remind(system_call(at=upto), statement=key)


def _statement_locked(call: Call, key: int) -> CreditStatement:
    statement = CreditStatement.objects.select_for_update(no_key=True).filter(pk=key).first()
    if statement is None:
        raise Missing("No such statement.")
    return statement


@operation(
    "remindOfCreditStatement",
    resource_type="CreditStatement",
    roles={Role.SYSTEM},
    targets={"statement": _statement_locked},
)
def remind(call: Call, *, statement: CreditStatement) -> CreditStatement:
    """Remind once of an unpaid statement, 7 and 1 days before and after its due date."""
    if statement.repaid_at is not None or statement.remind_at is None or statement.remind_at > call.at:
        untraced()
        return statement
    late = is_overdue(due_at=statement.due_at, at=call.at)
    notify(
        account_id=statement.account_id,
        kind="credit_statement_overdue" if late else "credit_statement_due",
        params={"month": f"{statement.month:%Y-%m}", "amount": statement.outstanding, "due": statement.due_at},
        link=statement.get_absolute_url(),
        key=f"credit-reminder:{statement.number}:{statement.remind_at:%Y%m%d}",
        at=call.at,
    )
    statement.remind_at = following(last_day=statement.last_day, after=call.at)
    statement.save(update_fields=["remind_at"])
    return statement


def _unstated(line: CreditLine) -> Decimal:
    """What is owed and stands in no statement."""
    stated = CreditStatement.objects.filter(account=line.account_id, repaid_at=None).aggregate(
        left=Coalesce(Sum(F("amount") - F("repaid")), Decimal(0))
    )["left"]
    return _owed(line).amount - stated


def _charged(line: CreditLine) -> QuerySet[Payment]:
    """What was charged to the credit."""
    return Payment.objects.filter(
        payer=line.account_id, method=PayMethod.CREDIT, purpose=PaymentPurpose.ORDER, state=PaymentState.SUCCEEDED
    )


def _owed(line: CreditLine) -> Money:
    available = (
        LedgerAccount.objects.filter(
            kind=LedgerKind.PLATFORM_CREDIT, owner=str(line.account_id), currency=line.currency
        )
        .values_list("balance", flat=True)
        .first()
    )
    return Money(line.limit - (available or Decimal(0)), line.currency)


def _previous_month(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)
