"""Repaying the bill of a milestone, in full: from the balance, by card, or by a bank transfer that arrived.

By card in two phases, as `paying` has it: the intent is committed, the gateway is asked outside of any transaction, the
answer is booked once, by this process or the sweep `card-payments`. Whoever repays holds milestone, bill and payments
locked, in this order. A frozen account may repay.
"""

from __future__ import annotations

from billing.models import Milestone, MilestoneBill, Payment
from billing.operations import ledger, paying, settling_cards
from billing.operations.paying import PaymentSubject
from billing.operations.reading import own_milestone_bill
from billing.states import PaymentPurpose, PaymentState, PayMethod
from koogallery.identity.states import AccountKind
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.money import Money
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused

LONGEST = 255


def repay(call: Call, *, bill: str, method: str) -> Payment:
    """Repay a bill from `balance` or by `card:<code>`: Succeeded, Failed, or Pending while the card is checked.

    Not to be called inside a transaction. Raises `Refused`: `bill_not_open`, `payment_in_progress`, `reseller_pays`,
    `balance_too_low`, `card_unknown`, `payment_method_unknown` for any other method.
    """
    kind, _separator, code = method.partition(":")
    if kind != PayMethod.CARD or not code:
        return repay_at_once(call, bill=bill, method=method)
    payment = start_by_card(call, bill=bill, card=code)
    paying.ask_gateway(payment, at=call.at)
    concluding = system_call(
        at=call.at,
        account=call.account,
        on_behalf_of=call.user.sign_in_name if call.user else call.on_behalf_of,
        request_id=call.request_id,
    )
    return settling_cards.settle_payment(concluding, payment=payment.number)


def own_bill_locked(call: Call, number: str) -> MilestoneBill:
    """A milestone bill of the call's account, locked after its milestone. Raises `Missing`."""
    return _locked(own_milestone_bill(call, number))


def bill_locked(call: Call, number: str) -> MilestoneBill:
    """The milestone bill of that number, locked after its milestone. Raises `Missing`."""
    found = MilestoneBill.objects.filter(number=str(number)[:24]).first()
    if found is None:
        raise Missing(f"No milestone bill {number}.")
    return _locked(found)


def _locked(bill: MilestoneBill) -> MilestoneBill:
    milestone = Milestone.objects.select_for_update(no_key=True).get(pk=bill.milestone_id)
    bill = MilestoneBill.objects.select_for_update(no_key=True).get(pk=bill.pk)
    bill.milestone = milestone
    return bill


@operation(
    "repayMilestoneBill",
    resource_type="MilestoneBill",
    action="marketplace:payment:repayMilestoneBill",
    roles={Role.BUYER},
    targets={"bill": own_bill_locked},
    once=True,
)
def repay_at_once(call: Call, *, bill: MilestoneBill, method: str) -> Payment:
    """Repay a bill from the balance, in one transaction. Raises `Refused` as `repay` does."""
    _check(call, bill)
    if method != PayMethod.BALANCE:
        raise Refused("payment_method_unknown", field="method")
    payment = _book(call, bill, method=PayMethod.BALANCE, source=ledger.cash(bill.account_id))
    describe(resource=bill, payment=payment.number, amount=bill.money, method=method)
    return payment


@operation(
    "startMilestoneRepayment",
    resource_type="MilestoneBill",
    action="marketplace:payment:repayMilestoneBill",
    roles={Role.BUYER},
    targets={"bill": own_bill_locked},
    once=True,
)
def start_by_card(call: Call, *, bill: MilestoneBill, card: str) -> Payment:
    """Write down that a bill is being repaid by the card of that code; nothing is charged before this has committed.

    Raises `Refused` as `repay` does.
    """
    _check(call, bill)
    payment = paying.save_pending(_payment(call, bill, method=PayMethod.CARD), card=card)
    describe(resource=bill, payment=payment.number, amount=bill.money)
    return payment


@operation(
    "bookMilestoneTransfer",
    resource_type="MilestoneBill",
    action="marketplace:payment:bookMilestoneTransfer",
    roles={Role.OPERATOR},
    targets={"bill": bill_locked},
    once=True,
)
def book_transfer(call: Call, *, bill: MilestoneBill, amount: Money, reference: str) -> Payment:
    """Book a bank transfer that has arrived as the repayment of a bill; `reference` is the bank's.

    Raises `Refused`: `bill_not_open`, `payment_in_progress`, `bank_reference_missing`, `transfer_differs` unless it is
    exactly what is due.
    """
    _check(call, bill)
    if not reference.strip():
        raise Refused("bank_reference_missing", field="reference")
    if amount != bill.money:
        raise Refused("transfer_differs", field="amount", due=bill.money)
    payment = _book(
        call, bill, method=PayMethod.BANK_TRANSFER, source=ledger.funding(), note=reference.strip()[:LONGEST]
    )
    describe(resource=bill, payment=payment.number, amount=bill.money, reference=payment.note)
    return payment


def _check(call: Call, bill: MilestoneBill) -> None:
    if bill.account.kind == AccountKind.RESELLER_CUSTOMER:
        raise Refused("reseller_pays")
    if not bill.is_unpaid:
        raise Refused("bill_not_open", state=bill.state_enum.label)
    pending = Payment.objects.filter(
        order_number=bill.order_number,
        line_number=bill.milestone.line_number,
        part=bill.milestone.part,
        state=PaymentState.PENDING,
    )
    if pending.exists():
        raise Refused("payment_in_progress")


def _book(call: Call, bill: MilestoneBill, *, method: PayMethod, source: ledger.LedgerRef, note: str = "") -> Payment:
    payment = _payment(call, bill, method=method)
    payment.note = note
    payment.state, payment.finished_at = PaymentState.SUCCEEDED, call.at
    with ledger.refusing(one_live_payment_per_line="already_paid", ledger_balance_not_negative="balance_too_low"):
        payment.save(force_insert=True)
        paying.book(payment, source=source)
    return payment


def _payment(call: Call, bill: MilestoneBill, *, method: PayMethod) -> Payment:
    milestone = bill.milestone
    told = f" · {milestone.position}/{milestone.count} {milestone.name}"
    payment = paying.new_payment(
        call,
        subject=PaymentSubject(
            order_number=milestone.order_number,
            line_number=milestone.line_number,
            account_id=bill.account_id,
            seller_id=milestone.seller_id,
            fee_percent=milestone.fee_percent,
            product_code=milestone.product_code,
            description=milestone.description[: LONGEST - len(told)] + told,
            description_zh=milestone.description_zh and milestone.description_zh[: LONGEST - len(told)] + told,
            project_code=milestone.project_code,
            tags=milestone.tags,
            part=milestone.part,
            explanation=milestone.explanation,
        ),
        amount=bill.money,
        method=method,
        payer_id=bill.account_id,
    )
    payment.purpose = PaymentPurpose.BILL
    return payment
