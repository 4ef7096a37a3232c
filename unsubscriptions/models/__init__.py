"""Rows of unsubscription."""

from unsubscriptions.models.agreement import SpecialAgreement
from unsubscriptions.models.payout import Payout
from unsubscriptions.models.request import Request, RequestFile

__all__ = ["Payout", "Request", "RequestFile", "SpecialAgreement"]
