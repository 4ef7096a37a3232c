"""Enums of billing, their groupings and the tables of allowed moves."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from koogallery.kernel.states import Moves


class LedgerKind(models.TextChoices):
    """What a ledger account stands for. Positive means: the platform holds it for, or owes it to, the owner."""

    CASH = "cash", _("Cash")
    PLATFORM_CREDIT = "platform_credit", _("Platform credit")
    MILESTONE_CREDIT = "milestone_credit", _("Milestone credit")
    RECEIVABLE = "receivable", _("Receivable")
    RESELLER_DUE = "reseller_due", _("Due from reseller")
    HELD = "held", _("Held")
    EARNED = "earned", _("Earned")
    SETTLED = "settled", _("Settled")
    PLATFORM_FEE = "platform_fee", _("Platform fee")
    REFUNDS = "refunds", _("Refunds under way")
    CARD_CLEARING = "card_clearing", _("Card clearing")
    FUNDING = "funding", _("Funding")
    CREDIT_GRANTED = "credit_granted", _("Credit granted")


NEGATIVE_KINDS = (
    LedgerKind.RESELLER_DUE,
    LedgerKind.EARNED,
    LedgerKind.CARD_CLEARING,
    LedgerKind.FUNDING,
    LedgerKind.CREDIT_GRANTED,
)
"""Kinds whose balance may be negative: money that is owed to the platform or lies outside it. A seller's *earned* is
negative when refunds exceed what has been earned since the last pay-out."""

ORDER_KINDS = (LedgerKind.HELD, LedgerKind.EARNED, LedgerKind.SETTLED)
"""The three columns that buyer and seller see per order."""


class PostingKind(models.TextChoices):
    """What a posting records."""

    TOP_UP = "top_up", _("Top-up")
    FUNDS = "funds", _("Funds added by operations")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    BILL = "bill", _("Milestone bill")
    BILL_ENDED = "bill_ended", _("Milestone bill repaid or withdrawn")
    BILL_LOWERED = "bill_lowered", _("Milestone bill lowered")
    CREDIT = "credit", _("Credit limit")
    REPAYMENT = "repayment", _("Repayment")
    PAYMENT = "payment", _("Payment")
    EARNING = "earning", _("Earned")
    REFUND = "refund", _("Refund")
    CARD_REFUND = "card_refund", _("Refund to card")
    PAY_OUT = "pay_out", _("Pay-out")


class PayMethod(models.TextChoices):
    """How money comes in."""

    BALANCE = "balance", _("Account balance")
    CARD = "card", _("Card")
    CREDIT = "credit", _("Platform credit")
    RESELLER = "reseller", _("Reseller")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    FUNDS = "funds", _("Added by operations")


class PaymentPurpose(models.TextChoices):
    """What a payment is for."""

    ORDER = "order", _("Order")
    BILL = "bill", _("Milestone bill")
    TOP_UP = "top_up", _("Top-up")
    REPAYMENT = "repayment", _("Repayment")


class PaymentState(models.TextChoices):
    """The life of a payment."""

    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return {"pending": "info", "succeeded": "success", "failed": "danger"}[self.value]


PAYMENT_MOVES = Moves(
    {
        PaymentState.PENDING: {PaymentState.SUCCEEDED, PaymentState.FAILED},
        PaymentState.SUCCEEDED: set(),
        PaymentState.FAILED: set(),
    }
)


class GatewayOutcome(models.TextChoices):
    """What the card gateway said last about a payment or refund."""

    NONE = "", _("Not asked")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    UNKNOWN = "unknown", _("No answer yet")


class RefundDestination(models.TextChoices):
    """Where a refund goes."""

    BALANCE = "balance", _("Account balance")
    CARD = "card", _("Card")
    CREDIT = "credit", _("Platform credit")
    RESELLER = "reseller", _("Reseller")


class RefundState(models.TextChoices):
    """The life of one part of a refund."""

    PENDING = "pending", _("On its way")
    DONE = "done", _("Refunded")


class RefundStatus(models.TextChoices):
    """What pages show of one part of a refund: failed is one that the gateway left unclear, until it is tried again."""

    PENDING = "pending", _("On its way")
    DONE = "done", _("Refunded")
    FAILED = "failed", _("Refund failed")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return {"pending": "info", "done": "success", "failed": "danger"}[self.value]


REFUND_MOVES = Moves({RefundState.PENDING: {RefundState.DONE}, RefundState.DONE: set()})


class ChargeKind(models.TextChoices):
    """A line of Bills."""

    CHARGE = "charge", _("Charge")
    REFUND = "refund", _("Refund")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return {"charge": "neutral", "refund": "info"}[self.value]


class CreditKind(models.TextChoices):
    """The two credits of a postpaid account."""

    PLATFORM = "platform", _("Platform credit")
    MILESTONE = "milestone", _("Milestone credit")

    @property
    def ledger_kind(self) -> LedgerKind:
        """The ledger account that holds what is available of it."""
        return LedgerKind.PLATFORM_CREDIT if self is CreditKind.PLATFORM else LedgerKind.MILESTONE_CREDIT


class StatementState(models.TextChoices):
    """A credit statement at a moment."""

    OPEN = "open", pgettext_lazy("state", "Open")
    OVERDUE = "overdue", _("Overdue")
    REPAID = "repaid", _("Repaid")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return {"open": "info", "overdue": "danger", "repaid": "success"}[self.value]


class BillState(models.TextChoices):
    """The life of a milestone bill."""

    OPEN = "open", pgettext_lazy("state", "Open")
    OVERDUE = "overdue", _("Overdue")
    REPAID = "repaid", _("Repaid")
    WITHDRAWN = "withdrawn", _("Withdrawn")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return {"open": "info", "overdue": "danger", "repaid": "success", "withdrawn": "neutral"}[self.value]


BILL_MOVES = Moves(
    {
        BillState.OPEN: {BillState.OVERDUE, BillState.REPAID, BillState.WITHDRAWN},
        BillState.OVERDUE: {BillState.REPAID, BillState.WITHDRAWN},
        BillState.REPAID: set(),
        BillState.WITHDRAWN: set(),
    }
)
UNPAID_BILLS = (BillState.OPEN, BillState.OVERDUE)
"""States in which a bill still uses milestone credit."""
PAID_FOR_ORDERS = (PaymentPurpose.ORDER, PaymentPurpose.BILL)
"""Purposes of payments whose money is held for an order line."""
