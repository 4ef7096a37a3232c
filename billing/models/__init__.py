"""Rows of billing, one noun per file."""

from billing.models.card import Card
from billing.models.charge import Charge
from billing.models.credit import CreditChange, CreditLine, CreditStatement
from billing.models.ledger import Entry, LedgerAccount, Posting
from billing.models.ledger_check import LedgerCheck
from billing.models.milestone import Milestone, MilestoneBill
from billing.models.payment import Payment
from billing.models.refund import Refund, RefundPart
from billing.models.sandbox import SandboxCharge, SandboxRefund

__all__ = [
    "Card",
    "Charge",
    "CreditChange",
    "CreditLine",
    "CreditStatement",
    "Entry",
    "LedgerAccount",
    "LedgerCheck",
    "Milestone",
    "MilestoneBill",
    "Payment",
    "Posting",
    "Refund",
    "RefundPart",
    "SandboxCharge",
    "SandboxRefund",
]
