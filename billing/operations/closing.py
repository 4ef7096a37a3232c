"""What an operations manager does with card payments and refunds that the gateway left unclear."""

from __future__ import annotations

from billing.events import CardPaymentSettled
from billing.models import Payment, Refund, RefundPart
from billing.operations import paying
from billing.operations.settling_cards import payment_in_turn
from billing.states import GatewayOutcome, PaymentPurpose, PaymentState, RefundState
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, may, operation
from koogallery.kernel.reasons import Missing, Refused


@operation(
    "retryPayment",
    resource_type="Payment",
    roles={Role.OPERATOR},
    targets={"payment": paying.payment_locked},
)
def retry_payment(call: Call, *, payment: Payment) -> Payment:
    """Have the gateway asked again what became of a Pending payment. Raises `Refused("payment_finished")`."""
    _check_pending(payment)
    payment.attempts, payment.parked_at, payment.next_try_at = 0, None, call.at
    payment.save(update_fields=["attempts", "parked_at", "next_try_at"])
    return payment


def close_payment(call: Call, *, payment: str) -> Payment:
    """Look once more what became of the charge, then book a Pending payment as failed.

    Not to be called inside a transaction. Raises `Refused`: `payment_finished`, also when the card turns out to be
    charged, and `payment_in_progress` while the gateway has the charge under way.
    """
    found = Payment.objects.filter(number=payment, card__isnull=False).first()
    if found is not None and may(call, "closePayment", found) is None:
        paying.ask_gateway(found, at=call.at, only_look=True)
    return book_as_failed(call, payment=payment)


@operation(
    "closePayment",
    resource_type="Payment",
    roles={Role.OPERATOR},
    targets={"payment": payment_in_turn},
)
def book_as_failed(call: Call, *, payment: Payment) -> Payment:
    """Book a Pending payment as failed after the gateway was asked by hand."""
    _check_pending(payment)
    if payment.outcome == GatewayOutcome.APPROVED:
        raise Refused("payment_finished")
    if payment.outcome == GatewayOutcome.UNKNOWN and payment.failure == paying.UNDER_WAY:
        raise Refused("payment_in_progress")
    payment.state, payment.finished_at, payment.outcome = PaymentState.FAILED, call.at, GatewayOutcome.DECLINED
    payment.failure, payment.next_try_at, payment.parked_at = paying.CLOSED, None, None
    payment.save(update_fields=["state", "finished_at", "outcome", "failure", "next_try_at", "parked_at"])
    if payment.purpose == PaymentPurpose.ORDER:
        events.publish(
            CardPaymentSettled(
                payment_number=payment.number,
                order_number=payment.order_number,
                line_number=payment.line_number,
                succeeded=False,
                at=call.at,
            )
        )
    return payment


def _refund_locked(call: Call, number: str) -> Refund:
    refund = Refund.objects.select_for_update(no_key=True).filter(number=number).first()
    if refund is None:
        raise Missing(f"No refund {number}.")
    return refund


@operation("retryRefund", resource_type="Refund", roles={Role.OPERATOR}, targets={"refund": _refund_locked})
def retry_refund(call: Call, *, refund: Refund) -> Refund:
    """Try the parts of a refund again that the gateway left unclear."""
    parts = RefundPart.objects.filter(refund=refund, state=RefundState.PENDING).exclude(parked_at=None)
    count = parts.update(attempts=0, parked_at=None, next_try_at=call.at)
    describe(parts=count)
    return refund


def _check_pending(payment: Payment) -> None:
    if payment.state != PaymentState.PENDING:
        raise Refused("payment_finished")
