"""Credit: granted and changed by finance, repaid by the customer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from billing import queries
from billing.models import CreditChange, CreditLine, Payment
from billing.operations import ledger, paying
from billing.operations.topping_up import account_locked, check_payable, finish, new_payment
from billing.states import CreditKind, PaymentPurpose, PaymentState, PayMethod, PostingKind
from koogallery.identity.operations.accounts import make_postpaid
from koogallery.identity.states import AccountKind
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import notify
from koogallery.tickets.operations import handling
from koogallery.tickets.queries.tickets import visible_ticket_locked
from koogallery.tickets.states import Act, TicketKind, after

if TYPE_CHECKING:
    from koogallery.identity.models import Account
    from koogallery.tickets.models import Ticket

LEDGER_REFS = {CreditKind.PLATFORM: ledger.platform_credit, CreditKind.MILESTONE: ledger.milestone_credit}


@operation(
    "grantCredit",
    resource_type="Account",
    action="marketplace:account:grantCredit",
    roles={Role.OPERATOR, Role.SYSTEM},
    targets={"account": account_locked},
    once=True,
)
def grant_credit(call: Call, *, account: Account, kind: CreditKind, limit: Money, reason: str = "") -> CreditLine:
    """Set the limit of one credit of a direct postpaid account; the change is kept with its reason.

    Raises `Refused`: `not_postpaid`, `credit_in_use` below what is used, `credit_reserved` below what is used and what
    open milestone orders will still be billed, `amount_not_positive` below zero.
    """
    kind = CreditKind(kind)
    if account.kind != AccountKind.POSTPAID:
        raise Refused("not_postpaid")
    if limit.amount < 0:
        raise Refused("amount_not_positive", field="limit")
    if not limit.is_whole() or limit.currency != account.currency:
        raise Refused("amount_not_whole", field="limit", currency=account.currency)
    line = CreditLine.objects.select_for_update().filter(account=account, kind=kind).first()
    if line is None:
        line = CreditLine(account=account, kind=kind, limit=Decimal(0), currency=account.currency, granted_at=call.at)
    before = line.money
    if limit < before and kind is CreditKind.MILESTONE:
        _check_reserved(account, limit, at=call.at)
    line.limit = limit.amount
    line.save()
    change = CreditChange.objects.create(
        credit_line=line,
        before=before.amount,
        after=limit.amount,
        reason=reason.strip()[:255],
        changed_by=call.user.sign_in_name if call.user else "",
        at=call.at,
    )
    more = limit - before
    if more:
        ref = LEDGER_REFS[kind](account.pk)
        with ledger.refusing(ledger_balance_not_negative="credit_in_use"):
            ledger.post(
                key=f"credit:{change.pk}",
                kind=PostingKind.CREDIT,
                at=call.at,
                about=account.number,
                entries=[(ledger.credit_granted(account.pk), -more), (ref, more)],
            )
    describe(resource=account, kind=kind, before=before, after=limit)
    notify(
        account_id=account.pk,
        kind="credit_changed",
        params={"before": before, "after": limit},
        link="/console/billing/",
        key=f"credit-changed:{change.pk}",
        at=call.at,
    )
    return line


def _check_reserved(account: Account, limit: Money, *, at: datetime) -> None:
    credit = queries.credit(account.pk, CreditKind.MILESTONE, at=at)
    if credit is not None and credit.reserved and limit < credit.owed + credit.reserved:
        raise Refused(
            "credit_reserved",
            field="limit",
            least=credit.owed + credit.reserved,
            used=credit.owed,
            reserved=credit.reserved,
        )


@operation(
    "grantCreditPayment",
    resource_type="Ticket",
    action="marketplace:credit:grantCreditPayment",
    roles={Role.OPERATOR},
    targets={"ticket": visible_ticket_locked},
    once=True,
)
def grant_credit_payment(call: Call, *, ticket: Ticket, limit: Money, text: str) -> Ticket:
    """Do what a ticket for credit payment asks: a direct account becomes postpaid, gets the limit, and the ticket ends.

    Raises `Refused`: `ticket_not_for_credit`, `ticket_state` when a colleague was faster, `reseller_pays`,
    `amount_not_positive`, `amount_not_whole`, `credit_in_use`, and what `text` is refused for.
    """
    if ticket.kind != TicketKind.CREDIT_PAYMENT or ticket.account is None:
        raise Refused("ticket_not_for_credit")
    after(Act.RESOLVE, ticket.state_enum)
    if limit.amount <= 0:
        raise Refused("amount_not_positive", field="limit")
    account = make_postpaid(call, account=account_locked(call, ticket.account.number))
    grant_credit(call, account=account, kind=CreditKind.PLATFORM, limit=limit, reason=ticket.number)
    handling.resolve(call, ticket=ticket, text=text)
    describe(limit=limit)
    return ticket


def repay(call: Call, *, amount: Money, method: str) -> Payment:
    """Repay platform credit from `balance` or by `card:<code>`; frozen accounts may. Raises `Refused`."""
    if method == PayMethod.BALANCE:
        return repay_from_balance(call, amount=amount)
    payment = start_repayment(call, amount=amount, card=method.removeprefix("card:"))
    paying.ask_gateway(payment, at=call.at)
    return finish(call, payment)


@operation("repayCredit", resource_type="Payment", roles={Role.BUYER}, once=True)
def repay_from_balance(call: Call, *, amount: Money) -> Payment:
    """Repay at once from the balance. Raises `Refused`."""
    _check_repayable(call, amount)
    payment = new_payment(
        call, account=call.account, amount=amount, method=PayMethod.BALANCE, purpose=PaymentPurpose.REPAYMENT
    )
    payment.state, payment.finished_at = PaymentState.SUCCEEDED, call.at
    payment.save(force_insert=True)
    with ledger.refusing(ledger_balance_not_negative="balance_too_low"):
        paying.book(payment, source=ledger.cash(call.account.pk))
    describe(amount=amount)
    return payment


@operation("startRepayment", resource_type="Payment", roles={Role.BUYER}, once=True)
def start_repayment(call: Call, *, amount: Money, card: str) -> Payment:
    """Write a Pending repayment by card. Raises `Refused`."""
    _check_repayable(call, amount)
    return paying.save_pending(
        new_payment(call, account=call.account, amount=amount, method=PayMethod.CARD, purpose=PaymentPurpose.REPAYMENT),
        card=card,
    )


def _check_repayable(call: Call, amount: Money) -> None:
    check_payable(call.account, amount)
    credit = queries.credit(call.account.pk)
    if credit is None or not credit.owed:
        raise Refused("nothing_owed")
    if amount > credit.owed:
        raise Refused("repayment_exceeds_owed", field="amount", owed=credit.owed)
