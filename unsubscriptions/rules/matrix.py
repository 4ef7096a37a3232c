"""Which lines can be given back, and how: the table of unsubscription.md, as data."""

from __future__ import annotations

from catalog.states import BillingMode, DeliveryMethod
from unsubscriptions.states import Way

NEGOTIATED_2025 = (
    DeliveryMethod.SAAS,
    DeliveryMethod.LICENSE,
    DeliveryMethod.PROFESSIONAL_SERVICE,
    DeliveryMethod.HARDWARE,
)
"""Delivery methods whose supervised lines are negotiated until they are Completed, by the matrix `2025`."""


def way(*, method: str, supervised: bool, billing_mode: str, matrix: str) -> Way:
    """How a line is given back by the matrix of its order's policies, `2025` or `2024`."""
    if method == DeliveryMethod.IMAGE and not supervised:
        return Way.IMAGE if billing_mode == BillingMode.PERIOD else Way.NEVER
    if matrix == "2025" and supervised and method in NEGOTIATED_2025:
        return Way.NEGOTIATED
    return Way.NEVER
