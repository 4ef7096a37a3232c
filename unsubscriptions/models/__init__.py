"""Rows of unsubscription."""

from unsubscriptions.models.agreement import SpecialAgreement
from unsubscriptions.models.free_use import FreeUse
from unsubscriptions.models.payout import Payout
from unsubscriptions.models.request import Request, RequestFile

__all__ = ["FreeUse", "Payout", "Request", "RequestFile", "SpecialAgreement"]
