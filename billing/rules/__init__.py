"""Arithmetic of prices, terms and refunds on frozen values: no database, no clock.

Every rule returns its amount together with an `Explanation`; importing this package registers every rule and
version, so that `recompute` finds them.
"""

from billing.rules import changes, pricing, refunds, shares
from billing.rules.explanation import Explanation, recompute

__all__ = ["Explanation", "changes", "pricing", "recompute", "refunds", "shares"]
