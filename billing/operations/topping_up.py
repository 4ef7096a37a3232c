"""Money onto an account's balance: by card, by bank transfer, or added by operations."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.models import Payment
from billing.operations import ledger, paying
from billing.states import PAID_FOR_ORDERS, PaymentPurpose, PaymentState, PayMethod
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.operations import notify

if TYPE_CHECKING:
    from koogallery.identity.models import Account

MOST = Decimal(1_000_000)


def account_locked(call: Call, number: str) -> Account:
    """The account of that number, locked. Raises `Missing`."""
    return identity.locked_account_by_number(number)


def top_up(call: Call, *, amount: Money, card: str) -> Payment:
    """Top up by card, in two phases; Succeeded, Failed, or Pending when the gateway's answer is lost.

    Not to be called inside a transaction. Raises `Refused`.
    """
    payment = start_top_up(call, amount=amount, card=card)
    paying.ask_gateway(payment, at=call.at)
    return finish(call, payment)


def finish(call: Call, payment: Payment) -> Payment:
    """Book the answer to a card payment that the caller has begun: money once taken asks for no permission."""
    return finish_top_up(
        system_call(
            at=call.at,
            account=call.account,
            on_behalf_of=call.user.sign_in_name if call.user else call.on_behalf_of,
            request_id=call.request_id,
        ),
        payment=payment.number,
    )


@operation("topUp", resource_type="Payment", roles={Role.BUYER}, once=True)
def start_top_up(call: Call, *, amount: Money, card: str) -> Payment:
    """Write a Pending top-up; a frozen account may. Raises `Refused`."""
    check_payable(call.account, amount)
    return paying.save_pending(
        new_payment(call, account=call.account, amount=amount, method=PayMethod.CARD, purpose=PaymentPurpose.TOP_UP),
        card=card,
    )


def _top_up_locked(call: Call, number: str) -> Payment:
    payment = paying.payment_locked(call, number)
    if payment.account_id != call.account_id or payment.purpose in PAID_FOR_ORDERS:
        raise Missing(f"No payment {number}.")
    return payment


@operation("finishTopUp", resource_type="Payment", roles={Role.SYSTEM}, targets={"payment": _top_up_locked})
def finish_top_up(call: Call, *, payment: Payment) -> Payment:
    """Book what the gateway answered to a top-up or repayment by card."""
    payment = paying.finish_card(call, payment)
    describe(state=payment.state, amount=payment.money, failure=payment.failure)
    return payment


@operation(
    "addFunds",
    resource_type="Account",
    action="marketplace:account:addFunds",
    roles={Role.OPERATOR, Role.SYSTEM},
    targets={"account": account_locked},
    once=True,
)
def add_funds(call: Call, *, account: Account, amount: Money, note: str = "") -> Payment:
    """Put money on an account's balance without a payment. Raises `Refused`."""
    return _book(call, account=account, amount=amount, method=PayMethod.FUNDS, note=note)


@operation(
    "bookBankTransfer",
    resource_type="Account",
    action="marketplace:payment:bookBankTransfer",
    roles={Role.OPERATOR, Role.SYSTEM},
    targets={"account": account_locked},
    once=True,
)
def book_bank_transfer(call: Call, *, account: Account, amount: Money, note: str) -> Payment:
    """Put a bank transfer that has arrived on an account's balance; `note` is the bank's reference."""
    return _book(call, account=account, amount=amount, method=PayMethod.BANK_TRANSFER, note=note)


def check_payable(account: Account, amount: Money) -> None:
    """Raise `Refused` unless the account can pay in this amount."""
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        raise Refused("reseller_pays")
    paying.check_amount(amount)
    if amount.amount > MOST:
        raise Refused("amount_too_large", field="amount", limit=Money(MOST, amount.currency))


def new_payment(
    call: Call, *, account: Account, amount: Money, method: PayMethod, purpose: PaymentPurpose, note: str = ""
) -> Payment:
    """An unsaved payment that belongs to no order."""
    if amount.currency != account.currency:
        raise Refused("invalid_input", field="amount")
    return Payment(
        number=ids.numbered("PY", at=call.at),
        purpose=purpose,
        method=method,
        account=account,
        payer=account,
        amount=amount.amount,
        currency=amount.currency,
        description=str(purpose.label),
        note=note[:255],
        created_at=call.at,
    )


def _book(call: Call, *, account: Account, amount: Money, method: PayMethod, note: str) -> Payment:
    check_payable(account, amount)
    payment = new_payment(
        call, account=account, amount=amount, method=method, purpose=PaymentPurpose.TOP_UP, note=note.strip()
    )
    payment.state, payment.finished_at = PaymentState.SUCCEEDED, call.at
    payment.save(force_insert=True)
    paying.book(payment, source=ledger.funding())
    describe(resource=account, payment=payment.number, amount=amount)
    notify(
        account_id=account.pk,
        kind="balance_increased",
        params={"amount": amount, "note": payment.note},
        link="/console/billing/",
        key=f"balance-increased:{payment.number}",
        at=call.at,
        mail=method == PayMethod.BANK_TRANSFER,
    )
    return payment
